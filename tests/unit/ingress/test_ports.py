"""Ingresses on ports of their own: claims for each port, who has a port, and the commands for HAProxy."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from rancherctl.ingress.haproxy import plan, render
from rancherctl.ingress.haproxy.layout import Layout, build, routes_of
from rancherctl.ingress.haproxy.maps import PORT_MAPS
from rancherctl.ingress.model import Model, Server, Translated, http_listeners, https_listeners
from rancherctl.ingress.operator.http_check import checks_for
from rancherctl.ingress.options import DEFAULT_PORTS
from rancherctl.ingress.role import desired, loss_guard
from rancherctl.ingress.role.desired import LocalHost, Previous, Tables
from rancherctl.ingress.role.ports import PortCheck
from rancherctl.ingress.tls_model import TlsModel
from rancherctl.ingress.translate.cache import TranslationCache
from rancherctl.ingress.translate.certificates import TlsPolicy
from rancherctl.ingress.translate.merge import merge
from rancherctl.ingress.translate.ports import MAX_OWN_PORTS
from rancherctl.ingress.translate.rules import translate
from rancherctl.ingress.translate.secret_states import SecretState
from rancherctl.placement.model import EVERY_PORT, Roster, RosterHost
from rancherctl.placement.place import place
from tests.fakes import ingress as fake

PATHS = render.Paths(data="/d", run="/r")
LISTENERS = (*http_listeners(80, ["IPv4"]), *https_listeners(443, ["IPv4"]))
OWN: dict[str, Any] = {"http.port": "8080", "https.port": "8443"}


def made(name: str, host: str = "a.com", path: str = "/", day: int = 1, **annotations: str) -> Any:
    notes = {key.replace("_", "."): text for key, text in annotations.items()}
    rules = [(host, "Prefix", path, f"{name}:80")]
    created = f"2026-01-{day:02}T00:00:00Z"
    return fake.ingress(name, rules, annotations=notes, created=created, tls=[(f"s-{name}", [host] if host else [])])


def owners(*ingresses: Any) -> tuple[dict[str, str], dict[str, list[str]]]:
    """The owner of each site with path, and the reasons of problems."""
    merged = merge({t.key: t for t in map(translate, ingresses)})
    found = {f"{host}{path}": key.partition("/")[2] for (host, _, path), (key, _) in merged.owners.items()}
    return found, {key.partition("/")[2]: [p.reason for p in problems] for key, problems in merged.problems.items()}


def model_of(*ingresses: Any, policy: TlsPolicy | None = None) -> Model:
    """The model of the host h1, on which all of them are placed."""
    secrets = {f"default/s-{i.meta.name}": SecretState(f"c{i.meta.name}") for i in ingresses}
    services = {s.meta.key: s for s in (fake.service(i.meta.name) for i in ingresses)}
    slices = [fake.endpoint_slice(i.meta.name, [("10.0.0.1", 80)]) for i in ingresses]
    tables = Tables(
        {i.meta.key: i for i in ingresses}, {"rancher": fake.RANCHER}, services, {s.meta.key: s for s in slices}
    )
    tables = Tables(tables.ingresses, tables.classes, services, tables.slices, secrets=secrets)
    host = LocalHost("h1", LISTENERS, tls=policy or TlsPolicy())
    built = desired.build(tables, fake.roster("h1"), Previous(), TranslationCache(), host, 0.0)
    return PortCheck(lambda _: "").free(built.host.model, ())


def maps(model: Model) -> Mapping[str, Mapping[str, str]]:
    return {name: entries for name, entries in build(model, None).maps.items() if entries}


def test_paths_are_claimed_for_each_port() -> None:
    found, problems = owners(made("usual"), made("other", day=2, **OWN))
    assert found == {"a.com/": "usual", "a.com:8080/": "other", "a.com:8443/": "other"}
    assert problems == {}


def test_the_default_ports_are_one_site_until_an_ingress_has_only_one_of_them() -> None:
    secure = made("secure", day=2, allow_http="false")
    assert owners(made("usual"), secure) == (
        {"a.com/": "usual", "a.com:443/": "usual"},
        {"secure": ["PathTaken"], "usual": ["PathShared"]},
    )
    assert owners(made("usual", day=3), secure)[0] == {"a.com/": "usual", "a.com:443/": "secure"}
    assert owners(made("usual"), made("plain", day=2, path="/x", https_port="8443"))[0] == {
        "a.com/": "usual",
        "a.com:443/": "usual",
        "a.com/x/": "plain",
        "a.com:8443/x/": "plain",
    }
    assert owners(made("usual", host="b.com"), secure)[0] == {"b.com/": "usual", "a.com:443/": "secure"}


def test_the_oldest_ingress_chooses_the_protocol_of_a_port() -> None:
    found, problems = owners(
        made("secure", day=2, https_port="9000"), made("plain", host="b.com", day=1, http_port="9000")
    )
    assert found == {"b.com:9000/": "plain", "b.com:443/": "plain", "a.com/": "secure"}
    assert problems == {"secure": ["PortTaken"]}


def test_an_environment_has_a_limited_number_of_ports() -> None:
    many = [made(f"i{n}", host=f"h{n}.com", day=1 + n // 10, http_port=str(9000 + n)) for n in range(MAX_OWN_PORTS + 2)]
    found, problems = owners(*many)
    assert sum(":90" in site for site in found) == MAX_OWN_PORTS
    assert list(problems.values()) == [["TooManyPorts"]] * 2
    again = made("again", host="again.com", day=20, http_port="9000")
    assert owners(*many, again)[0]["again.com:9000/"] == "again"


def test_ports_change_the_content_hash_and_default_ones_do_not() -> None:
    plain, *others = (
        translate(made("a", **notes)).hash
        for notes in ({}, OWN, {"http.port": "8080"}, {"https.port": "8443"}, {"allow.http": "false"})
    )
    assert len({plain, *others}) == 5
    assert translate(made("a", http_port="80", https_port="443", allow_http="true")).hash == plain


@pytest.mark.parametrize(
    ("notes", "tls", "needed"),
    [
        ({}, False, (80,)),
        ({}, True, (80, 443)),
        (OWN, False, (8080,)),
        (OWN, True, (8080, 8443)),
        ({"allow.http": "false"}, True, (443,)),
        ({"allow.http": "false"}, False, (443,)),
        ({"http.port": "22"}, True, (443,)),
        ({"http.port": "22", "https.port": "22"}, True, ()),
    ],
)
def test_a_host_needs_the_ports_of_an_ingress_to_carry_it(
    notes: Mapping[str, str], tls: bool, needed: tuple[int, ...]
) -> None:
    rules = [("a.com", "Prefix", "/", "a:80")]
    t = translate(fake.ingress("a", rules, annotations=notes, tls=[("s", ["a.com"])] if tls else []))
    assert t.for_placement.ports == needed
    assert bool(t.obstacle) == (not needed)


def test_placement_avoids_hosts_whose_port_is_taken() -> None:
    usual, own = translate(made("usual")), translate(made("own", **OWN))

    def hosts(t: Translated, blocked: tuple[int, ...]) -> tuple[str, ...]:
        free = RosterHost("h2", "192.0.2.2")
        return place(t.for_placement, Roster(1, 1, (RosterHost("h1", "192.0.2.1", blocked=blocked), free))).hosts

    wanted: dict[str, Any] = {"scale": "2"}
    usual, own = translate(made("usual", **wanted)), translate(made("own", **OWN, **wanted))
    assert (hosts(usual, (8443,)), hosts(own, (8443,))) == (("h1", "h2"), ("h2",))
    assert (hosts(usual, (80,)), hosts(own, (80,))) == (("h2",), ("h1", "h2"))
    assert (hosts(usual, (EVERY_PORT, 80)), hosts(own, (EVERY_PORT, 80))) == (("h2",), ("h2",))


def test_a_host_listens_on_the_ports_in_use() -> None:
    def ports(*ingresses: Any) -> list[tuple[int, str, bool]]:
        return [(x.port, x.protocol, x.own) for x in model_of(*ingresses).listeners]

    default = [(80, "http", False), (443, "https", False)]
    own = [(8080, "http", True), (8443, "https", True)]
    assert ports() == []
    assert ports(made("usual")) == default
    assert ports(made("usual"), made("own", host="b.com", **OWN)) == [*default, *own]
    assert ports(made("own", **OWN)) == own
    assert ports(made("own", http_port="8080")) == [*default, own[0]]
    assert ports(made("own", https_port="8443", allow_http="false")) == [*default, own[1]], "80 says 404"


def test_nothing_of_this_is_rendered_without_such_an_ingress() -> None:
    layout = build(model_of(made("usual"), made("other", host="b.com")), None)
    assert not layout.own_ports
    texts = render.files(layout, PATHS)
    assert not {PATHS.map(name) for name in PORT_MAPS} & texts.keys()
    assert [path for path in texts if path.endswith(".list")] == ["/d/certificates.list"]
    assert not any(re.search(r"concat\(:[0-9]|tls-tiers|https-ports|txn\.any", text) for text in texts.values())
    own = render.files(replace(layout, own_ports=True), PATHS)[PATHS.config].splitlines()
    more = [line for line in own if line not in texts[PATHS.config].splitlines()]
    assert all(re.search(r"tls-tiers|https-ports|txn\.any|any_host", line) for line in more), "and nothing else changes"
    assert not {"needed_ports", *PORT_MAPS} & {*layout.to_json(), *layout.to_json()["maps"]}


def test_sites_of_a_port_are_in_the_same_maps_with_the_port() -> None:
    usual, own = made("usual", path="/u"), made("own", day=2, **OWN)
    wild = made("wild", host="*.w.com", day=3, http_port="8080")
    anywhere = made("any", host="", day=4, allow_http="false")
    found = maps(model_of(usual, own, wild, anywhere))
    assert found["hosts"] == {"a.com": "a.com", "a.com:8080": "a.com:8080", "a.com:8443": "a.com:8443"}
    assert found["wildcards"] == {"w.com": "*.w.com", "w.com:8080": "*.w.com:8080"}
    assert found["tls-tiers"] == {"*.w.com": "*.w.com:443", "*": "*:443"}
    assert found["prefix"].keys() == {
        "a.com/u/",
        "a.com:8080/",
        "a.com:8443/",
        "*.w.com:8080/",
        "*.w.com:443/",
        "*:443/",
    }
    assert found["secured"].keys() == {"a.com", "a.com:8443", "*.w.com:443"}
    assert found["to-https"].keys() == {"a.com", "a.com:8080", "*.w.com:8080"}
    assert found["https-ports"] == {"a.com:8080": ":8443"}


def test_a_redirect_leads_to_a_port_that_is_open() -> None:
    model = model_of(made("own", **OWN), made("usual", host="b.com"))
    assert (model.tls.redirects, model.tls.https_ports) == ({"a.com:8080": 308, "b.com": 308}, {"a.com:8080": 8443})
    busy = PortCheck(lambda x: "in use" if x.port == 8443 else "").free(model, ())
    assert (busy.tls.redirects, busy.tls.https_ports) == ({"b.com": 308}, {})
    assert busy.tls.names.keys() == {"b.com"}
    assert model_of(made("own", **OWN), policy=TlsPolicy(redirect=False)).tls.redirects == {}
    none = PortCheck(lambda x: "in use" if x.protocol == "https" else "").free(model, ())
    assert none.tls == TlsModel()


def test_an_ingress_on_a_known_port_needs_only_commands() -> None:
    now = build(model_of(made("usual", host="u.com"), made("own", **OWN)), None)
    decision = plan.plan(
        now, model_of(made("usual", host="u.com"), made("own", **OWN), made("b", "b.com", **OWN)), PATHS
    )
    assert isinstance(decision, plan.Runtime)
    assert [command.text for command in decision.commands if " map " in command.text] == [
        "add map /d/ingress.map <<\nb3 default/b\n",
        "add map /d/https-ports.map <<\nb.com:8080 :8443\n",
        "add map /d/to-https.map <<\nb.com:8080 308\n",
        "add map /d/secured.map <<\nb.com:8443 1\n",
        "add map /d/prefix.map <<\nb.com:8080/ b3\nb.com:8443/ b3\n",
        "add map /d/hosts.map <<\nb.com:8080 b.com:8080\nb.com:8443 b.com:8443\n",
    ]
    assert [(line.content, line.names, line.port) for line in decision.certificates.add] == [("cb", ("b.com",), 8443)]


def test_only_the_first_such_ingress_and_a_new_port_need_a_reload() -> None:
    usual, closed = made("usual"), made("closed", host="b.com", allow_http="false")
    now = build(model_of(usual), None)
    first = plan.plan(now, model_of(usual, closed), PATHS)
    assert isinstance(first, plan.Reload)
    assert first.reason == "the first Ingress with other ports than the default ones"
    now = first.layout
    assert isinstance(plan.plan(now, model_of(usual, closed), PATHS), plan.Unchanged)
    without = plan.plan(now, model_of(usual), PATHS)
    assert isinstance(without, plan.Runtime)
    added = plan.plan(without.layout, model_of(usual, closed, made("own", host="c.com", **OWN)), PATHS)
    assert isinstance(added, plan.Reload)
    assert added.reason.endswith("→ http-ipv4-80, https-ipv4-443, http-ipv4-8080, https-ipv4-8443")
    gone = plan.plan(added.layout, model_of(usual), PATHS)
    assert isinstance(gone, plan.Runtime)
    assert gone.layout.listeners == added.layout.listeners, "until the next process"
    assert isinstance(plan.plan(gone.layout, Model(), PATHS), plan.Reload), "nothing is placed here any more"
    other = plan.plan(added.layout, model_of(usual, made("own", host="c.com", http_port="8081")), PATHS)
    assert isinstance(other, plan.Reload)
    assert {x.port for x in other.layout.listeners} == {80, 443, 8081}
    swapped = plan.plan(added.layout, model_of(usual, made("own", host="c.com", https_port="8080")), PATHS)
    assert isinstance(swapped, plan.Reload)
    assert [(x.port, x.protocol) for x in swapped.layout.listeners if x.own] == [(8080, "https")]


def test_a_name_gets_other_rules_over_tls_without_a_moment_between() -> None:
    """Rules come before the entry that leads to them."""
    usual, other = made("usual"), made("x", host="b.com", day=2, allow_http="false")
    now = build(model_of(usual, other), None)
    more = made("secure", path="/s", day=3, allow_http="false")
    decision = plan.plan(now, model_of(usual, other, more), PATHS)
    assert isinstance(decision, plan.Runtime)
    assert [command.text for command in decision.commands if " map " in command.text] == [
        "add map /d/ingress.map <<\nb3 default/secure\n",
        "add map /d/secured.map <<\na.com:443 1\n",
        "add map /d/prefix.map <<\na.com:443/ b1\na.com:443/s/ b3\n",
        "add map /d/tls-tiers.map <<\na.com a.com:443\n",
        "del map /d/secured.map a.com",
    ]


def test_a_layout_is_read_from_its_json_and_gives_its_routes() -> None:
    anywhere = made("any", host="", http_port="8080")
    model = model_of(made("usual"), made("own", day=2, **OWN), anywhere)
    layout = build(model, None)
    read = Layout.from_json(json.loads(json.dumps(layout.to_json())), ("IPv4",))
    assert read == layout
    assert {(r.host, r.path) for r in routes_of(read)} == {(r.host, r.path) for r in model.routes}
    default = fake.ingress("d", default="d:80", annotations={"http.port": "8080"})
    routes = routes_of(build(model_of(default), None))
    assert {(r.host, r.kind) for r in routes} == {("*:8080", "default"), ("*:443", "default")}


def test_a_mass_loss_keeps_ports_certificates_and_redirects() -> None:
    now = build(model_of(made("usual"), made("own", day=2, **OWN)), None)
    kept = loss_guard.without_removals(now, model_of(made("usual")))
    assert kept.tls.names == {"a.com": ("cusual",), "a.com:8443": ("cown",)}
    assert kept.tls.https_ports == {"a.com:8080": 8443}
    assert {x.port for x in kept.listeners} == {80, 443, 8080, 8443}
    assert kept.ports == {"default/own": (8080, 8443)}
    decision = plan.plan(now, kept, PATHS)
    assert isinstance(decision, plan.Unchanged), decision


def test_an_ingress_that_no_host_can_carry_leaves_its_neighbours_alone() -> None:
    notes = {"allow.http": "false", "io.rancher.scheduler.affinity.host_label": "=x"}
    broken = fake.ingress("broken", [("a.com", "Prefix", "/", "web:80")], annotations=notes)
    assert translate(broken).obstacle
    model = model_of(made("usual"), broken)
    assert "tls-tiers" not in maps(model)
    assert maps(model)["secured"] == {"a.com": "1"}
    assert translate(broken).ports != DEFAULT_PORTS
    assert model.servers == {"default/usual:80": (Server("10.0.0.1", 80),)}


def test_ports_of_the_environment_are_not_given_to_ingresses() -> None:
    """Also while nothing listens there, as during a restart of ssh."""
    model = model_of(made("own", http_port="2222"), made("usual", host="b.com"))
    check = PortCheck(lambda _: "", {2222, 80})
    found = check.free(model, model.listeners)
    assert {x.port for x in found.listeners} == {80, 443}
    assert check.by_port()["2222"] == "port 2222: reserved in this environment"
    assert check.by_port()["80"] == ""


def test_an_address_is_checked_on_the_ports_of_the_ingress() -> None:
    def checks(**notes: Any) -> list[tuple[str, str, int, bool]]:
        found = checks_for(translate(made("a", path="/x", **notes)), ["192.0.2.1"])
        return [(c.host, c.path, c.port, c.tls) for c in found]

    assert checks() == [("a.com", "/x", 80, False)]
    assert checks(http_port="8080", https_port="8443") == [("a.com:8080", "/x", 8080, False)]
    assert checks(https_port="8443") == [("a.com", "/x", 80, False)]
    assert checks(allow_http="false") == [("a.com", "/x", 443, True)]
    assert checks(allow_http="false", https_port="8443") == [("a.com:8443", "/x", 8443, True)]
