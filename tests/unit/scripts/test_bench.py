"""Benches: what they find is kept, also when a later one fails."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from scripts import bench

VALUE = '{"name": "one", "value": 1, "unit": "s", "machine": "2 x m"}\n'
GOOD = f"print({VALUE.strip()!r})\n"


def write(folder: Path, name: str, text: str) -> None:
    (folder / "tests/bench").mkdir(parents=True, exist_ok=True)
    (folder / f"tests/bench/{name}.py").write_text(text)


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(bench, "ROOT", tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    write(tmp_path, "a", GOOD)
    return tmp_path / "state/rancherctl/bench.jsonl"


def lines(file: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_every_value_has_its_time_and_load_and_runs_are_appended(
    kept: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert bench.main([]) == 0
    assert bench.main(["a"]) == 0
    assert [line["name"] for line in lines(kept)] == ["one", "one"]
    assert all({"time", "load", "value", "unit", "machine"} <= set(line) for line in lines(kept))
    assert "one" in capsys.readouterr().out


def test_a_bench_that_fails_or_hangs_is_reported_and_loses_no_values(
    kept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = subprocess.run

    def hanging(argv: list[str], **words: Any) -> Any:
        if argv[1].endswith("c.py"):
            raise subprocess.TimeoutExpired(argv, words["timeout"], output=VALUE.encode())
        return run(argv, **words)

    for name, text in {"b": f"{GOOD}raise SystemExit(3)\n", "c": GOOD, "d": GOOD}.items():
        write(tmp_path, name, text)
    monkeypatch.setattr(subprocess, "run", hanging)
    assert bench.main([]) == 1
    assert len(lines(kept)) == 4
    assert "b.py, c.py failed" in capsys.readouterr().err


def test_an_unknown_bench_is_a_usage_error(kept: Path) -> None:
    assert bench.main(["nonsense"]) == 2
    assert not kept.exists()
