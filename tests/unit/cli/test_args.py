from __future__ import annotations

import pytest

from rancherctl.cli.args import normalise

TOPICS = frozenset({"files"})


@pytest.mark.parametrize(
    ("typed", "parsed"),
    [
        (["lab", "status", "--debug", "-o", "json"], ["--debug", "lab", "status", "-o", "json"]),
        (["lab", "status", "-v", "-o", "json"], ["-v", "lab", "status", "-o", "json"]),
        (["kubectl", "get", "pods", "-v", "6"], ["kubectl", "--", "get", "pods", "-v", "6"]),
        (["lab", "status", "--color", "never"], ["--color", "never", "lab", "status"]),
        (["lab", "--progress=json", "status"], ["--progress=json", "lab", "status"]),
        (["lab", "status", "-o=json"], ["lab", "status", "-o", "json"]),
        (["env", "ls", "-e=a=b"], ["env", "ls", "-e", "a=b"]),
        (["lab", "ls", "--color"], ["lab", "ls", "--color"]),
        (
            ["--debug", "kubectl", "get", "pods", "--debug", "-n=x"],
            ["--debug", "kubectl", "--", "get", "pods", "--debug", "-n=x"],
        ),
        (["kubectl", "-ndefault", "get", "pods"], ["kubectl", "--", "-ndefault", "get", "pods"]),
        (["kubectl", "-n=default", "-e", "demo", "get"], ["kubectl", "--", "-n=default", "-e", "demo", "get"]),
        (["kubectl", "-edemo", "get", "-edemo"], ["kubectl", "-e", "demo", "--", "get", "-edemo"]),
        (["kubectl", "-e=demo", "-h"], ["kubectl", "-e", "demo", "-h"]),
        (["kubectl", "--env=demo", "--", "get", "-h"], ["kubectl", "--env", "demo", "--", "get", "-h"]),
        (
            ["kubectl", "--env", "demo", "exec", "-it", "p", "--", "sh", "-e"],
            ["kubectl", "--env", "demo", "--", "exec", "-it", "p", "--", "sh", "-e"],
        ),
        (["kubectl", "--env"], ["kubectl", "--env"]),
        (["kubectl"], ["kubectl"]),
        (["lab", "ssh", "h1", "ls", "--color", "auto"], ["lab", "ssh", "h1", "--", "ls", "--color", "auto"]),
        (
            ["labs", "ssh", "h1", "--name", "two", "df", "-h", "--name"],
            ["labs", "ssh", "h1", "--name", "two", "--", "df", "-h", "--name"],
        ),
        (["lab", "ssh", "--name=two", "h1", "--", "-v"], ["lab", "ssh", "--name", "two", "h1", "--", "-v"]),
        (["lab", "ssh", "-h"], ["lab", "ssh", "-h"]),
        (["version", "--", "--debug"], ["version", "--", "--debug"]),
        (["help"], ["--help"]),
        (["help", "files"], ["help", "files"]),
        (["help", "lab", "up"], ["lab", "up", "--help"]),
        (["help", "--help"], ["help", "--help"]),
        (["help", "flies"], ["help", "flies"]),
        ([], []),
    ],
)
def test_global_options_help_and_pass_through_words_are_put_in_the_parsers_order(
    typed: list[str], parsed: list[str]
) -> None:
    assert normalise(typed, TOPICS, {"lab": "lab", "labs": "lab"}) == parsed
