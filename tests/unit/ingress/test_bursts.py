"""How long a reload waits for others of its burst: not at all if its change has come alone."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from rancherctl.contract import STATUS_ANNOTATION
from rancherctl.ingress.role.bursts import LONGEST, QUIET, Bursts, Ingresses, differ
from tests.fakes import ingress as fake

RULES = [("a.com", "Prefix", "/", "web:80")]


def table(*names: str) -> Ingresses:
    return {f"default/{name}": fake.ingress(name, RULES) for name in names}


class Arrivals:
    """Bursts, the time, and what the watch has delivered."""

    def __init__(self) -> None:
        self.now, self.delivered = 100.0, table("first")
        self.bursts = Bursts(lambda: self.now)
        self.bursts.newest = lambda: self.delivered

    def left(self, known: Sequence[str], seconds: float = 0.0) -> float:
        """A decision so many seconds later, made from these Ingresses."""
        self.now += seconds
        self.bursts.begin({key: i for key, i in self.delivered.items() if i.meta.name in known})
        return self.bursts.left(dict.fromkeys(known, "hash"))


def test_a_change_that_comes_alone_does_not_wait() -> None:
    arrivals = Arrivals()
    assert arrivals.left(["first"]) <= 0
    arrivals.delivered = table("first", "second")
    assert arrivals.left(["first", "second"]) <= 0
    arrivals.bursts.newest = None
    assert arrivals.left(["first"]) <= 0, "nothing to ask"


def test_it_waits_while_others_come_and_a_moment_longer() -> None:
    arrivals = Arrivals()
    arrivals.delivered = table("a", "b", "c")
    assert arrivals.left(["a"]) == pytest.approx(QUIET)
    assert arrivals.left(["a", "b"], 0.06) == pytest.approx(QUIET), "one has come, another one is there already"
    assert arrivals.left(["a", "b", "c"], 0.06) == pytest.approx(QUIET), "one has come"
    assert arrivals.left(["a", "b", "c"], 0.06) == pytest.approx(QUIET - 0.06)
    assert arrivals.left(["a", "b", "c"], QUIET - 0.06) == pytest.approx(0, abs=1e-9)
    arrivals.bursts.end()
    assert arrivals.left(["a", "b", "c"]) <= 0


def test_a_burst_that_does_not_end_delays_it_for_a_limited_time() -> None:
    arrivals = Arrivals()
    arrivals.delivered = table("a", "b")
    waits = [arrivals.left(["a"], 0.05) for _ in range(8)]
    assert waits[0] == pytest.approx(QUIET)
    assert waits[6] == pytest.approx(LONGEST - 6 * 0.05, abs=1e-9)
    assert waits[7] < 0
    arrivals.bursts.end()
    assert arrivals.left(["a"]) == pytest.approx(QUIET), "the next one"


def test_others_that_come_while_a_reload_is_prepared_are_waited_for_once() -> None:
    arrivals = Arrivals()
    assert arrivals.left(["first"]) <= 0
    arrivals.bursts.end()
    arrivals.now += 0.05
    assert not arrivals.bursts.overtaken(), "it has come alone"
    arrivals.delivered = table("first", "second")
    assert arrivals.bursts.overtaken()
    assert arrivals.left(["first"]) == pytest.approx(QUIET)
    assert arrivals.left(["first", "second"], QUIET) == pytest.approx(QUIET)
    assert arrivals.left(["first", "second"], QUIET) <= 1e-9
    arrivals.bursts.end()
    arrivals.delivered = table("first", "second", "third")
    assert not arrivals.bursts.overtaken(), "the next reload has that"
    assert arrivals.left(["first", "second"]) == pytest.approx(QUIET)


def test_the_time_of_a_burst_begins_with_the_decision_and_a_long_preparation_is_not_repeated() -> None:
    arrivals = Arrivals()
    assert arrivals.left(["first"]) <= 0
    arrivals.bursts.end()
    arrivals.delivered = table("first", "second")
    arrivals.now += LONGEST - QUIET - 0.01
    assert arrivals.bursts.overtaken()
    assert arrivals.left(["first"], 0.05) == pytest.approx(QUIET + 0.01 - 0.05)
    arrivals.bursts.end()
    arrivals.delivered = table("first")
    assert arrivals.left(["first"]) <= 0
    arrivals.bursts.end()
    arrivals.delivered = table("first", "second")
    arrivals.now += LONGEST - QUIET + 0.01
    assert not arrivals.bursts.overtaken()


def test_statuses_and_order_make_no_difference() -> None:
    plain = table("a", "b")
    status = fake.ingress("a", RULES, status=["10.0.0.1"], annotations={STATUS_ANNOTATION: "{}"}, version="2")
    assert not differ(plain, {"default/b": plain["default/b"], "default/a": status})
    for other in (
        fake.ingress("a", [("b.com", "Prefix", "/", "web:80")], version="2"),
        fake.ingress("a", RULES, annotations={"scale": "2"}, version="2"),
        fake.ingress("a", RULES, class_name="other", version="2"),
        fake.ingress("a", RULES, default="web:80", version="2"),
        fake.ingress("a", RULES, tls=[("s", ["a.com"])], version="2"),
    ):
        assert differ(plain, {**plain, "default/a": other})
    assert differ(plain, table("a"))
    assert differ(plain, table("a", "b", "c"))
    assert differ(plain, table("a", "c"))
