"""What a failed `env create`, `apply` or `rm` leaves on the operator's machine, and how the same command continues."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from rancherctl.bundle.model import Bundle, manifest
from rancherctl.cli import app
from rancherctl.cli.known_environments import KnownEnvironments
from rancherctl.environments.fetch import Fetched
from rancherctl.environments.health import EnvironmentStatus, HostHealth
from rancherctl.environments.inventory import from_flags, load
from rancherctl.environments.model import Environment
from rancherctl.environments.plan import EnvironmentPlan, PhasePlan, Step
from rancherctl.environments.reconcile import AppliedEnvironment
from rancherctl.environments.removal.remove import Removed
from rancherctl.errors import LockedError, PartialError, PreflightError, RancherctlError

CREATE = ("env", "create", "demo", "--host", "root@10.0.0.1", "--host", "root@10.0.0.2")
RM = ("env", "rm", "demo", "--confirm", "demo")
Call = Callable[..., tuple[int, str]]


@pytest.fixture
def known(known: KnownEnvironments, monkeypatch: pytest.MonkeyPatch) -> KnownEnvironments:
    """Commands run without resolving a bundle."""
    empty = Bundle(Path(), manifest("1.36.3", "amd64", "", ()))
    monkeypatch.setattr("rancherctl.cli.env.work_context.resolve", lambda *args: empty)
    return known


@pytest.fixture
def call(
    known: KnownEnvironments, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Call]:
    def run(*words: str) -> tuple[int, str]:
        code = app.main(words)
        captured = capsys.readouterr()
        return code, captured.out + captured.err

    yield run
    monkeypatch.setattr("rancherctl.cli.context.state.log", None)


def applying(monkeypatch: pytest.MonkeyPatch, error: Exception, *, begun: bool) -> None:
    def apply(environment: Any, context: Any, *, begin: Callable[[], object], **options: Any) -> None:
        if begun:
            begin()
        raise error

    monkeypatch.setattr("rancherctl.environments.reconcile.apply", apply)


def removing(monkeypatch: pytest.MonkeyPatch, outcome: Removed | Exception) -> None:
    def remove(environment: Any, context: Any, **options: Any) -> Removed:
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    monkeypatch.setattr("rancherctl.environments.removal.remove.remove", remove)


def test_an_environment_refused_by_preflight_is_not_stored_and_refused_again(
    call: Call, known: KnownEnvironments, monkeypatch: pytest.MonkeyPatch
) -> None:
    applying(monkeypatch, PreflightError("the hosts are not ready", ["h1: port 80 is taken"]), begun=False)
    for _ in range(2):
        code, text = call(*CREATE)
        assert code == 1
        assert "port 80 is taken" in text
        assert known.names() == []


def test_invalid_input_stores_no_environment(call: Call, known: KnownEnvironments) -> None:
    for _ in range(2):
        assert call("env", "create", "demo", "--host", "root@10.0.0.1=king")[0] == 2
        assert known.names() == []


@pytest.mark.parametrize(
    "more",
    [("--host", "10.0.0.1"), ("--kubernetes", "1.35.4"), ("--identity", "k"), ("--ssh-config", "c"), ("--jump", "b")],
)
def test_options_that_the_file_defines_cannot_be_combined_with_it(call: Call, more: tuple[str, str]) -> None:
    code, text = call("env", "create", "-f", "prod.yaml", *more)
    assert code == 2
    assert f"--file cannot be combined with {more[0]}" in text


def test_an_interrupted_create_is_resumed_by_the_same_command(
    call: Call, known: KnownEnvironments, monkeypatch: pytest.MonkeyPatch
) -> None:
    applying(monkeypatch, RancherctlError("cut"), begun=True)
    assert call(*CREATE)[0] == 1
    assert known.names() == ["demo"]
    applying(monkeypatch, RancherctlError("further on"), begun=True)
    code, text = call(*CREATE)
    assert code == 1
    assert "resuming an interrupted create" in text
    assert "further on" in text


def test_an_apply_under_the_name_of_another_environment_keeps_the_others_file(
    call: Call, known: KnownEnvironments, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    applying(monkeypatch, RancherctlError("cut"), begun=True)
    call(*CREATE)
    before = known.file("demo").read_text(encoding="utf-8")
    file = tmp_path / "demo.yaml"
    file.write_text(before.replace("10.0.0.", "10.9.9."))
    text = call("env", "apply", "-f", str(file))[1]
    kept = known.dirs.state / "removed" / "demo.yaml"
    assert (
        "demo was the name of another environment on this machine (API: https://10.0.0.1:6443); "
        f"its file was moved to {kept}" in text
    )
    assert kept.read_text(encoding="utf-8") == before
    assert known.read("demo").hosts[0].address == "10.9.9.1"
    assert "another environment" not in call("env", "apply", "-f", str(file))[1]


def test_create_with_other_hosts_under_a_known_name_is_a_conflict(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    applying(monkeypatch, RancherctlError("cut"), begun=True)
    call(*CREATE)
    code, text = call(*CREATE[:-1], "root@10.0.0.3")
    assert code == 5
    assert "exists with other hosts" in text


@pytest.fixture
def there(call: Call, known: KnownEnvironments, monkeypatch: pytest.MonkeyPatch) -> str:
    applying(monkeypatch, RancherctlError("cut"), begun=True)
    call(*CREATE)
    return known.file("demo").read_text(encoding="utf-8")


def partial() -> PartialError:
    return PartialError("1 of 2 hosts are not clean", {"10.0.0.2": "no answer"}, hint="run the same command again")


@pytest.mark.parametrize("outcome", [partial(), Removed("demo", {"h1": ("x",)}, {"h1": ("/opt/rancherctl",)})])
def test_an_environment_stays_known_until_its_hosts_are_clean(
    call: Call, known: KnownEnvironments, there: str, monkeypatch: pytest.MonkeyPatch, outcome: Removed | Exception
) -> None:
    removing(monkeypatch, outcome)
    code, text = call(*RM)
    assert code == 6
    assert "stays known on this machine" in text
    assert "no longer known" not in text
    assert known.names() == ["demo"]


@pytest.mark.parametrize("outcome", [partial(), Removed("demo", {"h1": ("x",)}, {"h1": ("/opt/rancherctl",)})])
def test_force_forgets_the_environment_and_tells_how_to_clean_the_rest(
    call: Call, known: KnownEnvironments, there: str, monkeypatch: pytest.MonkeyPatch, outcome: Removed | Exception
) -> None:
    removing(monkeypatch, outcome)
    code, text = call(*RM, "--force")
    assert code == 6
    assert known.names() == []
    file = known.dirs.state / "removed" / "demo.yaml"
    assert f"rancherctl env rm -f {file} --confirm demo" in text
    assert file.read_text(encoding="utf-8") == there
    removing(monkeypatch, Removed("demo", {"h1": ("x",)}))
    assert call("env", "rm", "-f", str(file), "--confirm", "demo")[0] == 0


def test_removing_by_file_keeps_another_environment_of_the_same_name(
    call: Call, known: KnownEnvironments, there: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "other.yaml"
    file.write_text(there.replace("10.0.0.", "10.9.9."))
    removing(monkeypatch, Removed("demo", {"h1": ("x",)}))
    code, text = call("env", "rm", "-f", str(file), "--confirm", "demo")
    assert code == 0
    assert "demo on this machine is another environment (API: https://10.0.0.1:6443); it is kept" in text
    assert known.names() == ["demo"]


def test_force_does_not_break_a_lock(
    call: Call, known: KnownEnvironments, there: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    removing(monkeypatch, LockedError("held by ann"))
    assert call(*RM, "--force")[0] == 5
    assert known.names() == ["demo"]


def test_a_wait_that_times_out_shows_what_is_unhealthy(call: Call, there: str, monkeypatch: pytest.MonkeyPatch) -> None:
    host = HostHealth("h1", "10.0.0.1", ("worker",), False, "no answer")
    looks: list[int] = []

    def status(environment: Any, context: Any) -> EnvironmentStatus:
        looks.append(1)
        return EnvironmentStatus("demo", "1.36.3", "https://10.0.0.1:6443", "ok", (host,))

    monkeypatch.setattr("rancherctl.environments.status.status", status)
    code, text = call("env", "status", "demo", "--wait", "--timeout", "250ms")
    assert code == 124
    assert len(looks) > 1
    assert text.count("not healthy yet: h1: cannot be reached: no answer") == 1
    assert "demo is degraded" in text
    assert "why:  h1: cannot be reached: no answer" in text


def test_a_warning_names_a_known_file_that_cannot_be_read(call: Call, known: KnownEnvironments, there: str) -> None:
    known.file("demo").write_text("nonsense")
    code, text = call("env", "ls")
    assert code == 0
    assert "warning: cannot use the file of demo" in text


@pytest.mark.parametrize("broken", [b"name: \xff\xfe", None])
def test_a_known_file_that_is_not_text_does_not_hide_others(
    call: Call, known: KnownEnvironments, there: str, monkeypatch: pytest.MonkeyPatch, broken: bytes | None
) -> None:
    monkeypatch.setattr("rancherctl.cli.env.listing.connect_problem", lambda host, port: "")
    known.file("other").mkdir() if broken is None else known.file("other").write_bytes(broken)
    code, text = call("env", "ls", "-o", "name")
    assert code == 0
    assert "environment/demo" in text.splitlines()
    assert "warning: cannot use the file of other" in text
    code, text = call("env", "show", "other")
    assert code == 2
    assert str(known.file("other")) in text
    assert "env fetch" in text


def test_status_works_without_a_bundle(
    call: Call, known: KnownEnvironments, there: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An operator who has just fetched an environment has no bundle."""
    monkeypatch.setattr("rancherctl.cli.env.work_context.resolve", lambda *args: pytest.fail("no bundle was chosen"))
    found = EnvironmentStatus("demo", "1.36.3", "https://10.0.0.1:6443", "ok", ())
    monkeypatch.setattr("rancherctl.environments.status.status", lambda environment, context: found)
    assert call("env", "status", "demo")[0] == 0


def fetching(monkeypatch: pytest.MonkeyPatch, *hosts: str) -> list[Environment]:
    """What ``env fetch`` receives; the environments that it signs in to."""
    found = from_flags("demo", hosts).environment
    seen: list[Environment] = []
    monkeypatch.setattr("rancherctl.environments.fetch.fetch", lambda transport: Fetched(found, found.server(), "CA"))
    monkeypatch.setattr(
        "rancherctl.cli.sign_in.sign_in_to", lambda run, environment, transport, ca: seen.append(environment)
    )
    monkeypatch.setattr("rancherctl.cli.sign_in.merge_context", lambda run, access: "demo")
    return seen


def test_an_apply_reports_its_changes_before_a_sign_in_failure(
    call: Call, known: KnownEnvironments, monkeypatch: pytest.MonkeyPatch
) -> None:
    def apply(
        environment: Environment, context: Any, *, begin: Callable[[], object], **options: Any
    ) -> AppliedEnvironment:
        begin()
        steps = (Step("h1", "file", "create", "/etc/rancherctl/x"),)
        return AppliedEnvironment(
            environment, EnvironmentPlan("demo", (PhasePlan("nodes", "nodes", steps),)), environment.server(), "CA"
        )

    def sign_in(*args: Any) -> None:
        raise LockedError("the kubeconfig file is locked")

    monkeypatch.setattr("rancherctl.environments.reconcile.apply", apply)
    monkeypatch.setattr("rancherctl.cli.sign_in.sign_in_if_needed", sign_in)
    code, text = call(*CREATE)
    assert code == 5
    assert "/etc/rancherctl/x" in text
    assert "demo applied, but this machine is not signed in" in text
    assert "error: the kubeconfig file is locked\n  next: run the same command again to sign in" in text


def test_a_fetched_environment_uses_the_ssh_options_of_the_fetch(
    call: Call, known: KnownEnvironments, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = fetching(monkeypatch, "root@10.0.0.1", "ops@10.0.0.2:2222")
    assert call("env", "fetch", "root@10.0.0.1", "--identity", "~/key", "--jump", "bastion")[0] == 0
    assert seen == [known.read("demo")]
    assert [(h.ssh.user, h.ssh.port, h.ssh.identity, h.ssh.jump) for h in seen[0].hosts] == [
        ("root", 0, f"{tmp_path}/key", "bastion"),
        ("ops", 2222, f"{tmp_path}/key", "bastion"),
    ]


def test_fetch_does_not_replace_another_environment(
    call: Call, known: KnownEnvironments, there: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = fetching(monkeypatch, "root@10.9.9.9")
    code, text = call("env", "fetch", "root@10.9.9.9")
    assert (code, seen) == (5, [])
    assert "another environment 'demo' is known on this machine" in text
    assert "https://10.0.0.1:6443" in text
    assert known.file("demo").read_text(encoding="utf-8") == there
    assert call("env", "fetch", "root@10.9.9.9", "--replace")[0] == 0
    assert known.read("demo").hosts[0].address == "10.9.9.9"


def test_fetch_updates_an_environment_reinstalled_on_the_same_hosts(
    call: Call, known: KnownEnvironments, there: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetching(monkeypatch, "root@10.0.0.1")
    assert call("env", "fetch", "root@10.0.0.1")[0] == 0
    assert len(known.read("demo").hosts) == 1


def test_a_removed_environment_is_forgotten(
    call: Call, known: KnownEnvironments, there: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    removing(monkeypatch, Removed("demo", {"h1": ("x",)}))
    code, text = call(*RM)
    assert (code, known.names()) == (0, [])
    assert "removed from this machine's environments" in text
    assert load(there, "x").environment.name == "demo"
