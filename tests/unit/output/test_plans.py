from __future__ import annotations

from rancherctl.change import Unknown, diff
from rancherctl.output.plans import plan_item, plan_text

PLAN = diff({"file/a": "1", "unit/x": "1"}, {"file/a": "2", "file/b": "1"}, why=lambda old, new: f"{old} → {new}")


def test_counts_changes_and_reasons() -> None:
    assert plan_text("h1", PLAN).splitlines() == ["h1: 1 to create, 1 to update, 1 to delete", "  ~ file/a  (1 → 2)", "  + file/b", "  - unit/x"]


def test_nothing_to_do_is_said() -> None:
    assert plan_text("h1", diff({"a": 1}, {"a": 1})) == "h1: nothing to do\n"


def test_what_could_not_be_read_is_told() -> None:
    plan = diff({"a": 1}, {}, unknown=[Unknown("h2", "no answer")])
    assert plan_text("all", plan).splitlines() == ["all: nothing to do", "  ? h2: unknown (no answer); nothing is deleted there"]


def test_details_are_indented_below_their_change() -> None:
    assert "      -old\n      +new\n" in plan_text("h1", PLAN, lambda change: ["-old", "+new"] if change.verb == "update" else [])


def test_the_json_form_has_digest_and_counts() -> None:
    item = plan_item(PLAN)
    assert item["digest"] == PLAN.digest()
    assert item["counts"] == {"create": 1, "update": 1, "delete": 1}
    assert [c["key"] for c in item["changes"]] == ["file/a", "file/b", "unit/x"]
