"""Where a sign-in may send the browser afterwards."""

from __future__ import annotations

from urllib.parse import urlparse

from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.http import urlencode

from synnefo.astakos.services import captchas, verification
from synnefo.common.settings import conf

MAX_LENGTH = 2000


def safe_next(target: str, default: str) -> str:
    """`target` when it is a path of this site or an address of its host or cookie domain, else `default`."""
    if not target or len(target) > MAX_LENGTH or not target.isprintable() or "\\" in target or " " in target:
        return default
    if target.startswith("/"):
        return default if target.startswith("//") else target
    try:
        parsed = urlparse(target)
        host = parsed.hostname or ""
    except ValueError:
        return default
    return target if parsed.scheme in {"http", "https"} and _is_ours(host, parsed.netloc) else default


def _is_ours(host: str, netloc: str) -> bool:
    base = urlparse(conf.ASTAKOS_BASE_URL)
    domain = conf.ASTAKOS_COOKIE_DOMAIN.lstrip(".").lower()
    if "@" in netloc:
        return False
    return netloc.lower() == base.netloc.lower() or bool(domain and (host == domain or host.endswith(f".{domain}")))


def login_redirect(target: str) -> str:
    """The sign-in page that leads back to `target`."""
    return f"{reverse('astakos-login')}?{urlencode({'next': target})}"


def allow_programs(response: HttpResponseBase, target: str) -> None:
    """A form of this page may end, by way of `weblogin`, at a desktop program's own address scheme."""
    base = urlparse(conf.ASTAKOS_BASE_URL)
    if urlparse(target).path.startswith(f"{base.path.rstrip('/')}/weblogin/"):
        response.form_schemes = tuple(conf.ASTAKOS_REDIRECT_ALLOWED_SCHEMES)  # type: ignore[attr-defined]


def sent_url(email: str, target: str = "") -> str:
    """The page for somebody who has just given this e-mail: a mail was sent, and can be sent again."""
    query = f"?{urlencode({'next': target})}" if target else ""
    return reverse("astakos-send-activation", args=[verification.ticket(email)]) + query


def allow_captcha(response: HttpResponseBase) -> None:
    """Scripts and frames of the service that sets the task for robots, on this page."""
    response.script_sources = captchas.FRAMES.get(captchas.provider(), [])  # type: ignore[attr-defined]
