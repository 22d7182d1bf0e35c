"""The modules source around ``go build``: cache, one builder at a time, failures."""

import os
import pwd
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from rancherctl.bundle.files import sha256_of
from rancherctl.bundle.pause.elf import pause_binary
from rancherctl.bundle.sources.gobuild import recipes
from rancherctl.bundle.sources.modules import Toolchain, build, find_go
from rancherctl.bundle.versions import DEFAULT, versions_for
from rancherctl.errors import NotFoundError, RancherctlError
from rancherctl.events import Event, ignore

ETCD = recipes(versions_for(DEFAULT))[0]


class FakeGo:
    """Writes programs where ``-o`` says, under the names that ``go build`` gives them."""

    def __init__(self, arch: str = "amd64", code: int = 0, output: str = "") -> None:
        self.arch, self.code, self.output, self.calls = arch, code, output, 0

    def __call__(self, argv: list[str], folder: Path, limit: float, on_line: Callable[[str], None]) -> int:
        self.calls += 1
        assert (folder / "go.mod").is_file()
        assert limit > 0
        out = Path(argv[argv.index("-o") + 1])
        for line in self.output.splitlines():
            on_line(line)
        if not self.code:
            for name in ("server", "etcdctl", "etcdutl"):
                (out / name).write_bytes(pause_binary(self.arch))
        return self.code

    def toolchain(self) -> Toolchain:
        return Toolchain("go", "go1.26.8", self)


def test_programs_get_their_names_and_are_built_once(tmp_path: Path) -> None:
    go = FakeGo()
    first = build(ETCD, "amd64", tmp_path, ignore, go.toolchain())
    assert [f.file.name for f in first] == ["etcd", "etcdctl", "etcdutl"]
    assert {f.file.stat().st_mode & 0o777 for f in first} == {0o755}
    assert [f.sha256 for f in first] == [sha256_of(f.file) for f in first]
    assert build(ETCD, "amd64", tmp_path, ignore, go.toolchain()) == first
    assert go.calls == 1


def test_go_finds_its_caches_without_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HOME")
    seen: list[list[str]] = []

    def run(argv: list[str], folder: Path, limit: float, on_line: Callable[[str], None]) -> int:
        seen.append(argv)
        return FakeGo()(argv, folder, limit, on_line)

    build(ETCD, "amd64", tmp_path, ignore, Toolchain("go", "go1.26.8", run))
    assert seen[0][:2] == ["env", f"HOME={pwd.getpwuid(os.getuid()).pw_dir}"]


def test_the_version_of_go_does_not_depend_on_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "go"
    program.write_text("#!/bin/sh\ntest ! -e go.mod && echo go1.26.8\n")
    program.chmod(0o755)
    (tmp_path / "go.mod").write_text("module x\n\ngo 1.99\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("shutil.which", lambda _name: str(program))
    assert find_go().version == "go1.26.8"


def test_an_interrupted_build_leaves_no_partial_files(tmp_path: Path) -> None:
    def interrupted(argv: list[str], folder: Path, limit: float, on_line: Callable[[str], None]) -> int:
        Path(argv[argv.index("-o") + 1], "server").touch()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build(ETCD, "amd64", tmp_path, ignore, Toolchain("go", "go1.26.8", interrupted))
    assert [p.suffix for p in (tmp_path / "builds").iterdir()] == [".lock"]


def test_leftovers_of_a_killed_build_are_not_used(tmp_path: Path) -> None:
    go = FakeGo()
    done = build(ETCD, "amd64", tmp_path, ignore, go.toolchain())[0].file.parent
    left = done.rename(done.with_name(f"{done.name}.tmp"))
    (left / "half").touch()
    build(ETCD, "amd64", tmp_path, ignore, go.toolchain())
    assert not (done / "half").exists()
    assert go.calls == 2


@pytest.mark.parametrize("lost", ["etcdutl", "SHA256SUMS"])
def test_a_result_with_a_missing_file_is_built_again(lost: str, tmp_path: Path) -> None:
    go = FakeGo()
    first = build(ETCD, "amd64", tmp_path, ignore, go.toolchain())
    (first[0].file.parent / lost).unlink()
    assert build(ETCD, "amd64", tmp_path, ignore, go.toolchain()) == first
    assert go.calls == 2


def test_a_failed_build_quotes_the_compiler_and_leaves_nothing(tmp_path: Path) -> None:
    events: list[Event] = []
    go = FakeGo(code=1, output="example.org/fine\nserver/x.go:3:1: undefined: y\nexample.org/also")
    with pytest.raises(RancherctlError) as caught:
        build(ETCD, "amd64", tmp_path, events.append, go.toolchain())
    assert caught.value.why == "server/x.go:3:1: undefined: y"
    assert [e.state for e in events] == ["started", "failed"]
    assert not [p for p in (tmp_path / "builds").iterdir() if p.suffix != ".lock"]


@pytest.mark.parametrize(
    ("output", "hint"),
    [
        ("go: go.mod requires go >= 1.27 (running go 1.26; GOTOOLCHAIN=local)", "newer Go"),
        ("go: errors parsing go.mod: go.mod:3: invalid go version '1.26.0': must match format 1.23", "newer Go"),
        ("go: module: Get https://proxy: dial tcp: lookup proxy: no such host", "GOPROXY"),
        ("compile: writing output: write x: no space left on device", "GOCACHE"),
    ],
)
def test_known_failures_have_a_hint(output: str, hint: str, tmp_path: Path) -> None:
    with pytest.raises(RancherctlError) as caught:
        build(ETCD, "amd64", tmp_path, ignore, FakeGo(code=1, output=output).toolchain())
    assert hint in caught.value.hint


def test_programs_for_another_machine_are_not_kept(tmp_path: Path) -> None:
    with pytest.raises(RancherctlError, match="arm64, not amd64"):
        build(ETCD, "amd64", tmp_path, ignore, FakeGo(arch="arm64").toolchain())
    go = FakeGo()
    build(ETCD, "amd64", tmp_path, ignore, go.toolchain())
    assert go.calls == 1


def test_a_build_in_another_process_is_waited_for_and_reported(tmp_path: Path) -> None:
    go, begun, goes_on, reported = FakeGo(), threading.Event(), threading.Event(), list[Event]()

    def slow(argv: list[str], folder: Path, limit: float, on_line: Callable[[str], None]) -> int:
        begun.set()
        assert goes_on.wait(60)
        return go(argv, folder, limit, on_line)

    def emit(event: Event) -> None:
        reported.append(event)
        if "waiting" in event.message:
            goes_on.set()

    first = threading.Thread(target=build, args=(ETCD, "amd64", tmp_path, ignore, Toolchain("go", "go1.26.8", slow)))
    first.start()
    assert begun.wait(60)
    assert len(build(ETCD, "amd64", tmp_path, emit, go.toolchain())) == 3
    first.join(60)
    assert go.calls == 1
    assert [event.state for event in reported] == ["note", "done"]


def test_a_version_without_module_is_refused_before_go_is_called(tmp_path: Path) -> None:
    from dataclasses import replace

    go = FakeGo()
    with pytest.raises(NotFoundError, match=r"9\.9\.9"):
        build(replace(ETCD, version="9.9.9", module=tmp_path / "none"), "amd64", tmp_path, ignore, go.toolchain())
    assert go.calls == 0
