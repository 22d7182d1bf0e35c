"""Ingresses that ask for nonsense: a clear message on the object, and nothing broken elsewhere."""

import pytest

from tests.lab import workloads as w
from tests.lab.support import CommandError, Environment, curl, until


@pytest.fixture
def good(shared: Environment, namespace: str) -> str:
    """A Service `web` and a healthy Ingress on all hosts, which must stay healthy whatever else is applied; gives its host name."""
    w.web(shared, namespace, 1)
    host = f"good.{w.host(namespace)}"
    shared.apply(w.ingress(namespace, "good", host, "web", scale="4"))
    w.published(shared, namespace, "good", 4)
    return host


def everywhere(env: Environment, host: str) -> list[int]:
    """Status codes of one host name at every lab host."""
    return [curl(h.address, host)[0] for h in env.lab.hosts()]


@pytest.mark.parametrize("scale", ["abc", "0", "-1", "1.5"])
def test_bad_scale_is_told_and_the_last_good_one_kept(shared: Environment, namespace: str, good: str, scale: str) -> None:
    """A number that is none: the message names it, the Ingress keeps the instances it had, and a new one with it gets one instance."""
    shared.apply(w.ingress(namespace, "edited", f"edited.{w.host(namespace)}", "web", scale="2"))
    before = w.published(shared, namespace, "edited", 2)
    shared.kubectl("annotate", "ingress", "edited", "-n", namespace, f"scale={scale}", "--overwrite")
    message = until("the message", lambda: (m := w.said(shared, namespace, "edited").get("message", "")) and scale in m and m, timeout=15)
    assert "scale" in message
    assert shared.addresses("edited", namespace) == before
    shared.apply(w.ingress(namespace, "fresh", f"fresh.{w.host(namespace)}", "web", scale=scale))
    w.published(shared, namespace, "fresh", 1)
    until("the message", lambda: scale in w.said(shared, namespace, "fresh").get("message", ""), timeout=15)
    events = until(
        "an event on the Ingress",
        lambda: shared.get("events", "-n", namespace, "--field-selector", "involvedObject.name=edited,type=Warning")["items"],
        timeout=15,
    )
    assert any(scale in e["message"] for e in events)
    assert everywhere(shared, good) == [200] * 4


def test_scale_beyond_the_hosts_gives_all_of_them_and_says_so(shared: Environment, namespace: str, good: str) -> None:
    """scale 99 of 4 hosts: four addresses and a message with both numbers."""
    shared.apply(w.ingress(namespace, "many", f"many.{w.host(namespace)}", "web", scale="99"))
    w.published(shared, namespace, "many", 4)
    said = until("the message", lambda: (s := w.said(shared, namespace, "many")) and s.get("message") and s, timeout=15)
    assert said["wanted"] == 99
    assert "99" in said["message"]
    assert "4" in said["message"]
    assert everywhere(shared, good) == [200] * 4


PATHS = {
    "semicolon": "/a;set server b_x/s addr 127.0.0.1",
    "newline": "/a\nshow servers state",
    "blank": "/a b",
    "delete": "/a\x7f",
    "quotes": '/"quoted"',
    "beyond-ascii": "/é",
}


@pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)
def test_paths_are_data_and_never_commands(shared: Environment, namespace: str, good: str, path: str) -> None:
    """A path with `;`, a newline or the like: refused by the API or told on the object, or served as what it says; others are not touched."""
    odd = w.ingress(namespace, "odd", f"odd.{w.host(namespace)}", "web", scale="4", path=path, path_type="ImplementationSpecific")
    refusal = ""
    try:
        shared.apply(odd)
        until("it is told", lambda: w.said(shared, namespace, "odd").get("message"), timeout=20)
    except CommandError as refused:
        refusal = str(refused)
    assert not refusal or "path" in refusal
    # A route that is added afterwards arrives on every host: no host's programming is stuck.
    shared.apply(w.ingress(namespace, "after", f"after.{w.host(namespace)}", "web", scale="4"))
    w.published(shared, namespace, "after", 4)
    assert everywhere(shared, f"after.{w.host(namespace)}") == [200] * 4
    assert everywhere(shared, good) == [200] * 4
