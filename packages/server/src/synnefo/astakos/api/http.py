"""What the identity and account APIs share: bodies, tokens, headers, dispatch by method."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, TypeVar

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.utils.cache import patch_vary_headers
from pydantic import BaseModel, ValidationError

from synnefo.astakos.models import ApiToken, Component
from synnefo.astakos.services import app_credentials, components, memberships, tokens
from synnefo.common import access, faults
from synnefo.common.describe import Endpoint
from synnefo.common.errors import DomainError, InvalidInput, MethodNotAllowed, RequestTooLarge, Unauthenticated
from synnefo.common.middleware import client_ip
from synnefo.common.ports import Caller
from synnefo.common.settings import conf

View = Callable[..., HttpResponseBase]
T = TypeVar("T", bound=BaseModel)
_BAD_JSON = "Could not decode request body as JSON"
_KEYSTONE = "keystone"


def endpoint(dialect: str = "synnefo", **views: View) -> View:
    """One URL: a view for each method (`GET=..., POST=...`), every reply in the dialect and never cached, unless the view says for how long.

    HEAD is answered by GET's view; other methods are refused with the list of those that work. Every view must be
    described (`synnefo.common.describe`).
    """
    return _endpoint(Endpoint(dialect, views))


def _endpoint(known: Endpoint) -> View:
    dialect, views = known.dialect, known.views
    allowed = tuple(sorted({*views, *(["HEAD"] if "GET" in views else [])}))

    @faults.guarded(dialect)
    def dispatch(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        method = "GET" if request.method == "HEAD" and "HEAD" not in views else request.method or ""
        view = views.get(method)
        if view is None:
            raise MethodNotAllowed(allowed)
        response: HttpResponseBase = view(request, *args, **kwargs)
        return response

    def run(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        return _with_headers(dispatch(request, *args, **kwargs), dialect)

    run.csrf_exempt = True  # type: ignore[attr-defined]  # no cookie is looked at
    run.endpoint = known  # type: ignore[attr-defined]
    return run


def whatever(view: View, dialect: str = "synnefo") -> View:
    """One URL whose view answers every method: for addresses that are none."""
    methods = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
    return _endpoint(Endpoint(dialect, dict.fromkeys(methods, view), is_catch_all=True))


def _with_headers(response: HttpResponseBase, dialect: str) -> HttpResponseBase:
    patch_vary_headers(response, ["X-Auth-Token"])
    if "max-age" not in response.headers.get("Cache-Control", ""):
        response.headers["Cache-Control"] = "no-cache, no-store, must-revalidate"
        response.headers["Expires"] = "Thu, 01 Jan 1970 00:00:00 GMT"
    if isinstance(response, HttpResponse) and response.content:
        response.headers["Content-Length"] = str(len(response.content))  # else the server must cut it into chunks
    if response.headers.get("Content-Type") == "application/json":
        response.headers["Content-Type"] = "application/json; charset=UTF-8"
    if response.status_code == 401 and dialect == _KEYSTONE:
        response.headers["WWW-Authenticate"] = f'Keystone uri="{conf.ASTAKOS_BASE_URL.rstrip("/")}/identity"'
    return response


def json_reply(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> HttpResponse:
    """A JSON response."""
    return JsonResponse(body, status=status, headers=headers, json_dumps_params={"ensure_ascii": False})


def json_list(items: list[Any]) -> HttpResponse:
    """A JSON response that is a list."""
    return JsonResponse(items, safe=False, json_dumps_params={"ensure_ascii": False})


def no_content() -> HttpResponse:
    """204, without a type for the missing body."""
    response = HttpResponse(status=204)
    del response.headers["Content-Type"]
    return response


def raw_body(request: HttpRequest) -> bytes:
    """The body, also when it is chunked and has no declared length. Raises `RequestTooLarge`."""
    if "CONTENT_LENGTH" in request.META or "chunked" not in request.META.get("HTTP_TRANSFER_ENCODING", "").lower():
        return request.body
    limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE or 0
    body: bytes = request.environ["wsgi.input"].read(limit + 1)  # type: ignore[attr-defined]
    if len(body) > limit:
        raise RequestTooLarge("The request body is too large for this call.")
    return body


def json_body(request: HttpRequest, body: bytes | None = None) -> dict[str, Any]:
    """The body as a JSON object. Raises `InvalidInput` for another type, encoding or shape."""
    content_type = request.headers.get("Content-Type", "")
    if not content_type:
        raise InvalidInput("Missing Content-Type header field")
    if not content_type.lower().startswith("application/json"):
        raise InvalidInput(f"Unsupported Content-type: '{content_type[:100]}'")
    raw = raw_body(request) if body is None else body
    try:
        value = json.loads(raw.decode("utf-8"))
    except (ValueError, RecursionError):
        raise InvalidInput(_BAD_JSON) from None
    if not isinstance(value, dict):
        raise InvalidInput("The request body must be a JSON object.")
    if b"\\u" in raw:
        _refuse_unstorable(value)
    return value


def _refuse_unstorable(value: Any) -> None:
    """NUL and lone surrogates pass JSON but no database."""
    text = json.dumps(value, ensure_ascii=False)
    if "\\u0000" in text or not _is_encodable(text):
        raise InvalidInput("The request holds characters that are not text.")


def _is_encodable(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def parse(model: type[T], value: Any, *, what: str = "Malformed request") -> T:
    """The typed request. Raises `InvalidInput` naming every bad field."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        problems = [f"{'.'.join(str(part) for part in item['loc'])}: {item['msg']}"
                    for item in error.errors(include_url=False, include_input=False, include_context=False)[:10]]
        raise InvalidInput(f"{what}: " + "; ".join(problems)) from None


def header_token(request: HttpRequest) -> str:
    """The token of the request. Raises `Unauthenticated` when there is none."""
    token = request.headers.get("X-Auth-Token", "").strip()
    if not token:
        scheme, _, credentials = request.headers.get("Authorization", "").partition(" ")
        token = credentials.strip() if scheme.lower() == "bearer" else ""
    if not token and conf.ASTAKOS_ALLOW_QUERY_TOKEN:
        token = request.GET.get("X-Auth-Token", "")
    if not token:
        raise Unauthenticated("Access denied. No authentication token")
    return token


def require_user(request: HttpRequest) -> ApiToken:
    """The live token of the request, with its user. A page's own call, made for a session, counts as the whole account."""
    caller: Caller | None = getattr(request, "_caller", None)
    if caller is not None and "X-Auth-Token" not in request.headers and "Authorization" not in request.headers:
        return tokens.of_session(caller.user_id)
    return checked(request, tokens.find_token(header_token(request)))


def checked(request: HttpRequest, found: ApiToken | None) -> ApiToken:
    """The token that the request carries, when it is good for this call."""
    token = tokens.check_live(found, client_ip=client_ip(request))
    access.require_allowed(memberships.rules_of(token), request.method or "", request.path)
    return token


def require_manager(request: HttpRequest) -> ApiToken:
    """As `require_user`, of a token that stands for the whole account. Raises `Forbidden` for one held to a project."""
    token = require_user(request)
    app_credentials.require_manager(token)
    return token


def require_component(request: HttpRequest) -> Component:
    """The component whose token the request carries."""
    return components.require_component(header_token(request))


def natural(text: str, field: str, *, default: int, most: int) -> int:
    """A number of a query string. Raises `InvalidInput`."""
    if not text:
        return default
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise InvalidInput(f"{field} must be a natural number.", field=field)
    return min(int(text), most)


def fault_for(error: DomainError, dialect: str) -> HttpResponse:
    """The rendered fault, for views that answer in several forms."""
    return faults.render(error, dialect)
