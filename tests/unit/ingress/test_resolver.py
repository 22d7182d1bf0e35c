"""Names behind ExternalName Services, resolved in the background."""

from __future__ import annotations

import threading

from rancherctl.ingress.role.resolver import Resolver


def test_the_last_good_answer_is_kept_and_a_changed_one_wakes_the_role() -> None:
    now = [0.0]
    answers: list[tuple[str, ...] | OSError] = [("10.1.1.1",), OSError("down"), ("10.1.1.2",)]
    woken = threading.Event()

    def lookup(name: str) -> tuple[str, ...]:
        answer = answers.pop(0)
        if isinstance(answer, OSError):
            raise answer
        return answer

    resolver = Resolver(lookup, lambda: now[0], first_wait=5.0)
    resolver.changed = woken.set
    assert resolver.addresses(["x"]) == {"x": ("10.1.1.1",)}
    while len(answers) > 1:
        now[0] += 11
        assert resolver.addresses(["x"]) == {"x": ("10.1.1.1",)}
    while not woken.is_set():
        now[0] += 11
        resolver.addresses(["x"])
        woken.wait(0.01)
    assert resolver.addresses(["x"]) == {"x": ("10.1.1.2",)}


def test_a_first_answer_that_comes_late_wakes_the_role() -> None:
    """The reconcile did not wait for it, and the next one would come seconds later."""
    answer, woken = threading.Event(), threading.Event()

    def lookup(name: str) -> tuple[str, ...]:
        answer.wait(10)
        return ("10.1.1.1",)

    resolver = Resolver(lookup, lambda: 0.0, first_wait=0.0)
    resolver.changed = woken.set
    assert resolver.addresses(["x"]) == {"x": ()}
    answer.set()
    assert woken.wait(10)
    assert resolver.addresses(["x"]) == {"x": ("10.1.1.1",)}
