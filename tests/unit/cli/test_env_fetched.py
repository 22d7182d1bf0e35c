"""`env fetch`: a host may say any name and any addresses; that takes nobody's place, and no token of one environment goes to another."""

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
def test_a_host_that_calls_its_environment_as_a_known_one_takes_nothing(
    call: Call, known: KnownEnvironments, says: Environment
) -> None:
    """Whatever addresses it names: those of the known one cost it nothing to say."""
    assert call("root@10.0.0.11", gives=PROD, ca="CA of prod")[0] == 0
    before = everything(known)
    code, text = call("root@192.0.2.66", gives=says, ca="CA of somebody")
    assert code == 5
    assert "another environment 'prod' is known on this machine" in text
    assert "with another certificate authority" in text
    assert "--replace" in text
    assert everything(known) == before


def test_what_takes_its_place_leaves_no_way_from_one_to_the_other(call: Call, known: KnownEnvironments) -> None:
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


def test_the_same_one_is_fetched_again(call: Call, known: KnownEnvironments) -> None:
    for target in ("root@10.0.0.11", "root@any-alias"):
        assert call(target, gives=PROD, ca="CA of prod\n")[0] == 0


def test_one_that_was_set_up_anew_is_taken_from_the_host_that_was_connected_to(
    call: Call, known: KnownEnvironments
) -> None:
    call("root@10.0.0.11", gives=PROD, ca="CA of prod")
    assert call("root@10.0.0.11", gives=PROD, ca="CA since yesterday")[0] == 0
    assert user_registry(known.dirs).load("prod").ca == "CA since yesterday"


def test_one_that_was_never_signed_in_to_is_known_by_its_hosts(call: Call, known: KnownEnvironments) -> None:
    known.save(PROD)
    assert call("root@192.0.2.66", gives=OTHER, ca="CA of somebody")[0] == 5
    assert call("root@10.0.0.11", gives=PROD, ca="CA of prod")[0] == 0


def test_an_environment_that_is_made_anew_under_a_name_has_no_context_of_the_former_one(
    call: Call, known: KnownEnvironments
) -> None:
    """The plug-in knows environments by name: the former context would hand the new one's tokens to the former server."""
    call("root@10.0.0.11", gives=PROD, ca="CA of prod")
    contexts = known.dirs.config.parent.parent / "kubeconfig"
    assert "10.0.0.11" in contexts.read_text(encoding="utf-8")
    sign_in_if_needed(context.current(), OTHER, lambda host: pytest.fail("signing in is faked"), "CA of the new one")
    assert "10.0.0.11" not in contexts.read_text(encoding="utf-8")
    assert "192.0.2.66" in contexts.read_text(encoding="utf-8")
    assert user_registry(known.dirs).load("prod").ca == "CA of the new one"
