"""What the frame around every page knows of the identity service."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from django.http import HttpRequest

import synnefo
from synnefo.astakos.services import component_metadata, terms
from synnefo.common.settings import conf


def frame(request: HttpRequest) -> dict[str, Any]:
    """`other_services`: links for the bar; asked for by whole pages only. `newest_terms`: the id of the terms of use, for the footer. `staff_version`: for administrators."""
    user = getattr(request, "user", None)
    return {"other_services": _other_services, "newest_terms": terms.latest_id, "staff_version": synnefo.__version__ if user is not None and user.is_authenticated and user.is_superuser else ""}


def _other_services() -> list[dict[str, str]]:
    """Components whose pages are on other sites, in their order. Those on this site have their place in the navigation."""
    if not conf.CLOUDBAR_ACTIVE:
        return []
    return [_link(item) for item in component_metadata.all_components() if _is_elsewhere(item)]


def _is_elsewhere(item: component_metadata.Metadata) -> bool:
    shown = item["cloudbar"].get("show", True) if isinstance(item.get("cloudbar"), dict) else True
    return bool(shown) and component_metadata.is_page(item.get("url")) and _site(item["url"]) not in {"", _site(conf.ASTAKOS_BASE_URL)}


def _site(url: str) -> str:
    """Scheme and host of an absolute address."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return f"{parts.scheme}://{parts.netloc}".lower() if parts.netloc else ""


def _link(item: component_metadata.Metadata) -> dict[str, str]:
    bar = item.get("cloudbar")
    icon = bar.get("icon", "") if isinstance(bar, dict) else ""
    return {"url": item["url"], "title": str(item["verbose_name"]), "icon": icon if component_metadata.is_page(icon) else ""}
