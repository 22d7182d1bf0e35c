"""The demo around its commands: what Ctrl-C does to the one that runs."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from scripts import demo

POLITE = """
import signal, sys
signal.signal(signal.SIGINT, lambda *_: (open(sys.argv[1], "a").write("asked once "), sys.exit(130)))
print("ready", flush=True)
signal.pause()
"""
DEAF = """
import signal
signal.signal(signal.SIGINT, signal.SIG_IGN)
print("ready", flush=True)
signal.pause()
"""


@pytest.fixture
def interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C as soon as the command runs."""
    original = subprocess.Popen.communicate
    seen: list[int] = []

    def communicate(self: Any, *args: Any, **kwargs: Any) -> Any:
        if not seen:
            seen.append(1)
            assert self.stdout.readline() == "ready\n"
            raise KeyboardInterrupt
        return original(self, *args, **kwargs)

    monkeypatch.setattr(subprocess.Popen, "communicate", communicate)


@pytest.mark.usefixtures("interrupted")
def test_an_interrupted_command_gets_one_signal_and_time_to_end(tmp_path: Path) -> None:
    """It holds locks on hosts, which it gives back when it is asked to end, not when it is killed."""
    with pytest.raises(KeyboardInterrupt):
        demo.run_to_completion([sys.executable, "-c", POLITE, str(tmp_path / "log")], 60.0)
    assert (tmp_path / "log").read_text() == "asked once "


@pytest.mark.usefixtures("interrupted")
def test_a_command_that_ignores_the_signal_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "GRACE", 0.05)
    ended: list[Any] = []
    end = demo.end
    monkeypatch.setattr(demo, "end", lambda child: (ended.append(child), end(child)))
    with pytest.raises(KeyboardInterrupt):
        demo.run_to_completion([sys.executable, "-c", DEAF], 60.0)
    assert ended[0].returncode == -9


def test_the_exit_code_and_output_of_a_command_are_returned(capfd: pytest.CaptureFixture[str]) -> None:
    assert demo.run_to_completion(["sh", "-c", "echo out; echo err >&2; exit 3"], 60.0) == (3, "out\n")
    assert capfd.readouterr().err == "err\n"


def test_a_command_over_its_time_limit_is_reported() -> None:
    with pytest.raises(SystemExit, match="did not end within"):
        demo.run_to_completion(["tail", "-f", "/dev/null"], 0.05)


@pytest.mark.parametrize(
    ("answer", "status"),
    [("HTTP/2 200 \r\n\r\n{}", "200"), ("HTTP/1.1 308 Permanent Redirect\r\n\r\n", "308"), ("", "")],
)
def test_the_status_is_read_from_the_first_line(answer: str, status: str) -> None:
    assert demo.status_of(answer) == status


def test_certificates_of_the_demo_are_valid_for_its_host_name(tmp_path: Path) -> None:
    """Checked strictly, as by clients that ask for the extensions of RFC 5280."""
    demo.certificates(tmp_path)
    strict = ["openssl", "verify", "-x509_strict", "-verify_hostname", demo.SITE, "-CAfile", f"{tmp_path}/ca.crt"]
    assert demo.run_to_completion([*strict, f"{tmp_path}/tls.crt"], 60.0) == (0, f"{tmp_path}/tls.crt: OK\n")


def test_an_address_without_https_ends_the_demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = {"https://foo.bar.com/foo": "HTTP/2 404\r\n", "http://foo.bar.com/foo": "HTTP/1.1 308 Moved\r\n"}
    monkeypatch.setattr(demo, "FOLDER", tmp_path)
    monkeypatch.setattr(demo, "run", lambda *words, **_: answers.get(words[-1], ""))
    with pytest.raises(SystemExit, match=r"https://foo.bar.com at 192.0.2.1: status 404 instead of 200"):
        demo.show_https(["192.0.2.1"])
