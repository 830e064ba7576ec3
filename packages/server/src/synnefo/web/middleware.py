"""Headers of pages: a strict content policy, and no caching of what belongs to a user."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from urllib.parse import urlparse

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from synnefo.common.settings import conf
from synnefo.web import branding


def content_policy(form_schemes: Iterable[str] = (), script_sources: Sequence[str] = ()) -> str:
    """Only our own files run and load; sockets go to the console proxy; nobody may frame us. Forms lead to our own pages, and
    on to addresses of `form_schemes`. `script_sources` are other sites whose scripts and frames a page needs.
    """
    forms = " ".join(["'self'", *(f"{scheme}:" for scheme in form_schemes)])
    parsed = urlparse(conf.CONSOLE_PROXY_URL)
    console = f"{parsed.scheme}://{parsed.netloc}"
    scripts = " ".join(["'self'", *script_sources])
    frames = f"frame-src {' '.join(script_sources)}; " if script_sources else ""
    images = " ".join(["'self'", "data:", "blob:", *branding.origins()])
    return (f"default-src 'none'; script-src {scripts}; {frames}worker-src 'self'; style-src 'self'; img-src {images}; "
            f"font-src 'self'; connect-src {scripts} {console}; form-action {forms}; base-uri 'none'; frame-ancestors 'none'")


class PageHeaders:
    """Adds the policy to every HTML page that has none of its own."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        if response.headers.get("Content-Type", "").startswith("text/html"):
            response.headers.setdefault("Content-Security-Policy", content_policy(
                getattr(response, "form_schemes", ()), getattr(response, "script_sources", ())))
            response.headers.setdefault("Cache-Control", "no-store")
        return response
