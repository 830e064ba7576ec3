"""How components are shown to people: names, order, cards and the bar of services.

Defaults, what is known of our own components, the registry and ASTAKOS_COMPONENTS_META are merged in this order, deeply,
into fresh dicts: nothing that is shared between requests is changed.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from synnefo.astakos.models import Component
from synnefo.common.settings import conf

Metadata = dict[str, Any]
_LAST = 1000
_KNOWN: Mapping[str, Metadata] = {
    "astakos": {"order": 1, "dashboard": {"order": 3}, "cloudbar": {"show": False}},
    "pithos": {"order": 2, "dashboard": {"order": 1}},
    "cyclades": {"order": 3, "dashboard": {"order": 2}},
}


def all_components() -> list[Metadata]:
    """Every component of the registry or of the setting, in its order."""
    rows = {row.name: {"name": row.name, "url": row.ui_url} for row in Component.objects.order_by("pk")}
    names = [*rows, *(name for name in conf.ASTAKOS_COMPONENTS_META if name not in rows)]
    found = [_of(name, rows.get(name, {})) for name in names]
    return sorted(found, key=lambda item: (_order(item), item["name"]))


def cards() -> list[Metadata]:
    """What the overview shows: in the order of the dashboard, without the hidden and those that have no pages."""
    shown = [item for item in all_components() if _on_dashboard(item).get("show", True) and is_page(item.get("url"))]
    return sorted(shown, key=lambda item: (_order(_on_dashboard(item)), item["name"]))


def _on_dashboard(item: Metadata) -> Metadata:
    dashboard = item.get("dashboard")
    return dashboard if isinstance(dashboard, dict) else {}


def is_page(url: object) -> bool:
    return isinstance(url, str) and url.startswith(("https://", "http://", "/"))


def _of(name: str, row: Metadata) -> Metadata:
    shown = _defaults(name)
    for layer in (_KNOWN.get(name, {}), row, conf.ASTAKOS_COMPONENTS_META.get(name, {})):
        shown = merged(shown, layer)
    return shown


def _defaults(name: str) -> Metadata:
    return {"name": name, "url": "", "order": _LAST, "verbose_name": name.title(), "cloudbar": {"show": True, "title": name},
            "dashboard": {"show": True, "order": _LAST, "description": f"{name} service"}}


def merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> Metadata:
    """A new dict with the values of `above` over those of `below`; dicts in both are merged alike."""
    result = copy.deepcopy(dict(below))
    for key, value in above.items():
        under = result.get(key)
        both = isinstance(under, Mapping) and isinstance(value, Mapping)
        result[key] = merged(under, value) if both else copy.deepcopy(value)  # type: ignore[arg-type]
    return result


def _order(item: Metadata) -> float:
    order = item.get("order")
    return order if isinstance(order, int | float) else _LAST
