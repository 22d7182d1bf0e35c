from __future__ import annotations

import json
from dataclasses import replace

from rancherctl.change import Unknown
from rancherctl.environments.health import CertificateStatus, EnvironmentStatus, HostHealth, UnitStatus
from rancherctl.environments.plan import EnvironmentPlan, PhasePlan, Step
from rancherctl.environments.reconcile import AppliedEnvironment
from rancherctl.environments.removal.remove import Removed
from rancherctl.output.environment_status import status_item, status_record
from rancherctl.output.environments import applied_record, plan_record, removed_listing
from rancherctl.output.render import render
from rancherctl.output.results import Record

PLAN = EnvironmentPlan(
    "demo",
    (
        PhasePlan(
            "packages",
            "packages and folders",
            (Step("h1", "package", "install", "haproxy"), Step("h2", "package", "install", "haproxy")),
        ),
        PhasePlan(
            "nodes",
            "kubelet",
            (
                Step("h1", "file", "create", "/etc/new", ("new line",)),
                Step("h1", "file", "change", "/etc/old", ("-a", "+b\x1b[31m")),
                Step("h1", "unit", "restart", "rancherctl-kubelet.service", ("restart: /etc/old",)),
            ),
        ),
        PhasePlan("objects", "rights", (Step("", "Namespace", "create", "rancherctl-system"),)),
    ),
    (Unknown("h3", "no answer"),),
)
LONG = EnvironmentPlan(
    "demo",
    (
        PhasePlan(
            "nodes",
            "kubelet",
            tuple(Step(f"h{h}", "file", "create", f"/etc/f{n}") for h in (1, 2, 3, 4) for n in range(9)),
        ),
        PhasePlan(
            "agents", "agent", tuple(Step(f"h{h}", "unit", "start", "rancherctl-dns.service") for h in (2, 3, 4))
        ),
        PhasePlan("objects", "rights", (Step("", "Namespace", "create", "rancherctl-system"),)),
    ),
)
GOOD = HostHealth(
    "h1", "10.0.0.1", ("worker",), True, ready=True, version="v1",
    units=(UnitStatus("rancherctl-kubelet", True, True),),
    certificates=(CertificateStatus("kubelet", 300.0), CertificateStatus("agent", 12.4)),
    load_balancer=True, alive=True,
)  # fmt: skip
LOST = HostHealth("h2", "10.0.0.2", ("worker",), False, "no route to host")


def text_of(record: Record) -> str:
    assert record.text is not None
    return record.text


def test_a_plan_is_shown_by_phase_and_host() -> None:
    lines = text_of(plan_record(PLAN)).splitlines()
    assert lines[:3] == ["packages: packages and folders", "  h1, h2", "    + install package haproxy"]
    assert "? h3: unknown (no answer)" in lines
    at = lines.index("    * restart unit rancherctl-kubelet.service")
    assert lines[at + 1] == "        restart: /etc/old"
    assert "  API" in lines
    assert lines[-1].startswith("demo: 1 to change, 2 to create, 2 to install, 1 to restart on 2 hosts (plan ")


def test_differences_of_files_are_shown_without_control_characters() -> None:
    text = text_of(plan_record(PLAN))
    assert "        -a\n        +b\\x1b[31m\n" in text
    assert "new line" not in text
    assert "new line" in text_of(plan_record(PLAN, wide=True))


def test_hosts_with_different_details_are_shown_separately() -> None:
    steps = (Step("h1", "file", "change", "/etc/x", ("-a", "+b")), Step("h2", "file", "change", "/etc/x", ("-a", "+c")))
    text = text_of(plan_record(EnvironmentPlan("demo", (PhasePlan("nodes", "kubelet", steps),))))
    assert text.count("~ change file /etc/x") == 2
    assert "  h1\n" in text
    assert "  h2\n" in text


def test_a_long_plan_ends_with_its_numbers() -> None:
    assert text_of(plan_record(LONG)).splitlines()[-5:-1] == [
        "HOSTS        FILES   UNITS   OBJECTS",
        "h1           9       -       -",
        "h2, h3, h4   9       1       -",
        "API          -       -       1",
    ]


def test_many_hosts_with_the_same_numbers_are_named_by_the_first() -> None:
    steps = tuple(Step(f"h{n:02}", "file", "create", "/etc/a") for n in range(1, 31))
    text = text_of(plan_record(EnvironmentPlan("demo", (PhasePlan("nodes", "kubelet", steps),))))
    assert "h01, h02, h03 and 27 more   1\n" in text
    assert ", h30\n" in text, "the steps themselves name all of them"


def test_an_apply_reports_numbers_and_on_request_every_step() -> None:
    short = applied_record(AppliedEnvironment(None, LONG, "https://s", "", seconds=3.21))  # type: ignore[arg-type]
    assert text_of(short).startswith("HOSTS ")
    assert text_of(short).splitlines()[-1].startswith("demo: 37 created, 3 started on 4 hosts (plan ")
    whole = AppliedEnvironment(None, LONG, "https://s", "")  # type: ignore[arg-type]
    assert "+ create file /etc/f8" in text_of(applied_record(whole, wide=True))
    value = json.loads(render(short, "json"))
    assert value["seconds"] == 3.2
    assert value["server"] == "https://s"
    assert {k: v for k, v in value.items() if k not in ("seconds", "server")} == json.loads(
        render(plan_record(LONG), "json")
    )


def test_an_apply_of_few_steps_names_them() -> None:
    plan = EnvironmentPlan(
        "demo", (PhasePlan("nodes", "kubelet", (Step("h1", "unit", "start", "rancherctl-kubelet.service"),)),)
    )
    assert (
        "    * start unit rancherctl-kubelet.service\n"
        in text_of(applied_record(AppliedEnvironment(None, plan, "s", "")))  # type: ignore[arg-type]
    )


def test_hosts_that_failed_are_in_what_an_apply_reports() -> None:
    applied = AppliedEnvironment(None, PLAN, "s", "", failures={"h1": "h1: disk full", "h3": "h3: no answer"})  # type: ignore[arg-type]
    value = json.loads(render(applied_record(applied), "json"))
    assert value["errors"] == [{"where": "h1", "message": "disk full"}, {"where": "h3", "message": "no answer"}]
    assert "1 to change" in text_of(applied_record(applied)), "not all of it was done"


def test_nothing_to_do_is_one_line() -> None:
    assert text_of(plan_record(EnvironmentPlan("demo"))) == "demo: nothing to do\n"


def test_a_plan_in_json_has_every_step_and_what_is_unknown() -> None:
    value = json.loads(render(plan_record(PLAN), "json"))
    assert value["kind"] == "EnvironmentPlan"
    assert value["digest"] == PLAN.digest()
    assert [step["name"] for phase in value["phases"] for step in phase["steps"]][:3] == [
        "haproxy",
        "haproxy",
        "/etc/new",
    ]
    assert value["errors"] == [{"where": "h3", "message": "no answer"}]


def test_status_shows_the_problems_of_every_host() -> None:
    record = status_record(
        EnvironmentStatus("demo", "1.36.3", "https://10.0.0.1:6443", "ok", (GOOD, LOST), leader="h1")
    )
    assert text_of(record).startswith("demo is degraded: Kubernetes 1.36.3, API https://10.0.0.1:6443 ok, leader h1\n")
    assert "problem: h1: certificate agent has 12 days left\n" in text_of(record)
    assert "problem: h2: cannot be reached: no route to host\n" in text_of(record)
    row = next(line for line in text_of(record).splitlines() if line.startswith("h2"))
    assert " ? " in row


def test_a_job_that_failed_is_a_problem_with_its_remedy() -> None:
    job = "rancherctl-certificates"
    host = replace(
        GOOD,
        certificates=(),
        failed=(job, "rancherctl-kubelet"),
        units=(UnitStatus("rancherctl-kubelet", False, True),),
    )
    assert host.problems() == (
        "rancherctl-kubelet is not running",
        (
            f"{job} failed: certificates are not renewed here (rancherctl env apply renews what is due); "
            f"see journalctl -u {job} on the host"
        ),
    )


def test_a_node_that_is_not_ready_says_why() -> None:
    assert replace(GOOD, certificates=(), ready=False, trouble="cni plugin not initialized").problems() == (
        "Node is not Ready: cni plugin not initialized",
    )


def test_certificates_that_only_an_apply_renews_are_a_problem_in_time() -> None:
    peer, server = CertificateStatus("etcd-peer", 200.0, 90.5), CertificateStatus("etcd-server", 150.0, 40.5)
    etcd = replace(GOOD, roles=("etcd",), certificates=(CertificateStatus("kube-proxy", 5000.0), peer, server))
    assert (
        etcd.apply_due()
        == "certificates etcd-peer, etcd-server are renewed by `rancherctl env apply` only, next in 40 days"
    )
    assert etcd.problems() == ()
    late = replace(etcd, certificates=(replace(server, days=60.0, apply_in=0.0),))
    assert late.apply_due().endswith("only, next now, 60 days before they expire")
    ending = replace(etcd, certificates=(replace(server, days=12.0, apply_in=0.0),))
    assert ending.problems() == ("certificate etcd-server has 12 days left (rancherctl env apply renews it)",)
    assert (ending.apply_due(), GOOD.apply_due()) == ("", "")


def test_drift_is_shortened_in_text_and_complete_in_json() -> None:
    status = EnvironmentStatus("demo", "1", "s", "ok", (GOOD,), drift=tuple(f"h1: change file {n}" for n in range(30)))
    assert "drift: and 20 more (rancherctl env plan demo)" in text_of(status_record(status))
    assert "drift: h1: apply would change file 29" in text_of(status_record(status, wide=True))
    assert len(json.loads(render(status_record(status), "json"))["drift"]) == 30


def test_the_same_drift_of_many_hosts_is_one_line() -> None:
    status = EnvironmentStatus(
        "demo", "1", "s", "ok", (GOOD,), drift=("h1: create file /a", "h2: start unit b", "h3: create file /a")
    )
    assert "drift: h1, h3: apply would create file /a\ndrift: h2: apply would start unit b\n" in text_of(
        status_record(status)
    )


def test_an_api_that_is_down_is_the_first_problem() -> None:
    text = text_of(status_record(EnvironmentStatus("demo", "1", "https://s", "no answer", (LOST,))))
    assert text.startswith("demo is down: ")
    assert "not answering" in text.splitlines()[0]
    assert next(line for line in text.splitlines() if line.startswith("problem")) == "problem: API https://s: no answer"


def test_remains_of_a_removal_are_a_failure_of_their_host() -> None:
    listing = removed_listing(Removed("demo", {"h1": ("a", "b"), "h2": ("a",)}, {"h1": (), "h2": ("nft table x",)}))
    assert render(listing).splitlines() == ["HOST   REMOVED   LEFT", "h1     2         0", "h2     1         1"]
    assert [(f.where, f.what) for f in listing.failures] == [("h2", "remaining: nft table x")]


def test_status_says_what_to_do_next() -> None:
    stopped = replace(
        GOOD,
        name="h3",
        ready=False,
        units=(UnitStatus("rancherctl-kubelet", False, True), UnitStatus("rancherctl-ingress", False, True)),
    )
    silent = replace(GOOD, name="h4", alive=False, ready=False)
    status = EnvironmentStatus(
        "demo", "1", "s", "ok", (GOOD, LOST, stopped, silent), drift=("h3: start unit rancherctl-kubelet.service",)
    )
    assert status.remedies() == (
        "check power, network and sshd of h2 (10.0.0.2), then: rancherctl env apply demo",
        "rancherctl env apply demo starts stopped units and corrects drift",
        "if it stops again, see journalctl -n 50 -u rancherctl-kubelet on h3",
        "if it stops again, see journalctl -n 50 -u rancherctl-ingress on h3",
        "if it stops again, see journalctl -n 50 -u rancherctl-agent on h4",
        "to see why a Node is not Ready: rancherctl kubectl --env demo describe node h4",
    )
    text = text_of(status_record(status))
    assert "next: rancherctl env apply demo starts" in text
    assert json.loads(render(status_record(status), "json"))["next"] == list(status.remedies())
    assert EnvironmentStatus("demo", "1", "s", "ok", (GOOD,)).remedies() == ()
    bare = replace(GOOD, units=tuple(UnitStatus(f"rancherctl-{n}", False, False) for n in "abcd"))
    half = EnvironmentStatus("demo", "1", "s", "ok", (bare, replace(bare, name="h2")))
    assert half.remedies()[1:] == ("if they stop again, see journalctl -n 50 -u UNIT on their hosts",)
    assert "problem: h1, h2: rancherctl-a, rancherctl-b, rancherctl-c, rancherctl-d are not running\n" in text_of(
        status_record(half)
    )
    assert EnvironmentStatus("demo", "1", "https://s", "no answer", (GOOD,)).remedies() == (
        "check that https://s can be reached, from here or through ssh",
    )


def test_an_agent_that_starts_is_shown_as_such() -> None:
    young = EnvironmentStatus("demo", "1", "s", "ok", (replace(GOOD, alive=False, starting=True, certificates=()),))
    assert (young.healthy, young.remedies()) == (True, ())
    assert " starting " in text_of(status_record(young))
    assert status_item(young)["hosts"][0]["starting"] is True


def test_a_load_balancer_that_does_not_run_is_not_shown_as_one_that_does() -> None:
    def cell(host: HostHealth) -> str:
        lines = text_of(status_record(EnvironmentStatus("demo", "1", "s", "ok", (host,)))).splitlines()
        head = next(line for line in lines if line.startswith("HOST"))
        return lines[lines.index(head) + 1][head.index("LB") :].split()[0]

    runs = (UnitStatus("rancherctl-ingress", True, True),)
    assert cell(replace(GOOD, units=runs)) == "up"
    assert cell(replace(GOOD, units=(UnitStatus("rancherctl-ingress", False, True),))) == "down"
    assert cell(replace(GOOD, units=runs, load_balancer=False)) == "-"
    assert cell(replace(LOST, load_balancer=True)) == "?"


def test_the_table_of_a_status_fits_a_terminal_of_80_columns() -> None:
    units = tuple(UnitStatus(f"rancherctl-{n}", n > 0, True) for n in range(15))
    host = replace(
        GOOD,
        address="192.168.100.111",
        ready=None,
        alive=None,
        units=units,
        drift=12,
        certificates=(CertificateStatus("a", 3650.0),),
    )
    lines = text_of(status_record(EnvironmentStatus("demo", "1", "s", "ok", (host,)))).splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("HOST"))
    assert max(len(line) for line in lines[start : start + 2]) <= 80
