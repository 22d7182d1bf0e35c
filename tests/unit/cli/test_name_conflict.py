"""`env fetch`.

A host may claim any name and addresses, but replaces no other environment and gets none of its tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from rancherctl.cli import app, context
from rancherctl.cli.known_environments import KnownEnvironments
from rancherctl.cli.sign_in import sign_in_if_needed
from rancherctl.credentials.registry import Access
from rancherctl.credentials.user_stores import user_registry
from rancherctl.environments.fetch import Fetched
from rancherctl.environments.inventory import from_flags, load
from rancherctl.environments.model import Environment

PROD = from_flags("prod", ["root@10.0.0.11", "root@10.0.0.12"]).environment
OTHER = from_flags("prod", ["root@192.0.2.66"]).environment
Call = Callable[..., tuple[int, str]]


@pytest.fixture
def call(
    known: KnownEnvironments, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Call]:
    def sign_in_to(run: Any, environment: Environment, transport: Any, ca: str) -> Access:
        access = Access(environment.name, environment.server(), ca, "ann", "laptop")
        user_registry(run.settings.dirs).save(access)
        return access

    monkeypatch.setattr("rancherctl.cli.sign_in.sign_in_to", sign_in_to)

    def fetch(*words: str, gives: Environment, ca: str) -> tuple[int, str]:
        monkeypatch.setattr("rancherctl.environments.fetch.fetch", lambda transport: Fetched(gives, gives.server(), ca))
        code = app.main(("env", "fetch", *words))
        captured = capsys.readouterr()
        return code, captured.out + captured.err

    yield fetch
    monkeypatch.setattr("rancherctl.cli.context.state.log", None)


def everything(known: KnownEnvironments) -> dict[str, bytes]:
    folder = known.dirs.config.parent.parent
    return {str(p): p.read_bytes() for p in (*known.dirs.config.rglob("*"), folder / "kubeconfig") if p.is_file()}


@pytest.mark.parametrize("says", [OTHER, PROD])
def test_a_fetched_environment_does_not_replace_another_of_its_name(
    call: Call, known: KnownEnvironments, says: Environment
) -> None:
    """A host can claim the addresses of the known environment, too."""
    assert call("root@10.0.0.11", gives=PROD, ca="CA of prod")[0] == 0
    before = everything(known)
    code, text = call("root@192.0.2.66", gives=says, ca="CA of somebody")
    assert code == 5
    assert "another environment 'prod' is known on this machine" in text
    assert "with another certificate authority" in text
    assert "--replace" in text
    assert everything(known) == before


def test_replacing_an_environment_removes_the_former_ones_access(call: Call, known: KnownEnvironments) -> None:
    call("root@10.0.0.11", gives=PROD, ca="CA of prod")
    code, text = call("root@192.0.2.66", "--replace", gives=OTHER, ca="CA of somebody")
    assert code == 0
    assert user_registry(known.dirs).load("prod").ca == "CA of somebody"
    assert known.read("prod").hosts[0].address == "192.0.2.66"
    kept = known.dirs.state / "removed" / "prod.yaml"
    assert str(kept) in text
    assert load(kept.read_text(encoding="utf-8")).environment == PROD
    contexts = (known.dirs.config.parent.parent / "kubeconfig").read_text(encoding="utf-8")
    assert "10.0.0.11" not in contexts, "its context would send tokens of the new one to the old one's server"


def test_the_same_environment_can_be_fetched_again(call: Call, known: KnownEnvironments) -> None:
    for target in ("root@10.0.0.11", "root@any-alias"):
        assert call(target, gives=PROD, ca="CA of prod\n")[0] == 0


def test_a_reinstalled_environment_is_accepted_from_a_known_control_plane_host(
    call: Call, known: KnownEnvironments
) -> None:
    call("root@10.0.0.11", gives=PROD, ca="CA of prod")
    assert call("root@10.0.0.11", gives=PROD, ca="CA since yesterday")[0] == 0
    assert user_registry(known.dirs).load("prod").ca == "CA since yesterday"


def test_an_environment_without_credentials_is_recognised_by_its_hosts(call: Call, known: KnownEnvironments) -> None:
    known.save(PROD)
    assert call("root@192.0.2.66", gives=OTHER, ca="CA of somebody")[0] == 5
    assert call("root@10.0.0.11", gives=PROD, ca="CA of prod")[0] == 0


def test_a_new_environment_of_an_old_name_drops_the_former_context(call: Call, known: KnownEnvironments) -> None:
    """The plug-in finds environments by name.

    The former context would send the new one's tokens to the former server.
    """
    call("root@10.0.0.11", gives=PROD, ca="CA of prod")
    contexts = known.dirs.config.parent.parent / "kubeconfig"
    assert "10.0.0.11" in contexts.read_text(encoding="utf-8")
    sign_in_if_needed(context.current(), OTHER, lambda host: pytest.fail("signing in is faked"), "CA of the new one")
    assert "10.0.0.11" not in contexts.read_text(encoding="utf-8")
    assert "192.0.2.66" in contexts.read_text(encoding="utf-8")
    assert user_registry(known.dirs).load("prod").ca == "CA of the new one"
