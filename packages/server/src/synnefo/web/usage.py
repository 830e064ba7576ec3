"""Quota as bars: what is used, of what limit, and how much is left."""

from __future__ import annotations

from typing import Any

from django.template.defaultfilters import filesizeformat

from synnefo.common.ports import INFINITE

# In the order people look for them; what is not named here comes last, by name.
LABELS = {
    "pithos.diskspace": "Storage space", "cyclades.disk": "Disk", "cyclades.cpu": "CPUs in use", "cyclades.ram": "RAM in use",
    "cyclades.vm": "Machines", "cyclades.network.private": "Private networks", "cyclades.floating_ip": "Floating IPs",
}
CAUTION_PERCENT = 75
CRITICAL_PERCENT = 90


def bars(quotas: dict[str, dict[str, Any]], resources: dict[str, Any], own_project: str) -> list[dict[str, Any]]:
    """One entry a project, the user's own first: {name, resources: [{label, text, percent, kind}]}."""
    order = {name: index for index, name in enumerate(LABELS)}
    projects = []
    for project, holdings in sorted(quotas.items(), key=lambda item: (item[0] != own_project, item[0])):
        names = sorted(holdings, key=lambda name: (order.get(name, len(order)), name))
        shown = [_bar(name, holdings[name], (resources.get(name) or {}).get("unit")) for name in names
                 if holdings[name]["limit"] or holdings[name]["usage"]]
        projects.append({"name": "My quota" if project == own_project else project, "resources": shown})
    return projects


def _bar(name: str, holding: dict[str, int], unit: str | None) -> dict[str, Any]:
    limit, usage = holding["limit"], holding["usage"]
    show = filesizeformat if unit == "bytes" else str
    label = LABELS.get(name, name)
    if limit >= INFINITE:
        return {"label": label, "text": f"{show(usage)} (unlimited)", "percent": None, "kind": ""}
    if usage > limit:
        text = f"{show(usage)} of {show(limit)}: {show(usage - limit)} over the limit"
        return {"label": label, "text": text, "percent": 100, "kind": "bad"}
    percent = 100 * usage // limit if limit else 0
    kind = "bad" if percent >= CRITICAL_PERCENT else "warn" if percent >= CAUTION_PERCENT else ""
    return {"label": label, "text": f"{show(usage)} of {show(limit)}, {show(limit - usage)} left", "percent": percent, "kind": kind}
