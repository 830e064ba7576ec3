"""Writes OpenAPI 3.1 documents of described routes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import TypeAdapter

from synnefo import __version__
from synnefo.common.describe import ANY, Auth, Operation, Route
from synnefo.common.faults import faults_of_status

VERSION = __version__
_REF = "#/components/schemas/{model}"
_XML = "xml"
SECURITY: dict[Auth, list[dict[str, list[str]]]] = {
    "none": [], "user": [{"userToken": []}, {"bearerToken": []}], "account": [{"userToken": []}, {"bearerToken": []}],
    "component": [{"componentToken": []}], "caller": [{"userToken": []}, {"componentToken": []}],
    "account_or_component": [{"userToken": []}, {"componentToken": []}], "admin": [{"userToken": []}],
    "client": [{"client": []}, {}], "bearer": [{"bearerToken": []}],
}
SCHEMES: dict[str, dict[str, str]] = {
    "userToken": {"type": "apiKey", "in": "header", "name": "X-Auth-Token", "description": "A live token of an active user."},
    "componentToken": {"type": "apiKey", "in": "header", "name": "X-Auth-Token", "description": "The token of a registered service."},
    "bearerToken": {"type": "http", "scheme": "bearer", "description": "The same tokens, as Authorization: Bearer."},
    "client": {"type": "http", "scheme": "basic", "description": "An OAuth2 client's id and secret; they may also be fields of the form."},
}
_WORDS: dict[int, str] = {
    400: "The request is malformed.", 401: "Credentials are missing, or nobody vouches for them.", 403: "You may not do this.",
    404: "There is no such thing for you.", 405: "Your account, or the address, does not allow it.", 409: "The present state forbids it.", 411: "The length is missing.",
    412: "A condition does not hold.", 413: "The request is too large, or a quota would be passed.", 415: "Wrong type of body.",
    416: "The range lies outside.", 422: "The contents are not what was declared.", 429: "Too many tries.",
    501: "This cloud does not offer it.", 503: "Try again in a moment.",
}
_FAULT_BODY = {
    "type": "object", "required": ["code", "message"], "additionalProperties": False,
    "properties": {"code": {"type": "integer"}, "message": {"type": "string"}, "details": {"type": "string"}, "data": {"type": "object"}}}
_KEYSTONE = {
    "type": "object", "required": ["error"], "additionalProperties": False, "properties": {"error": {
        "type": "object", "required": ["code", "title", "message"], "additionalProperties": False,
        "properties": {"code": {"type": "integer"}, "title": {"type": "string"}, "message": {"type": "string"}}}}}
_NEUTRON = {
    "type": "object", "required": ["NeutronError"], "additionalProperties": {"$ref": _REF.format(model="FaultBody")},
    "properties": {"NeutronError": {
        "type": "object", "required": ["type", "message", "detail"],
        "properties": {"type": {"type": "string"}, "message": {"type": "string"}, "detail": {"type": "string"}}}}}
_OAUTH = {"type": "object", "required": ["error"], "properties": {"error": {"type": "string"}, "error_description": {"type": "string"}}}


def document(routes: Iterable[Route], *, title: str, version: str, server: str, text: str = "") -> dict[str, Any]:
    """The whole document. Raises `ValueError` for a route that is not described."""
    known = list(routes)
    names, schemas = _schemas(known)
    paths: dict[str, dict[str, Any]] = {}
    for route in known:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, names)
    return {
        "openapi": "3.1.0", "info": {"title": title, "version": version, "description": text}, "servers": [{"url": server}],
        "paths": paths, "components": {
            "securitySchemes": SCHEMES,
            "schemas": {**schemas, "FaultBody": _FAULT_BODY, "KeystoneFault": _KEYSTONE, "NeutronFault": _NEUTRON, "OAuthFault": _OAUTH}}}


def _schemas(routes: Sequence[Route]) -> tuple[dict[tuple[int, str], Any], dict[str, Any]]:
    """The schema of each body and reply, by (id of the type, mode), and the models they refer to."""
    wanted: dict[tuple[int, str], tuple[Any, Any, Any]] = {}
    for route in routes:
        operation = route.known
        for kind, mode in ((operation.body, "validation"), (operation.reply, "serialization")):
            if kind is not None:
                wanted[id(kind), mode] = (id(kind), mode, TypeAdapter(kind))
    found, shared = TypeAdapter.json_schemas(list(wanted.values()), ref_template=_REF, by_alias=True)
    inline, models = _renamed([{f"{key}/{mode}": schema for (key, mode), schema in found.items()}, shared.get("$defs", {})])
    return {(int(key.partition("/")[0]), key.partition("/")[2]): schema for key, schema in inline.items()}, models


def _renamed(parts: Any) -> Any:
    """The same with names that people would choose: models of a module's own are bodies, namesakes carry their module."""
    names = {name: _model_name(name) for name in parts[1]}
    text = json.dumps([parts[0], {names[name]: schema for name, schema in parts[1].items()}])
    return json.loads(re.sub(r'"#/components/schemas/(\w+)"', lambda match: f'"{_REF.format(model=names[match[1]])}"', text))


def _model_name(name: str) -> str:
    module, _, plain = name.rpartition("__")
    is_private = plain.startswith("_") or module.endswith("_")
    prefix = "".join(word.capitalize() for word in module.rpartition("__")[2].split("_"))
    return f"{prefix}{plain.lstrip('_')}{'Body' if is_private else ''}"


def _operation(route: Route, names: Mapping[tuple[int, str], Any]) -> dict[str, Any]:
    operation = route.known
    shown: dict[str, Any] = {
        "operationId": operation_id(route), "summary": operation.summary, "tags": [_tag(route.path)],
        "parameters": _parameters(route, operation), "security": SECURITY[operation.auth],
        "responses": _responses(route, operation, names)}
    if operation.text:
        shown["description"] = operation.text
    if operation.body is not None:
        shown["requestBody"] = {"required": not operation.is_body_optional,
                                "content": {operation.body_type: {"schema": names[id(operation.body), "validation"]}}}
    return shown


def operation_id(route: Route) -> str:
    """A name for generated clients, unique because method and path are."""
    return f"{route.method.lower()}_{re.sub(r'[^A-Za-z0-9]+', '_', route.path).strip('_')}"


def _tag(path: str) -> str:
    """The API that an address belongs to: its first part, with the version."""
    parts = path.strip("/").split("/")
    return "/".join(parts[:2]) if len(parts) > 1 and re.match(r"v\d", parts[1]) else parts[0]


def _parameters(route: Route, operation: Operation) -> list[dict[str, Any]]:
    inside = [{"name": name, "in": "path", "required": True, "schema": {"type": "string", "pattern": f"^(?:{route.patterns[name]})$"}}
              for name in re.findall(r"\{(\w+)\}", route.path)]
    others = [{"name": name, "in": place, "required": item.required, "description": item.text, "schema": dict(item.schema)}
              for place, items in (("query", operation.query), ("header", operation.headers)) for name, item in items.items()]
    return inside + others


def _responses(route: Route, operation: Operation, names: Mapping[tuple[int, str], Any]) -> dict[str, Any]:
    if operation.status == ANY:
        refusal = {"description": "A refusal, in the dialect's envelope.", "content": _any_fault(route.dialect)}
        return {"2XX": {"description": operation.summary + "."}, "3XX": {"description": "Not modified, or found elsewhere."},
                "4XX": refusal, "5XX": refusal}
    good: dict[str, Any] = {"description": operation.summary + "."}
    if operation.reply is not None:
        schema = names[id(operation.reply), "serialization"]
        good["content"] = {kind: {} if _XML in kind else {"schema": schema} for kind in operation.reply_types}
    if operation.reply_headers:
        good["headers"] = {name: {"description": text, "schema": {"type": "string"}} for name, text in operation.reply_headers.items()}
    others: dict[str, Any] = {kind: {} for kind in operation.reply_types if _XML in kind}
    return {str(operation.status): good} | {
        str(status): {"description": _WORDS[status], "content": _fault(operation.faults or route.dialect, status) | others}
        for status in route.refusals()}


def _fault(dialect: str, status: int) -> dict[str, Any]:
    """The envelope in which the dialect refuses."""
    if dialect == "plain":
        return {"text/plain": {"schema": {"type": "string"}}}
    if dialect == "swift":
        return {"text/html": {"schema": {"type": "string"}}}
    if dialect in _SHARED:
        return {"application/json": {"schema": {"$ref": _REF.format(model=_SHARED[dialect])}}}
    return {"application/json": {"schema": {
        "type": "object", "minProperties": 1, "maxProperties": 1, "propertyNames": {"enum": faults_of_status(status, dialect)},
        "additionalProperties": {"$ref": _REF.format(model="FaultBody")}}}}


def _any_fault(dialect: str) -> dict[str, Any]:
    """As `_fault`, of any status."""
    if dialect in {"plain", "swift", *_SHARED}:
        return _fault(dialect, 400)
    return {"application/json": {"schema": {
        "type": "object", "minProperties": 1, "maxProperties": 1, "additionalProperties": {"$ref": _REF.format(model="FaultBody")}}}}


_SHARED = {"keystone": "KeystoneFault", "neutron": "NeutronFault", "oauth2": "OAuthFault"}
