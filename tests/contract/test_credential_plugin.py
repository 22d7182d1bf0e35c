"""The plug-in: its imports, the validity of cached tokens, one renewal for many callers."""

from __future__ import annotations

import base64
import json
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rancherctl.bound_tokens import Token
from rancherctl.credentials import api, plugin_command, renewal, token_cache, token_cache_writer
from rancherctl.credentials.registry import Access, Registry
from rancherctl.credentials.store import SecretStore
from rancherctl.errors import AuthError
from rancherctl.secret import Secret
from rancherctl.settings import dirs

HOUR = 3600.0
BOOT = (5000.0, "boot-1")


def entry(tmp_path: Path, boot: tuple[float, str] = BOOT, wall: float = 1_000_000) -> str:
    path = tmp_path / "env"
    path.write_text(token_cache_writer.cache_content(Token(Secret("tok"), wall + HOUR, HOUR), wall, boot))
    return str(path)


def environment(tmp_path: Path) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "CI": "true"}


def plug(tmp_path: Path, *words: str, options: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, *options, "-m", "rancherctl.credentials.plugin", *words]
    return subprocess.run(argv, env=environment(tmp_path), capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize(
    ("passed", "good", "fresh"),
    [
        (0, True, True),
        (HOUR * 0.74, True, True),
        (HOUR * 0.76, True, False),
        (HOUR - 1, True, False),
        (HOUR + 1, False, False),
    ],
)
def test_a_token_is_used_to_its_end_and_renewed_before(tmp_path: Path, passed: float, good: bool, fresh: bool) -> None:
    path = entry(tmp_path)
    document, is_fresh = token_cache.cached(path, 1_000_000 + passed, (BOOT[0] + passed, BOOT[1]))
    assert (bool(document), is_fresh) == (good, fresh)
    by_wall_clock = token_cache.cached(path, 1_000_000 + passed, (0.0, ""))
    assert (bool(by_wall_clock[0]), by_wall_clock[1]) == (good, fresh)


@pytest.mark.parametrize("jump", [-86_400, 86_400])
def test_a_clock_that_jumps_a_day_changes_nothing_within_a_boot(tmp_path: Path, jump: float) -> None:
    path = entry(tmp_path)
    assert token_cache.cached(path, 1_000_000 + jump, (BOOT[0] + 60, BOOT[1]))[1]
    assert not token_cache.cached(path, 1_000_000 + jump, (BOOT[0] + HOUR + 1, BOOT[1]))[0]


def test_after_a_reboot_the_wall_clock_decides(tmp_path: Path) -> None:
    path = entry(tmp_path)
    assert token_cache.cached(path, 1_000_000 + 60, (1.0, "boot-2"))[1]
    assert not token_cache.cached(path, 1_000_000 + HOUR + 1, (1.0, "boot-2"))[0]


@pytest.mark.parametrize("damage", ["", "garbage", "2 1 1 1 1 b\n{}", "1 x x x x b\n{}", "1 1 1"])
def test_a_damaged_cache_is_ignored(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "env"
    path.write_text(damage)
    assert token_cache.cached(str(path), 0.0, BOOT) == ("", False)


def test_the_document_is_what_kubectl_wants_and_the_file_is_private(tmp_path: Path) -> None:
    path = tmp_path / "credentials" / "env"
    document = json.loads(token_cache_writer.write_token(path, Token(Secret("tok"), 0, HOUR), 1_000_000))
    assert document["apiVersion"] == "client.authentication.k8s.io/v1"
    assert document["status"] == {"token": "tok", "expirationTimestamp": "1970-01-12T14:46:40Z"}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize("base", ["/x/cache", "relative", ""])
def test_the_folder_is_the_one_of_settings(monkeypatch: pytest.MonkeyPatch, base: str) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", base)
    assert token_cache.cache_file("env") == str(dirs(os.environ).cache / "credentials" / "env")


def test_a_cached_token_needs_no_imports(tmp_path: Path) -> None:
    path = tmp_path / ".cache/rancherctl/credentials/env"
    token_cache_writer.write_token(path, Token(Secret("tok"), 0, HOUR), time.time())
    bare = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", "pass"], capture_output=True, text=True, timeout=60, check=True
    )
    code = "import sys; from rancherctl.credentials.plugin import main; sys.exit(main(['--env', 'env']))"
    argv = [sys.executable, "-X", "importtime", "-c", code]
    done = subprocess.run(argv, env=environment(tmp_path), capture_output=True, text=True, timeout=60, check=True)
    assert json.loads(done.stdout)["status"]["token"] == "tok"

    def modules(text: str) -> set[str]:
        return {line.rpartition("|")[2].strip() for line in text.splitlines()}

    assert modules(done.stderr) - modules(bare.stderr) <= {
        "__future__",
        "rancherctl",
        "rancherctl.credentials",
        "rancherctl.credentials.plugin",
        "rancherctl.credentials.token_cache",
    }


def issued(counter: Path, seconds: int = 3600, **more: str) -> str:
    """A program instead of ssh: counts its runs and prints a new token."""
    now = int(time.time())
    claims = base64.urlsafe_b64encode(json.dumps({"iat": now}).encode()).rstrip(b"=").decode()
    until = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now + seconds))
    status = {"status": {"token": f"h.{claims}.s", "expirationTimestamp": until}}
    answer = {"token": status, "refresh": status, **more}
    return f"echo run >> {counter}; echo '{json.dumps(answer)}'"


def register(tmp_path: Path, *issue: tuple[str, ...]) -> None:
    access = Access("env", "https://127.0.0.1:1", "", "alice", "s1", issue=issue)
    Registry(tmp_path / ".config/rancherctl/environments").save(access)


def test_twenty_callers_make_one_renewal(tmp_path: Path) -> None:
    counter = tmp_path / "runs"
    register(tmp_path, ("sh", "-c", "sleep 0.3;" + issued(counter)))
    argv = [sys.executable, "-m", "rancherctl.credentials.plugin", "--env", "env"]
    running = [subprocess.Popen(argv, env=environment(tmp_path), stdout=subprocess.PIPE) for _ in range(20)]
    answers = {p.communicate(timeout=120)[0] for p in running}
    assert [p.returncode for p in running] == [0] * 20
    assert len(answers) == 1
    assert counter.read_text() == "run\n"


def test_the_second_host_is_tried_if_the_first_fails(tmp_path: Path) -> None:
    counter = tmp_path / "runs"
    register(tmp_path, ("sh", "-c", "echo no route >&2; exit 255"), ("sh", "-c", issued(counter)))
    assert plug(tmp_path, "--env", "env").returncode == 0
    assert counter.read_text() == "run\n"


def test_a_failed_renewal_lists_what_was_tried(tmp_path: Path) -> None:
    register(tmp_path, ("sh", "-c", "echo permission denied >&2; exit 255"))
    done = plug(tmp_path, "--env", "env")
    assert done.returncode == 4
    assert done.stdout == ""
    assert "no refresh token" in done.stderr
    assert "permission denied" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_valid_token_is_used_if_the_renewal_fails(tmp_path: Path) -> None:
    register(tmp_path, ("false",))
    path = tmp_path / ".cache/rancherctl/credentials/env"
    token_cache_writer.write_token(path, Token(Secret("old"), 0, HOUR), time.time())
    head, _, rest = path.read_text().partition("\n")
    words = head.split()
    words[1] = words[3] = "0"  # time to renew
    path.write_text(" ".join(words) + "\n" + rest)
    assert json.loads(plug(tmp_path, "--env", "env").stdout)["status"]["token"] == "old"
    assert plug(tmp_path, "--env", "env", "--refresh").returncode == 4


def test_a_session_that_a_host_restarted_is_stored(tmp_path: Path) -> None:
    """An administrator ended the session: the token from ssh belongs to a new one, and so do later renewals."""
    register(tmp_path, ("sh", "-c", issued(tmp_path / "runs", session_uid="u-2")))
    assert plug(tmp_path, "--env", "env").returncode == 0
    access = Registry(tmp_path / ".config/rancherctl/environments").load("env")
    assert (access.session_uid, access.operator, access.issue[0][0]) == ("u-2", "alice", "sh")


@pytest.mark.parametrize("place", [".cache/rancherctl/credentials", ".local/state/rancherctl"])
def test_an_unwritable_disk_does_not_prevent_a_token(tmp_path: Path, place: str) -> None:
    """A file instead of the folder fails for root, too: neither lock nor token can be written."""
    register(tmp_path, ("sh", "-c", issued(tmp_path / "runs")))
    (tmp_path / place).parent.mkdir(parents=True)
    (tmp_path / place).write_text("no folder")
    done = plug(tmp_path, "--env", "env")
    assert (done.returncode, "Traceback" in done.stderr) == (0, False)
    assert json.loads(done.stdout)["status"]["token"].startswith("h.")
    assert str(tmp_path / place) in done.stderr


def test_a_damaged_secrets_file_does_not_prevent_a_token(tmp_path: Path) -> None:
    register(tmp_path, ("sh", "-c", issued(tmp_path / "runs")))
    secrets = tmp_path / ".local/state/rancherctl/secrets.json"
    secrets.parent.mkdir(parents=True)
    secrets.write_text("{")
    done = plug(tmp_path, "--env", "env")
    assert done.returncode == 0
    assert "cannot store the refresh token" in done.stderr
    assert secrets.read_text() == "{"


def test_a_damaged_certificate_authority_is_named(tmp_path: Path) -> None:
    with pytest.raises(AuthError, match="cannot read"):
        api.call(
            "GET",
            "https://127.0.0.1:1",
            "/",
            ca="-----BEGIN CERTIFICATE-----\nxx\n-----END CERTIFICATE-----\n",
            token=Secret("t"),
        )


@pytest.mark.parametrize(
    "words", [(), ("--env",), ("x",), ("--env", "env", "--refresh", "--revoke"), ("--env", "a", "b")]
)
def test_wrong_arguments_print_the_usage(tmp_path: Path, words: tuple[str, ...]) -> None:
    done = plug(tmp_path, *words)
    assert done.returncode == 2
    assert done.stderr == plugin_command.USAGE


@pytest.mark.parametrize("name", ["../x", "a/b", "", "UPPER"])
def test_invalid_names_are_usage_errors(tmp_path: Path, name: str) -> None:
    assert plug(tmp_path, "--env", name).returncode == 2


def test_an_unknown_environment_is_not_found(tmp_path: Path) -> None:
    done = plug(tmp_path, "--env", "nope")
    assert done.returncode == 3
    assert "env fetch" in done.stderr


def test_the_renewing_caller_prints_the_cached_document(tmp_path: Path) -> None:
    """Time may pass between writing and printing."""
    register(tmp_path, ("sh", "-c", issued(tmp_path / "runs")))
    ticks = iter(range(int(time.time()), 1 << 40, 7))
    store = SecretStore(tmp_path / "secrets.json", None, lambda line: None)
    mine = renewal.Renewal(
        Registry(tmp_path / ".config/rancherctl/environments"), store, tmp_path / "tokens", lambda: float(next(ticks))
    )
    assert mine.document("env") == token_cache_writer.cached_document((tmp_path / "tokens/env").read_text())


def test_ctrl_c_for_kubectl_ends_the_plugin_without_traceback(tmp_path: Path) -> None:
    register(tmp_path, ("sh", "-c", f"touch {tmp_path}/begun; exec sleep 60"))
    argv = [sys.executable, "-m", "rancherctl.credentials.plugin", "--env", "env"]
    with subprocess.Popen(argv, env=environment(tmp_path), stderr=subprocess.PIPE, text=True) as running:
        deadline = time.monotonic() + 60
        while not (tmp_path / "begun").exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        running.send_signal(signal.SIGINT)
        _, said = running.communicate(timeout=60)
    assert (running.returncode, said) == (130, "")


def test_an_unexpected_failure_prints_no_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object, force: bool) -> None:
        raise ValueError("odd")

    monkeypatch.setattr(plugin_command, "user_renewal", lambda *_: type("Renewal", (), {"document": broken})())
    assert plugin_command.run_command(["--env", "env"]) == 1
    assert capsys.readouterr().err.splitlines()[-1] == "rancherctl-credential: ValueError: odd"
