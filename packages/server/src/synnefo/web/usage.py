"""Quota as bars: what is used, of what limit, and how much is left."""

from __future__ import annotations

from typing import Any

from django.template.defaultfilters import filesizeformat

from synnefo.common import resource_texts
from synnefo.common.ports import INFINITE
from synnefo.common.settings import conf

ENDED = {"terminated": "ended", "suspended": "suspended", "deleted": "deleted"}


def bars(quotas: dict[str, dict[str, Any]], resources: dict[str, Any], own_project: str) -> list[dict[str, Any]]:
    """One entry a project, the user's own first: {name, resources: [{label, text, percent, kind}]}."""
    projects = []
    for project, holdings in sorted(quotas.items(), key=lambda item: (item[0] != own_project, item[0])):
        shown = [_bar(text.label, holdings[text.name], (resources.get(text.name) or {}).get("unit")) for text in resource_texts.in_order(holdings)
                 if holdings[text.name]["limit"] or holdings[text.name]["usage"]]
        projects.append({"name": "My quota" if project == own_project else project, "resources": shown})
    return projects


def groups(quotas: dict[str, dict[str, Any]], resources: dict[str, Any], projects: dict[str, dict[str, Any]], own_project: str,
           *, with_all: bool = False) -> list[dict[str, Any]]:
    """Headings with their resources, and in each one line a project, the user's own first: {title, resources: [{label, lines}]}.

    `projects`: what the API tells of those that the user has to do with. What is neither allowed nor used is left out, unless
    `with_all`; so is a project that has ended and holds nothing.
    """
    found: dict[str, list[dict[str, Any]]] = {}
    for text in resource_texts.in_order({name for holdings in quotas.values() for name in holdings}):
        name, unit = text.name, (resources.get(text.name) or {}).get("unit")
        lines = [_line(text.label, holdings[name], unit, project, projects.get(project), own_project)
                 for project, holdings in quotas.items() if name in holdings and (with_all or _counts(holdings[name], projects.get(project)))]
        if lines:
            lines.sort(key=lambda line: (not line["is_own"], line["name"].lower()))
            found.setdefault(text.heading, []).append({"name": name, "label": text.label, "help": text.help, "lines": lines})
    return [{"title": title, "resources": rows} for title, rows in found.items()]


def _counts(holding: dict[str, int], project: dict[str, Any] | None) -> bool:
    has_ended = project is not None and project["state"] in ENDED
    return bool(holding["usage"] or (holding["limit"] and not has_ended))


def _line(label: str, holding: dict[str, int], unit: str | None, uuid: str, project: dict[str, Any] | None, own_project: str) -> dict[str, Any]:
    show = filesizeformat if unit == "bytes" else str
    left, together = holding["limit"] - holding["usage"], holding["project_limit"] - holding["project_usage"]
    is_own = uuid == own_project
    state = ENDED.get(project["state"], "") if project is not None else "" if is_own else "not a member any more"
    is_tight = not is_own and not state and together < left and together < INFINITE
    return {**_bar(label, holding, unit), "uuid": uuid, "is_own": is_own, "name": "My quota" if is_own else project["name"] if project else uuid,
            "state": state, "share": 100 * holding["usage"] / holding["limit"] if 0 < holding["limit"] < INFINITE else None,
            "warning": f"Only {show(max(0, together))} left in the project: others use the rest." if is_tight else "",
            "is_over": holding["usage"] > holding["limit"]}


def _bar(label: str, holding: dict[str, int], unit: str | None) -> dict[str, Any]:
    limit, usage = holding["limit"], holding["usage"]
    show = filesizeformat if unit == "bytes" else str
    if limit >= INFINITE:
        return {"label": label, "text": f"{show(usage)} (unlimited)", "percent": None, "kind": ""}
    if usage > limit:
        text = f"{show(usage)} of {show(limit)}: {show(usage - limit)} over the limit"
        return {"label": label, "text": text, "percent": 100, "kind": "bad"}
    percent = 100 * usage // limit if limit else 0
    caution, critical = conf.UI_USAGE_THRESHOLDS
    kind = "bad" if percent >= critical else "warn" if percent >= caution else ""
    return {"label": label, "text": f"{show(usage)} of {show(limit)}, {show(limit - usage)} left", "percent": percent, "kind": kind}
