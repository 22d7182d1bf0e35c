from __future__ import annotations

import json
from typing import Any

import yaml

from rancherctl.output.render import render
from rancherctl.output.results import Column, Failure, Listing, Record

COLUMNS = (
    Column("NAME", "name"),
    Column("UP", "up"),
    Column("ROLES", "spec.roles"),
    Column("LABELS", "labels", wide=True),
)
ITEMS: list[dict[str, Any]] = [
    {"name": "h1", "up": True, "spec": {"roles": ["etcd", "worker"]}, "labels": {"b": "2", "a": "1"}},
    {"name": "host[eth0]", "up": None, "spec": {"roles": []}, "labels": {}},
]
LISTING = Listing("Host", ITEMS, COLUMNS, failures=(Failure("h3", "no answer"),))


def test_table_leaves_markup_like_text_alone_and_shows_nothing_as_a_dash() -> None:
    assert render(LISTING) == "NAME         UP    ROLES\nh1           yes   etcd,worker\nhost[eth0]   -     -\n"


def test_wide_has_the_wide_columns() -> None:
    assert render(LISTING, "wide").splitlines()[1].endswith("a=1,b=2")


def test_an_empty_list_prints_no_titles() -> None:
    assert render(Listing("Host", [], COLUMNS)) == ""


def test_json_is_a_versioned_envelope_with_errors() -> None:
    value = json.loads(render(LISTING, "json"))
    assert value == {
        "apiVersion": "rancherctl.io/v1alpha1",
        "kind": "HostList",
        "items": ITEMS,
        "errors": [{"where": "h3", "message": "no answer"}],
    }


def test_yaml_says_the_same_as_json() -> None:
    assert yaml.safe_load(render(LISTING, "yaml")) == json.loads(render(LISTING, "json"))


def test_name_output_has_one_kind_and_name_per_line() -> None:
    assert render(LISTING, "name") == "host/h1\nhost/host[eth0]\n"
    assert render(Record("Environment", {}, name="demo"), "name") == "environment/demo\n"


def test_a_record_has_its_fields_beside_the_kind() -> None:
    record = Record("Version", {"version": "1", "parts": ["a", "b"]})
    assert json.loads(render(record, "json")) == {
        "apiVersion": "rancherctl.io/v1alpha1",
        "kind": "Version",
        "version": "1",
        "parts": ["a", "b"],
        "errors": [],
    }
    assert render(record) == "version:  1\nparts:    a,b\n"


def test_text_from_hosts_cannot_control_the_terminal() -> None:
    assert "\x1b" not in render(Listing("Host", [{"name": "a\x1b[31m\nb"}], (Column("NAME", "name"),)))


def test_text_from_hosts_and_tenants_cannot_control_the_terminal_in_any_format() -> None:
    """Problems in reports, messages in annotations, and names are printed by `ingress show`."""
    nasty = "a\x1b]0;x\x07b\rc\x9b2Jd\x7fe\u202ef"
    record = Record("Ingress", {"message": nasty}, text=f"one\ttab\n{nasty}\n", name=nasty)
    for form in ("table", "wide", "name", "json", "yaml"):
        text = render(record, form)
        assert [c for c in text if not c.isprintable() and c not in "\n\t\u202e"] == []
    assert render(record).startswith("one\ttab\na\\x1b]0;x\\x07b")
    assert "\u202e" not in render(record)
    assert json.loads(render(record, "json"))["message"] == nasty
    assert yaml.safe_load(render(record, "yaml"))["message"] == nasty


def test_long_cells_are_neither_cut_nor_wrapped() -> None:
    text = render(Listing("Host", [{"name": "x" * 500}], (Column("NAME", "name"),)))
    assert "x" * 500 in text
    assert len(text.splitlines()) == 2


def test_wide_letters_keep_columns_straight() -> None:
    listing = Listing("Host", [{"name": "日本", "up": True}, {"name": "abcd", "up": True}], COLUMNS[:2])
    assert render(listing).splitlines()[1:] == ["日本   yes", "abcd   yes"]
