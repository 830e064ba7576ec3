"""The OpenAPI document of the compute, image and network APIs: every address, who may call it, its parameters.

Shapes of bodies and replies are those of OpenStack's APIs of the same versions and are not repeated here.
"""

from __future__ import annotations

import functools
import inspect
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse

from synnefo.common import openapi
from synnefo.common.describe import Auth, Parameter, Route, number, outline
from synnefo.common.faults import guarded
from synnefo.common.settings import conf
from synnefo.cyclades.api import compute, images, network_extras
from synnefo.cyclades.api.network_resources import RESOURCES

TITLE = "Synnefo compute, image and network service"
TEXT = "What this cloud answers of OpenStack's compute 2.0 and 2.1, image 1 and 2 and network 2.0 APIs."
_GROUP = re.compile(r"\(\[\^/\]\+\)|\(\[a-z\]\+\)|\(\.\+\)")
_ANY_OF = re.compile(r"\(\?:([a-z|-]+)\)(?:\(\?:/\.\*\)\?)?")
_PAGE: dict[str, Parameter | str] = {"limit": number("Size of the page"), "marker": "The last id of the page before"}
_SHOWN = ("extensions", "network-ip-availabilities", "quotas", "security-group-rules", "security-groups")
_PATTERNS = {"name": "[a-z]+"}
_MODERN_ONLY = {("PUT", "servers/{id}/metadata")}
_NAMES = {"key": "id", "item": "key", "_parts": "id"}
type_table = Iterable[tuple[re.Pattern[str], Mapping[str, Callable[..., Any]]]]


def _of_table(root: str, table: type_table, dialect: str) -> Iterator[Route]:
    for pattern, views in table:
        for path in _paths(pattern.pattern):
            for method, view in views.items():
                shown = _with_names(path, view)
                if dialect != "compute-2.0" or (method, shown) not in _MODERN_ONLY:
                    yield _route(f"{root}/{shown}", method, dialect, _summary(view))


def _paths(pattern: str) -> list[str]:
    """A pattern that stands for several words, as several."""
    words = _ANY_OF.search(pattern)
    return [pattern] if words is None else [pattern.replace(words[0], word) for word in words[1].split("|")]


def _with_names(path: str, view: Callable[..., Any]) -> str:
    """Its groups by the names that the view gives them."""
    names = iter(list(inspect.signature(view).parameters)[-len(_GROUP.findall(path)):])
    return _GROUP.sub(lambda _: "{" + (lambda name: _NAMES.get(name, name))(next(names)) + "}", path)


def _summary(view: Callable[..., Any]) -> str:
    text = re.sub(r"^v[12]_", "", view.__name__).replace("_", " ")
    return {"operators only": "Refused: only operators may see this"}.get(text, text.capitalize())


def _route(path: str, method: str, dialect: str, summary: str, auth: Auth = "user") -> Route:
    listed = method == "GET" and not path.endswith("}") and summary.startswith("List")
    return Route(path, method, dialect, outline(summary, auth=auth, query=_PAGE if listed else None),
                 {name: _PATTERNS.get(name, "[^/]+") for name in re.findall(r"\{(\w+)\}", path)})


def _network() -> Iterator[Route]:
    for name, resource in RESOURCES.items():
        yield from _resource(f"/network/v2.0/{name}", resource.collection.replace("_", " "), resource.singular.replace("_", " "),
                             can_reassign=resource.reassign is not None)
    for name in sorted({*network_extras.HANDLERS, *network_extras.EMPTY}):
        yield _route(f"/network/v2.0/{name}", "GET", "neutron", f"List {name}")
    for name in _SHOWN:
        yield _route(f"/network/v2.0/{name}/{{id}}", "GET", "neutron", f"Show one of the {name}")


def _resource(path: str, many: str, one: str, *, can_reassign: bool) -> Iterator[Route]:
    calls = [("", "GET", f"List {many}"), ("/detail", "GET", f"List {many}"), ("", "POST", f"Create a {one}, or several"), ("/{id}", "GET", f"Show a {one}"),
             ("/{id}", "PUT", f"Change a {one}"), ("/{id}", "DELETE", f"Delete a {one}"), ("/{id}/tags", "GET", f"List the tags of a {one}"),
             ("/{id}/tags", "PUT", f"Replace the tags of a {one}"), ("/{id}/tags", "DELETE", f"Remove all tags of a {one}"),
             ("/{id}/tags/{tag}", "GET", f"Tell whether a {one} has a tag"), ("/{id}/tags/{tag}", "PUT", f"Add a tag to a {one}"),
             ("/{id}/tags/{tag}", "DELETE", f"Remove a tag of a {one}"),
             *([("/{id}/action", "POST", f"Let another project pay for a {one}")] if can_reassign else [])]
    for rest, method, summary in calls:
        yield _route(path + rest, method, "neutron", summary)


def described() -> list[Route]:
    """Every method of every address, without the base's path."""
    versions = [("/compute", "synnefo"), ("/compute/v2.0", "synnefo"), ("/compute/v2.1", "synnefo"), ("/image", "synnefo"),
                ("/image/versions", "synnefo"), ("/network", "neutron"), ("/network/v2.0", "neutron"), ("/openapi.json", "synnefo")]
    return [
        *(_route(path, "GET", dialect, "Describe all of this" if "json" in path else "Show versions", "none") for path, dialect in versions),
        *_of_table("/compute/v2.0", compute.ROUTES, "compute-2.0"), *_of_table("/compute/v2.1", compute.ROUTES, "compute-2.1"),
        *_of_table("/image/v1", images.V1, "synnefo"), *_of_table("/image/v2", images.V2, "synnefo"), *_network(),
        _route("/vmapi/v1.0/server-params/{secret}", "GET", "synnefo", "Show the parameters of a build, once, to whom the secret was given", "none"),
    ]


@functools.cache
def _text(server: str) -> bytes:
    return json.dumps(openapi.document(described(), title=TITLE, version=openapi.VERSION, server=server, text=TEXT), separators=(",", ":")).encode()


@guarded()
def show(request: HttpRequest) -> HttpResponse:
    """This document, for everybody."""
    text = _text(str(conf.CYCLADES_BASE_URL).rstrip("/"))
    return HttpResponse(text, content_type="application/json", headers={"Cache-Control": "public, max-age=300"})
