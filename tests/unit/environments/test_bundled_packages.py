"""Packages from a bundle: for which hosts, what is planned, and what is refused before anything is changed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from rancherctl.agents.install import host_resources
from rancherctl.bundle.distribution.offer import Offer, OfferedDeb
from rancherctl.bundle.distribution.systems import WANTED
from rancherctl.bundle.model import Bundle, BundleFile, manifest
from rancherctl.change import Unknown
from rancherctl.environments import bundled_packages
from rancherctl.environments import plan as plans
from rancherctl.environments.components.machine import MachineFacts
from rancherctl.environments.design import design
from rancherctl.environments.inventory import from_flags
from rancherctl.environments.preflight import machine, refuse
from rancherctl.errors import PreflightError
from rancherctl.hosts.facts import HostFacts
from rancherctl.hosts.model import Absent, Package, Resource, key
from rancherctl.hosts.packages.resolve import Install, parse
from rancherctl.hosts.plan import describe, plan
from rancherctl.hosts.state import ObservedResources, state

ENV = from_flags("demo", ["root@10.0.0.11", "root@10.0.0.12"]).environment
DEBIAN = HostFacts(os_id="debian", os_version="13")


def offered(name: str, version: str) -> OfferedDeb:
    return OfferedDeb(name, version, f"{name}.deb", Path(f"/b/{name}.deb"), "0" * 64, 10)


OFFER = Offer(
    "debian13",
    "index",
    {d.name: d for d in (offered("haproxy", "3.0.11-1"), offered("bind9", "1:9.20.30-1"), offered("liblua", "5.4-1"))},
)
INDEX = BundleFile("packages", "debian13", "index", "0" * 64, 1, 0o644, "index", "amd64")
KUBELET = BundleFile("kubernetes", "1.36.3", "kubelet", "0" * 64, 1, 0o755, "binary", "amd64")


def bundle(*artefacts: BundleFile) -> Bundle:
    return Bundle(Path("/b"), manifest("1.36.3", "amd64", "official", [KUBELET, *artefacts]))


def test_bundles_have_every_package_that_environments_ask_for() -> None:
    asked = {
        resource.name
        for host in ENV.hosts
        for part in design(ENV, host, MachineFacts(), bundle(), host_resources).values()
        for resource in part
        if isinstance(resource, Package)
    }
    assert asked - {"python3"} == set(WANTED), "python3 must be there before anything can run on the host"


def test_a_bundle_without_packages_leaves_every_host_to_apt() -> None:
    assert bundled_packages.unavailable("h1", HostFacts(), frozenset()) == []
    packages = design(ENV, ENV.hosts[0], MachineFacts(system="debian13"), bundle(), host_resources)["packages"]
    assert not any(isinstance(r, Absent) for r in packages)


@pytest.mark.parametrize(
    ("facts", "problem"),
    [
        (
            replace(DEBIAN, os_version="12"),
            "h1: is debian12, but the bundle has packages for debian13 only (create it with --packages debian12 too",
        ),
        (HostFacts(os_id="ubuntu", os_version="24.04"), "h1: is ubuntu24.04"),
        (HostFacts(), "h1: its operating system is unknown"),
        (replace(DEBIAN, os_version=""), "h1: its operating system is unknown"),
    ],
)
def test_a_host_is_refused_if_the_bundle_has_no_packages_for_its_system(facts: HostFacts, problem: str) -> None:
    assert bundled_packages.unavailable("h1", facts, {"debian13"})[0].startswith(problem)
    assert bundled_packages.unavailable("h1", DEBIAN, {"debian13"}) == []


def test_the_system_is_a_fact_and_files_of_an_interrupted_run_are_removed() -> None:
    assert machine(DEBIAN).system == "debian13"
    packages = design(ENV, ENV.hosts[0], machine(DEBIAN), bundle(INDEX), host_resources)["packages"]
    assert Absent("/var/lib/rancherctl/packages") in packages


def test_installed_packages_that_are_too_old_are_problems() -> None:
    facts = HostFacts(packages={"haproxy": "2.4.22-1", "bind9": "1:9.20.1-1", "nftables": "1.0"})
    assert bundled_packages.outdated("h1", facts) == [
        (
            "h1: its haproxy is 2.4.22-1, 2.6 or newer is needed"
            " (upgrade it, or remove it so that a newer one is installed)"
        )
    ]
    assert bundled_packages.outdated("h1", HostFacts()) == []


WANTED_RESOURCES: tuple[Resource, ...] = (
    Package("haproxy", ("haproxy.service",)),
    Package("bind9"),
    Absent("/var/lib/rancherctl/packages"),
)
WITH_BIND = ObservedResources({key(Package("bind9")): state("package", "bind9", installed="yes", masked="")})


def lines(chosen: bundled_packages.Chosen, observed: ObservedResources) -> list[str]:
    changes = plan(chosen.resources, replace(observed, states={**observed.states, **chosen.replaced}))
    return [describe(change)[0] for change in changes]


def test_the_plan_names_versions_and_dependencies() -> None:
    chosen = bundled_packages.complete(
        OFFER, WANTED_RESOURCES, frozenset({"haproxy"}), [Install("liblua", "5.4-1"), Install("haproxy", "3.0.11-1")]
    )
    assert lines(chosen, WITH_BIND) == [
        "install package haproxy 3.0.11-1 (from the bundle; masked first: haproxy.service)",
        "install package liblua 5.4-1 (from the bundle, as a dependency)",
    ]
    change = plan(chosen.resources, WITH_BIND).changes[0]
    step = plans.resource_step("h1", change)
    assert (step.line(), step.detail) == ("install package haproxy 3.0.11-1", ("from the bundle",))


def test_a_package_in_another_version_is_a_change_that_is_named() -> None:
    chosen = bundled_packages.complete(
        OFFER,
        WANTED_RESOURCES,
        frozenset({"haproxy"}),
        [Install("bind9", "1:9.20.30-1", "1:9.20.23-1"), Install("liblua", "5.4-1", "5.3-1")],
    )
    assert lines(chosen, WITH_BIND) == [
        "change package bind9 1:9.20.30-1 (from the bundle, as a dependency; version 1:9.20.23-1 → 1:9.20.30-1)",
        "install package haproxy 3.0.11-1 (from the bundle; masked first: haproxy.service)",
        "change package liblua 5.4-1 (from the bundle, as a dependency; version 5.3-1 → 5.4-1)",
    ]


class Apt:
    """A host whose apt answers one request."""

    name = "h1"

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **answer: object) -> None:
        self.requests: list[dict[str, object]] = []

        def call(_transport: object, request: dict[str, object], **_: object) -> object:
            self.requests.append(request)
            return {"lines": [], "refused": "", **answer}

        monkeypatch.setattr("rancherctl.hosts.packages.resolve.call", call)

    def choose(
        self, observed: ObservedResources, wanted: tuple[Resource, ...] = WANTED_RESOURCES
    ) -> bundled_packages.Chosen:
        return bundled_packages.choose(self, OFFER, wanted, observed)  # type: ignore[arg-type]


def test_apt_is_not_asked_if_nothing_is_missing_or_packages_are_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    apt = Apt(monkeypatch)
    whole = {**WITH_BIND.states, key(WANTED_RESOURCES[0]): state("package", "haproxy", installed="yes", masked="")}
    assert apt.choose(ObservedResources(whole)) == bundled_packages.Chosen(WANTED_RESOURCES, {})
    assert apt.choose(
        ObservedResources(unknown=(Unknown("packages", "dpkg-query is not installed"),))
    ) == bundled_packages.Chosen(WANTED_RESOURCES, {})
    assert apt.requests == []


def test_missing_packages_are_resolved_by_name_and_get_their_files(monkeypatch: pytest.MonkeyPatch) -> None:
    apt = Apt(monkeypatch, lines=["Inst liblua (5.4-1 volatile-packages-file [amd64])"])
    chosen = apt.choose(WITH_BIND)
    assert [(request["index"], request["names"]) for request in apt.requests] == [("index", ["haproxy"])]
    debs = {r.name: r.deb.file for r in chosen.resources if isinstance(r, Package) and r.deb is not None}
    assert debs == {"haproxy": "haproxy.deb", "liblua": "liblua.deb"}


def test_a_package_missing_from_the_bundle_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    apt = Apt(monkeypatch)
    chosen = apt.choose(WITH_BIND, (*WANTED_RESOURCES, Package("openssl")))
    assert chosen.problems[0].startswith(
        "h1: openssl is not installed, and the bundle has no such package for debian13 (create the bundle again"
    )
    assert apt.requests == []


def test_a_dependency_missing_from_the_bundle_is_reported_in_apts_words(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = Apt(
        monkeypatch, refused="haproxy : Depends: libx but it is not installable / E: Unable to correct problems"
    ).choose(WITH_BIND)
    with pytest.raises(PreflightError, match="Depends: libx but it is not installable") as caught:
        refuse(ENV, chosen.problems)
    assert "--packages debian13" in caught.value.problems[0]


def test_apts_lines_are_parsed_or_refused() -> None:
    said = (
        "Inst libfstrm0 (0.6.1-1+b3 volatile-packages-file [amd64])",
        "Inst bind9-libs [1:9.20.23-1] (1:9.20.30-1~deb13u1 volatile-packages-file [amd64]) []",
        "Inst libssl3t64:amd64 (3.5.9-1 Debian:13.8/stable, Debian-Security:13/stable-security [amd64])",
    )
    assert parse(said) == (
        Install("libfstrm0", "0.6.1-1+b3"),
        Install("bind9-libs", "1:9.20.30-1~deb13u1", "1:9.20.23-1"),
        Install("libssl3t64", "3.5.9-1"),
    )
    with pytest.raises(ValueError, match="unexpected output of apt"):
        parse(["Inst"])
