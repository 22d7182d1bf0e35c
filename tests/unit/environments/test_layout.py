"""Layout numbers: plan, apply and rm refuse an environment that a newer release applied, and name that release."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from rancherctl import __version__
from rancherctl.environments import layout, reconcile
from rancherctl.environments.context import Context
from rancherctl.environments.immutable_fields import marker_of
from rancherctl.environments.inventory import from_flags
from rancherctl.environments.layout import LAYOUT, Stamp, refuse_newer, stamp_of
from rancherctl.environments.manifests.base import record
from rancherctl.environments.observe import ObservedHosts
from rancherctl.environments.preflight import Checked
from rancherctl.environments.removal import concerned, remove
from rancherctl.environments.run import EnvironmentRun
from rancherctl.errors import RefusedError
from rancherctl.hosts.facts import HostFacts

ENV = from_flags("demo", ["root@10.0.0.11", "root@10.0.0.12"]).environment
NEWER: Mapping[str, Any] = {"layout": LAYOUT + 1, "release": "0.3.0"}
CONTEXT = Context(lambda _: None, None)  # type: ignore[arg-type, return-value]


def test_marker_and_record_carry_the_layout_and_the_release() -> None:
    marker = marker_of(ENV, ENV.hosts[0])
    assert (marker["layout"], marker["release"]) == (LAYOUT, __version__)
    assert stamp_of(record(ENV)["data"]) == stamp_of(marker) == Stamp(LAYOUT, __version__)


def test_what_release_0_1_stored_is_layout_1_and_accepted() -> None:
    assert stamp_of({"environment": "demo"}) == Stamp(1, "0.1")
    refuse_newer("demo", [{}, {"environment": "demo"}, marker_of(ENV, ENV.hosts[0])])
    refuse_newer("demo", [])


def test_the_error_names_the_release_that_is_needed() -> None:
    with pytest.raises(RefusedError) as caught:
        refuse_newer("demo", [{}, {"layout": LAYOUT + 1, "release": "0.3.0"}, {"layout": LAYOUT, "release": "0.2.0"}])
    error = caught.value
    assert error.what == f"environment demo was last applied by rancherctl 0.3.0 (layout {LAYOUT + 1})"
    assert error.why == f"this is rancherctl {__version__}, which knows layouts up to {LAYOUT}"
    assert error.hint == "install rancherctl 0.3.0 or newer; nothing was changed"
    assert error.exit_code == 5


def test_a_release_that_knows_the_layout_accepts_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout, "LAYOUT", LAYOUT + 1)
    refuse_newer("demo", [NEWER])


@pytest.mark.parametrize("value", ["three", "", None, -1, "²"])
def test_a_layout_that_is_not_a_number_is_refused(value: object) -> None:
    with pytest.raises(RefusedError, match="layout of the environment cannot be read"):
        stamp_of({"layout": value})


@pytest.mark.parametrize("function", [reconcile.plan, reconcile.apply])
def test_plan_and_apply_are_refused_by_one_hosts_marker(function: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also while the API is down, and before the lock is taken."""
    facts = {"h1": HostFacts(marker=marker_of(ENV, ENV.hosts[0])), "h2": HostFacts(marker=NEWER)}
    monkeypatch.setattr(reconcile, "preflight", lambda *_: Checked(facts, {}))
    with pytest.raises(RefusedError, match=r"last applied by rancherctl 0\.3\.0"):
        function(ENV, CONTEXT)


def test_plan_and_apply_are_refused_by_the_record_before_it_is_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A newer release's file may have fields that this one would call unknown."""

    class Api:
        def get(self, *_: object, **__: object) -> dict[str, Any]:
            return {"data": {"environment": "{future: [", "layout": str(LAYOUT + 1), "release": "0.3.0"}}

    run = EnvironmentRun(ENV, CONTEXT, ObservedHosts({}))
    monkeypatch.setattr(run, "api_answers", lambda: True)
    monkeypatch.setattr(run, "client", Api)
    with pytest.raises(RefusedError, match=r"last applied by rancherctl 0\.3\.0"):
        run.read_stored()


def test_rm_is_refused_before_anything_is_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    newer = {**marker_of(ENV, ENV.hosts[1]), **NEWER}
    found = {"h2": HostFacts(marker=newer)}
    monkeypatch.setattr(concerned, "gather_facts", lambda *_, **__: (found, {}))
    with pytest.raises(RefusedError, match=r"last applied by rancherctl 0\.3\.0"):
        remove.remove(ENV, CONTEXT)
