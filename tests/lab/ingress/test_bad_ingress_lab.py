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
    """A name for this test; Ingresses with it, also with `-new` appended, are deleted afterwards."""
    name = f"i{secrets.token_hex(3)}"
    yield name
    shared.kubectl("delete", "ingress", "-n", space, "--ignore-not-found", name, f"{name}-new")


def everywhere(env: Environment, host: str) -> list[int]:
    """Status codes of one host name on every lab host."""
    return [curl(h.address, host)[0] for h in env.lab.hosts()]


@pytest.mark.parametrize("scale", ["abc", "0", "-1", "1.5"])
def test_an_invalid_scale_is_reported_and_the_last_valid_one_kept(
    shared: Environment, space: str, good: str, name: str, scale: str
) -> None:
    """The message names the value, the Ingress keeps its instances, and a new Ingress gets one instance."""
    shared.apply(w.ingress(space, name, f"{name}.{w.host(space)}", "web", scale="2"))
    before = w.published(shared, space, name, 2)
    shared.kubectl("annotate", "ingress", name, "-n", space, f"scale={scale}", "--overwrite")
    message = f"annotation scale: '{scale}' is not an integer from 1 to 10000"
    until("the message", lambda: message in w.status_annotation(shared, space, name).get("message", ""))
    assert shared.addresses(name, space) == before
    shared.apply(w.ingress(space, f"{name}-new", f"{name}-new.{w.host(space)}", "web", scale=scale))
    w.published(shared, space, f"{name}-new", 1)
    until("the message", lambda: message in w.status_annotation(shared, space, f"{name}-new").get("message", ""))
    events = until(
        "an event on the Ingress",
        lambda: shared.get("events", "-n", space, "--field-selector", f"involvedObject.name={name},type=Warning")[
            "items"
        ],
    )
    assert any(message in e["message"] for e in events)
    assert everywhere(shared, good) == [200] * 4


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


@pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)
def test_paths_are_data_and_never_commands(shared: Environment, space: str, good: str, name: str, path: str) -> None:
    """A path with `;`, a newline or the like is refused by the API, reported on the object, or served literally."""
    odd = w.ingress(
        space, name, f"{name}.{w.host(space)}", "web", scale="4", path=path, path_type="ImplementationSpecific"
    )
    refusal = ""
    try:
        shared.apply(odd)
        until("a message", lambda: w.status_annotation(shared, space, name).get("message"))
    except CommandError as refused:
        refusal = str(refused)
    assert not refusal or "path" in refusal
    # A route that is added afterwards reaches every host: no host is stuck.
    shared.apply(w.ingress(space, f"{name}-new", f"{name}-new.{w.host(space)}", "web", scale="4"))
    w.published(shared, space, f"{name}-new", 4)
    assert everywhere(shared, f"{name}-new.{w.host(space)}") == [200] * 4
    assert everywhere(shared, good) == [200] * 4
