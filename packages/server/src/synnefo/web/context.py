"""What every template knows."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import mark_safe

from synnefo.common.settings import conf
from synnefo.web import branding

SECTIONS = (("Overview", "overview"), ("Machines", "machines"), ("Files", "containers"), ("Usage", "usage"), ("Projects", "astakos-projects"), ("Profile", "astakos-profile"), ("API access", "astakos-api-access"))

NOTICES = {"astakos-login": "ASTAKOS_LOGIN_MESSAGES", "astakos-local": "ASTAKOS_LOGIN_MESSAGES", "astakos-signup": "ASTAKOS_SIGNUP_MESSAGES",
           "astakos-profile": "ASTAKOS_PROFILE_MESSAGES"}
LOGOS = {"machine": "Compute", "console": "Console", "container": "Storage", "folder": "Storage", "file": "Storage"}
"""Parts of the cloud by how the names of their addresses begin."""


def frame(request: HttpRequest) -> dict[str, Any]:
    """The cloud's name and the navigation with the current section marked."""
    navigation = []
    for label, name in SECTIONS:
        if name == "astakos-projects" and not conf.ASTAKOS_PROJECTS_VISIBLE:
            continue
        url = reverse(name)
        current = request.path == url if url == "/" else request.path.startswith(url)
        navigation.append({"label": label, "url": url, "current": current})
    return {"service_name": conf.BRANDING_SERVICE_NAME, "logo": _logo(request), "favicon": branding.image("FAVICON"), "navigation": navigation,
            "notices": _notices(request), "footer": _footer(), "session_seconds_left": _seconds_left(request)}


def _logo(request: HttpRequest) -> dict[str, str]:
    """The operator's logo for this part of the cloud, if there is one."""
    match = request.resolver_match
    name = (match.url_name or "") if match is not None else ""
    part = next((part for start, part in LOGOS.items() if name.startswith(start)), "Dashboard")
    return {"url": branding.image(f"{part.upper()}_LOGO"), "text": f"{conf.BRANDING_SERVICE_NAME} {part}"}


def _seconds_left(request: HttpRequest) -> int:
    """Until the session of a signed-in user ends."""
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return 0
    return max(0, int((request.session.get_expiry_date() - timezone.now()).total_seconds()))


def _notices(request: HttpRequest) -> list[tuple[str, str]]:
    """The operator's notices for this page."""
    match = request.resolver_match
    of_page = NOTICES.get(match.url_name or "", "") if match is not None else ""
    return [*getattr(conf, "ASTAKOS_GLOBAL_MESSAGES", []), *(getattr(conf, of_page, []) if of_page else [])]


def _footer() -> dict[str, str]:
    company = conf.BRANDING_COMPANY_NAME
    copyright_ = conf.BRANDING_COPYRIGHT_MESSAGE or f"Copyright (c) {timezone.now().year} {company}"
    return {"extra": mark_safe(conf.BRANDING_FOOTER_EXTRA_MESSAGE),  # noqa: S308 - the operator's own HTML
            "company": company, "company_url": conf.BRANDING_COMPANY_URL, "copyright": copyright_ if conf.BRANDING_SHOW_COPYRIGHT else ""}
