"""The plan of an upgrade from release 0.1 names the Ingresses that redirect to HTTPS afterwards."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rancherctl.bundle.model import Bundle, manifest
from rancherctl.environments import https_notice
from rancherctl.environments.context import Context
from rancherctl.environments.inventory import from_flags
from rancherctl.environments.layout import Stamp
from rancherctl.environments.manifests.base import record
from rancherctl.environments.model import Environment
from rancherctl.environments.observe import ObservedHosts
from rancherctl.environments.reconcile import planned
from rancherctl.environments.run import EnvironmentRun
from rancherctl.errors import UnreachableError
from rancherctl.events import Event

ENV = from_flags("demo", ["root@10.0.0.11"]).environment
OFF = replace(ENV, ingress=replace(ENV.ingress, tls_redirect="off"))
OLD, NEW = Stamp(), Stamp(2, "0.2.0")


@pytest.mark.parametrize(
    ("stored", "stamp", "wanted", "begin"),
    [
        (ENV, OLD, ENV, True),
        (ENV, OLD, OFF, False),
        (ENV, NEW, ENV, False),
        (OFF, NEW, ENV, True),
        (OFF, NEW, OFF, False),
    ],
)
def test_redirects_begin_with_an_upgrade_or_with_the_switch(
    stored: Environment, stamp: Stamp, wanted: Environment, begin: bool
) -> None:
    assert https_notice.redirects_begin(stored, stamp, wanted) is begin


def plan(monkeypatch: pytest.MonkeyPatch, data: dict[str, Any]) -> tuple[tuple[str, ...], list[str]]:
    """The warnings of a plan for an environment whose last apply recorded ``data``, and those shown as progress."""

    class Api:
        def get(self, *_: object, **__: object) -> dict[str, Any]:
            return {"data": data}

    monkeypatch.setattr(EnvironmentRun, "api_answers", lambda _run: True)
    monkeypatch.setattr(EnvironmentRun, "client", lambda _run: Api())
    monkeypatch.setattr("rancherctl.environments.reconcile.PHASES", ())
    shown: list[Event] = []

    def redirecting(client: object, default_certificate: bool) -> tuple[str, ...]:
        assert isinstance(client, Api)
        assert not default_certificate
        return ("default/a", "shop/b")

    context = Context(
        lambda host: pytest.fail(f"{host.name} must not be contacted"),
        Bundle(Path(), manifest(ENV.kubernetes, "", "", ())),
        emit=shown.append,
        redirecting=redirecting,
    )
    lost = ObservedHosts({}, {"h1": UnreachableError("h1: no answer")})
    warnings = planned(EnvironmentRun(ENV, context, lost)).warnings
    return warnings, [event.message for event in shown if event.level == "warning"]


def test_the_plan_of_an_upgrade_lists_them_with_the_switch_and_progress_shows_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    warnings, shown = plan(monkeypatch, {"environment": record(ENV)["data"]["environment"]})
    (warning,) = warnings
    assert warning == (
        "after this apply, HTTP requests to 2 ingresses with tls are redirected to HTTPS once the certificates are"
        " valid: default/a, shop/b; to prevent it, set spec.ingress.tls.redirect to off in the environment file"
    )
    assert shown == [warning]


def test_the_plan_of_an_upgraded_environment_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    assert plan(monkeypatch, record(ENV)["data"]) == ((), [])
