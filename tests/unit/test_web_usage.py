"""The usage page's lines: what is shown of whose quota, and what is said about it."""

from __future__ import annotations

from typing import Any

from synnefo.common.ports import INFINITE
from synnefo.web import usage

OWN, TEAM, GONE = "own", "team", "gone"
PROJECTS = {TEAM: {"name": "team.example.org", "state": "active"}, GONE: {"name": "gone.example.org", "state": "terminated"}}
RESOURCES = {"pithos.diskspace": {"unit": "bytes"}, "cyclades.vm": {"unit": ""}}


def holding(limit: int, used: int, project_limit: int = INFINITE, project_used: int = 0) -> dict[str, int]:
    return {"limit": limit, "usage": used, "pending": 0, "project_limit": project_limit, "project_usage": project_used, "project_pending": 0}


def shown(quotas: dict[str, Any], **options: bool) -> dict[str, dict[str, list[dict[str, Any]]]]:
    return {group["title"]: {row["label"]: row["lines"] for row in group["resources"]} for group in usage.groups(quotas, RESOURCES, PROJECTS, OWN, **options)}


def test_own_quota_first_under_headings_in_order() -> None:
    found = shown({TEAM: {"cyclades.vm": holding(2, 1)}, OWN: {"cyclades.vm": holding(4, 1), "pithos.diskspace": holding(1 << 30, 1 << 29)}})
    assert list(found) == ["Storage", "Compute"]
    assert [line["name"] for line in found["Compute"]["Machines"]] == ["My quota", "team.example.org"]
    (disk,) = found["Storage"]["Storage space"]
    assert disk["text"].replace("\xa0", " ") == "512.0 MB of 1.0 GB, 512.0 MB left"
    assert (disk["percent"], disk["share"], disk["kind"]) == (50, 50.0, "")


def test_colours_begin_at_the_thresholds() -> None:
    kinds = [shown({OWN: {"cyclades.vm": holding(100, used)}})["Compute"]["Machines"][0]["kind"] for used in (74, 75, 89, 90, 100)]
    assert kinds == ["", "warn", "warn", "bad", "bad"]


def test_a_project_that_others_use_up() -> None:
    (line,) = shown({TEAM: {"cyclades.vm": holding(10, 1, project_limit=20, project_used=18)}})["Compute"]["Machines"]
    assert line["warning"] == "Only 2 left in the project: others use the rest."
    (line,) = shown({TEAM: {"cyclades.vm": holding(10, 1, project_limit=20, project_used=25)}})["Compute"]["Machines"]
    assert line["warning"] == "Only 0 left in the project: others use the rest."


def test_over_the_limit() -> None:
    (line,) = shown({OWN: {"cyclades.vm": holding(4, 6)}})["Compute"]["Machines"]
    assert (line["percent"], line["share"], line["is_over"], line["text"]) == (100, 150.0, True, "6 of 4: 2 over the limit")


def test_what_is_unlimited_has_no_bar() -> None:
    (line,) = shown({OWN: {"cyclades.vm": holding(INFINITE, 3)}})["Compute"]["Machines"]
    assert (line["percent"], line["share"], line["text"]) == (None, None, "3 (unlimited)")


def test_what_does_not_count_is_left_out_unless_asked_for() -> None:
    quotas = {OWN: {"cyclades.vm": holding(0, 0)}, GONE: {"cyclades.vm": holding(5, 0)}}
    assert shown(quotas) == {}
    assert len(shown(quotas, with_all=True)["Compute"]["Machines"]) == 2
    (line,) = shown({GONE: {"cyclades.vm": holding(5, 1)}})["Compute"]["Machines"]
    assert (line["state"], line["warning"]) == ("ended", "")
    (line,) = shown({"left": {"cyclades.vm": holding(0, 1)}})["Compute"]["Machines"]
    assert line["state"] == "not a member any more"
