"""What every template knows."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.urls import reverse

from synnefo.common.settings import conf

SECTIONS = (("Overview", "overview"), ("Machines", "machines"), ("Files", "containers"), ("Usage", "usage"), ("Projects", "astakos-projects"), ("API access", "astakos-api-access"))


def frame(request: HttpRequest) -> dict[str, Any]:
    """The cloud's name and the navigation with the current section marked."""
    navigation = []
    for label, name in SECTIONS:
        if name == "astakos-projects" and not conf.ASTAKOS_PROJECTS_VISIBLE:
            continue
        url = reverse(name)
        current = request.path == url if url == "/" else request.path.startswith(url)
        navigation.append({"label": label, "url": url, "current": current})
    return {"service_name": conf.BRANDING_SERVICE_NAME, "navigation": navigation}
