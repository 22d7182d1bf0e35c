"""What is checked before an environment joins, and how a TSIG key file is read."""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import Any

import pytest

from rancherctl.contract import FEDERATION_UID_ANNOTATION
from rancherctl.errors import InvalidInputError, PreflightError
from rancherctl.federation.cluster import Cluster
from rancherctl.federation.operator.join import check
from rancherctl.federation.operator.join_checks import Seen, Wanted, problems
from rancherctl.federation.providers.tsig import key_of, parse_key, secret_object
from rancherctl.kube.objects import Meta

WANTED = Wanted("frankfurt", ("https://10.0.0.11:6443",), "PEM")
SEEN = Seen("fed", "member", {"default": {"metadata": {"name": "default"}}}, {}, ("10.0.0.11",))


def namespace(name: str, **annotations: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "annotations": annotations}}


def member(name: str, uid: str, *, deleting: bool = False) -> Cluster:
    return Cluster(Meta("", name, deleting=deleting), ("https://x:6443",), status={"uid": uid})


def test_an_environment_that_fits_has_no_problems() -> None:
    assert problems("acme", WANTED, SEEN) == []
    again = replace(SEEN, clusters={"frankfurt": member("frankfurt", "member")})
    mine = {"rancherctl-federation-acme": namespace("rancherctl-federation-acme", **{FEDERATION_UID_ANNOTATION: "fed"})}
    assert problems("acme", WANTED, replace(again, namespaces=mine)) == []


@pytest.mark.parametrize(
    ("seen", "part"),
    [
        (replace(SEEN, member_uid="fed"), "cannot be its own member"),
        (replace(SEEN, clusters={"other": member("other", "member")}), "is already the member other of acme"),
        (replace(SEEN, clusters={"frankfurt": member("frankfurt", "x")}), "is another environment (uid x)"),
        (replace(SEEN, clusters={"frankfurt": member("frankfurt", "member", deleting=True)}), "is just leaving"),
        (
            replace(SEEN, namespaces={"rancherctl-federation-eu": namespace("rancherctl-federation-eu")}),
            "is a member of the federation eu",
        ),
        (
            replace(SEEN, namespaces={"rancherctl-federation-acme": namespace("rancherctl-federation-acme")}),
            "belongs to an older federation",
        ),
        (replace(SEEN, namespaces={"acme": namespace("acme")}), "has a namespace called acme"),
    ],
)
def test_each_obstacle_is_named(seen: Seen, part: str) -> None:
    assert part in "\n".join(problems("acme", WANTED, seen))


def test_all_obstacles_are_reported_at_once() -> None:
    wanted = replace(WANTED, reachable=lambda server: f"no route to {server}")
    seen = replace(SEEN, namespaces={"acme": namespace("acme"), "rancherctl-federation-eu": namespace("x")})
    with pytest.raises(PreflightError) as caught:
        check("acme", wanted, seen)
    text = "\n".join(str(problem) for problem in caught.value.problems)
    for part in ("called acme", "federation eu", "cannot reach https://10.0.0.11:6443"):
        assert part in text
    assert "nothing was changed" in (caught.value.hint or "")


KEY = 'key "acme-key" {\n\talgorithm hmac-sha256;\n\tsecret "c2VjcmV0LXNlY3JldA==";\n};\n'


def test_a_key_file_is_read_and_never_printed() -> None:
    found = parse_key(f"// made by hand\n{KEY}", "acme.key")
    assert (found.name, found.algorithm, found.secret) == ("acme-key", "hmac-sha256", b"secret-secret")
    assert "c2Vj" not in repr(found)
    assert "secret-secret" not in repr(found)


def test_a_key_is_stored_and_read_back() -> None:
    found = parse_key(KEY, "acme.key")
    stored = secret_object(found)
    assert stored["stringData"]["secret"] == "c2VjcmV0LXNlY3JldA=="
    data = {key: base64.b64encode(text.encode()).decode() for key, text in stored["stringData"].items()}
    assert key_of({"data": data}) == found


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "expected: key"),
        (KEY.replace("hmac-sha256", "hmac-md5"), "'hmac-md5' is not supported"),
        (KEY.replace("c2VjcmV0LXNlY3JldA==", "c2V"), "is not valid base64"),
        (KEY + KEY, "expected: key"),
    ],
)
def test_a_key_file_that_cannot_be_used_says_why(text: str, part: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        parse_key(text, "acme.key")
    assert part in "\n".join(str(problem) for problem in caught.value.problems)
    assert "tsig-keygen" in (caught.value.hint or "")
