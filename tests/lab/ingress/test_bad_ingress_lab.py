"""Invalid Ingresses: a clear message on the object, and no effect on others."""

import secrets
from collections.abc import Iterator

import pytest

from tests.lab import workloads as w
from tests.lab.support import CommandError, Environment, curl, until


@pytest.fixture(scope="module")
def good(shared: Environment, space: str) -> str:
    """A Service `web` and a healthy Ingress on all hosts, which must stay healthy; returns its host name."""
    w.web(shared, space, 1)
    host = f"good.{w.host(space)}"
    shared.apply(w.ingress(space, "good", host, "web", scale="4"))
    w.published(shared, space, "good", 4)
    return host


@pytest.fixture
def name(shared: Environment, space: str, good: str) -> Iterator[str]:
    """A name for this test; Ingresses whose names begin with it are deleted afterwards."""
    name = f"i{secrets.token_hex(3)}"
    yield name
    made = [i["metadata"]["name"] for i in shared.get("ingress", "-n", space)["items"]]
    shared.kubectl("delete", "ingress", "-n", space, "--ignore-not-found", *(n for n in made if n.startswith(name)))


def everywhere(env: Environment, host: str) -> list[int]:
    """Status codes of one host name on every lab host."""
    return [curl(h.address, host)[0] for h in env.lab.hosts()]


SCALES = {"word": "abc", "zero": "0", "negative": "-1", "fraction": "1.5"}


def test_an_invalid_scale_is_reported_and_the_last_valid_one_kept(
    shared: Environment, space: str, good: str, name: str
) -> None:
    """The message names the value, the Ingress keeps its instances, and a new Ingress gets one instance."""
    for title in SCALES:
        shared.apply(w.ingress(space, f"{name}-{title}", f"{title}.{w.host(space)}", "web", scale="2"))
    before = {title: w.published(shared, space, f"{name}-{title}", 2) for title in SCALES}
    for title, scale in SCALES.items():
        shared.kubectl("annotate", "ingress", f"{name}-{title}", "-n", space, f"scale={scale}", "--overwrite")
        new = w.ingress(space, f"{name}-new-{title}", f"new-{title}.{w.host(space)}", "web", scale=scale)
        shared.apply(new)
    for title, scale in SCALES.items():
        message = f"annotation scale: '{scale}' is not an integer from 1 to 10000"
        for one in (f"{name}-{title}", f"{name}-new-{title}"):
            until("the message", lambda o=one, m=message: m in w.status_annotation(shared, space, o).get("message", ""))
        assert shared.addresses(f"{name}-{title}", space) == before[title]
        w.published(shared, space, f"{name}-new-{title}", 1)
        until("an event on the Ingress", lambda t=title, m=message: m in warnings(shared, space, f"{name}-{t}"))
    assert everywhere(shared, good) == [200] * 4


def warnings(env: Environment, space: str, name: str) -> str:
    """Messages of Warning events of an Ingress."""
    which = f"involvedObject.name={name},type=Warning"
    return "\n".join(e["message"] for e in env.get("events", "-n", space, "--field-selector", which)["items"])


def test_a_scale_beyond_the_hosts_uses_all_of_them_and_is_reported(
    shared: Environment, space: str, good: str, name: str
) -> None:
    """scale 99 of 4 hosts: four addresses and a message with both numbers."""
    shared.apply(w.ingress(space, name, f"{name}.{w.host(space)}", "web", scale="99"))
    w.published(shared, space, name, 4)
    said = until("the message", lambda: (s := w.status_annotation(shared, space, name)) and s.get("message") and s)
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


def test_paths_are_data_and_never_commands(shared: Environment, space: str, good: str, name: str) -> None:
    """A path with `;`, a newline or the like is refused by the API, reported on the object, or served literally."""
    served, refusals = set(), []
    for title, path in PATHS.items():
        odd = w.ingress(
            *(space, f"{name}-{title}", f"{title}.{w.host(space)}", "web"),
            scale="4",
            path=path,
            path_type="ImplementationSpecific",
        )
        try:
            shared.apply(odd)
            served.add(title)
        except CommandError as refused:
            refusals.append(str(refused))
    assert [text for text in refusals if "path" not in text] == []
    for title in served:
        until(
            f"a message about {title}",
            lambda t=title: w.status_annotation(shared, space, f"{name}-{t}").get("message"),
        )
    # A route that is added afterwards reaches every host: no host is stuck.
    shared.apply(w.ingress(space, f"{name}-new", f"{name}-new.{w.host(space)}", "web", scale="4"))
    w.published(shared, space, f"{name}-new", 4)
    assert everywhere(shared, f"{name}-new.{w.host(space)}") == [200] * 4
    assert everywhere(shared, good) == [200] * 4
