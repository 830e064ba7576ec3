"""The XML form of v2.0 replies and refusals."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from http import HTTPStatus
from typing import Any
from xml.etree.ElementTree import Element, SubElement, tostring

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

FAULTS = "http://docs.openstack.org/common/api/v1.0"
NAMESPACE = "http://docs.openstack.org/identity/api/v2.0"


def is_wanted(request: HttpRequest) -> bool:
    """By `?format=`, else the path's suffix, else the first form in Accept that we know; else JSON."""
    asked = request.GET.get("format", "").lower()
    if asked in {"json", "xml"}:
        return asked == "xml"
    if request.path.endswith((".xml", ".json")):
        return request.path.endswith(".xml")
    for item in request.headers.get("Accept", "").split(","):
        kind = item.split(";")[0].strip().lower()
        if kind in {"application/json", "application/xml"}:
            return kind == "application/xml"
    return False


def reply(access: dict[str, Any]) -> HttpResponse:
    """`access` as XML."""
    root = Element("access", {"xmlns": NAMESPACE})
    if "token" in access:
        _token(root, access["token"])
        _user(root, access["user"])
    services = SubElement(root, "serviceCatalog")
    for service in access["serviceCatalog"]:
        node = SubElement(services, "service", _attributes(service, ("type", "name")))
        for item in service["endpoints"]:
            SubElement(node, "endpoint", {key.replace(":", "_"): printable(str(value)) for key, value in item.items()})
    body = b'<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(root, encoding="utf-8")
    return HttpResponse(body, content_type="application/xml; charset=UTF-8")


def with_faults(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """An endpoint whose refusals are XML too, where that is wanted."""

    @functools.wraps(view)
    def run(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        response = view(request, *args, **kwargs)
        if response.status_code >= HTTPStatus.BAD_REQUEST and isinstance(response, HttpResponse) and is_wanted(request):
            _rewrite(response)
        return response

    return run


def _rewrite(response: HttpResponse) -> None:
    """From `{"name": {"code", "message", "details"}}` to an element of that name."""
    name, fault = next(iter(json.loads(response.content).items()))
    root = Element(name, {"xmlns": FAULTS, "code": str(fault["code"])})
    SubElement(root, "message").text = printable(fault["message"])
    SubElement(root, "details").text = printable(fault.get("details", ""))
    response.content = b'<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(root, encoding="utf-8")
    response.headers["Content-Type"] = "application/xml; charset=UTF-8"


def printable(text: str) -> str:
    """Without the control characters that no XML document may hold."""
    return "".join(character for character in text if character in "\t\n\r" or character >= " ")


def _token(root: Element, token: dict[str, Any]) -> None:
    node = SubElement(root, "token", _attributes(token, ("id", "expires")))
    SubElement(node, "tenant", _attributes(token["tenant"], ("id", "name")))


def _user(root: Element, user: dict[str, Any]) -> None:
    node = SubElement(root, "user", _attributes(user, ("id", "name")))
    roles = SubElement(node, "roles")
    for role in user["roles"]:
        SubElement(roles, "role", _attributes(role, ("id", "name")))


def _attributes(source: dict[str, Any], names: tuple[str, ...]) -> dict[str, str]:
    return {name: printable(str(source[name])) for name in names}
