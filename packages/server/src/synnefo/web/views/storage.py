"""Files: containers, folders, upload of missing blocks, download, deletion."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils.dateparse import parse_datetime

from synnefo.common.errors import InvalidInput, RequestTooLarge
from synnefo.web.gateway import ApiFault, Gateway
from synnefo.web.views.common import page

PAGE = 500
MAX_HASHMAP_BYTES = 64 * 2**20
DEFAULT_BLOCK_SIZE = 4 * 2**20


@page("GET", "POST")
def containers(request: HttpRequest, gateway: Gateway) -> HttpResponse:
    if request.method == "POST":
        name = request.POST.get("name", "").strip()
        if not name or "/" in name:
            raise InvalidInput("A container needs a name without slashes.")
        gateway.call("PUT", "storage", gateway.account_path(name))
        return HttpResponseRedirect(_folder_url(name, ""))
    listed = gateway.call("GET", "storage", gateway.account_path(), query={"format": "json"}).json() or []
    rows = [item | {"modified": parse_datetime(item["last_modified"])} for item in listed]
    return render(request, "web/storage/containers.html", {"containers": rows})


@page("GET")
def folder(request: HttpRequest, gateway: Gateway, container: str, prefix: str) -> HttpResponse:
    query = {"format": "json", "delimiter": "/", "prefix": prefix, "limit": str(PAGE)}
    if request.GET.get("marker"):
        query["marker"] = request.GET["marker"]
    listed = gateway.call("GET", "storage", gateway.account_path(container), query=query).json() or []
    head = gateway.call("HEAD", "storage", gateway.account_path(container)).headers
    folders = [{"name": item["subdir"][len(prefix):], "url": _folder_url(container, item["subdir"])}
               for item in listed if "subdir" in item]
    files = [_file(container, prefix, item) for item in listed if "subdir" not in item]
    marker = (listed[-1].get("name") or listed[-1]["subdir"]) if len(listed) == PAGE else ""
    parts = [part for part in prefix.split("/") if part]
    crumbs = [{"name": name, "url": _folder_url(container, "".join(f"{part}/" for part in parts[:index]))}
              for index, name in enumerate([container, *parts])]
    context = {"container": container, "prefix": prefix, "title": parts[-1] if parts else container, "crumbs": crumbs[:-1], "folders": folders,
               "files": files, "block_size": head.get("x-container-block-size", DEFAULT_BLOCK_SIZE),
               "next_url": f"?marker={quote(marker)}" if marker else ""}
    return render(request, "web/storage/folder.html", context)


def _folder_url(container: str, prefix: str) -> str:
    return reverse("folder", args=[container, prefix]) if prefix else reverse("container", args=[container])


def _file(container: str, prefix: str, item: dict[str, Any]) -> dict[str, Any]:
    return {"name": item["name"][len(prefix):], "path": item["name"], "bytes": item["bytes"], "modified": parse_datetime(item["last_modified"]),
            "url": reverse("file", args=[container, item["name"]])}


@page("GET")
def download(request: HttpRequest, gateway: Gateway, container: str, name: str) -> HttpResponseBase:
    """The file as an attachment: what users stored is never shown as a page of this site."""
    answer = gateway.call("GET", "storage", gateway.account_path(container, name))
    response = StreamingHttpResponse(answer.pieces(), content_type="application/octet-stream")
    response["Content-Length"] = answer.headers["content-length"]
    response["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(name.rsplit('/', 1)[-1], safe='')}"
    response["Content-Security-Policy"] = "sandbox"
    return response


@page("POST")
def delete(request: HttpRequest, gateway: Gateway, container: str) -> HttpResponse:
    name = request.POST.get("name", "")
    gateway.call("DELETE", "storage", gateway.account_path(container, name))
    messages.success(request, f"Deleted {name}")
    return HttpResponseRedirect(_folder_url(container, "".join(name.rpartition("/")[:2])))


@page("POST")
def upload_hashmap(request: HttpRequest, gateway: Gateway, container: str) -> JsonResponse:
    """Offer a file's block hashes; answers with those that must be sent first, none when the file is written."""
    body = _read_json(request)
    name, size, hashes = body.get("name"), body.get("bytes"), body.get("hashes")
    if not isinstance(name, str) or not name or not isinstance(hashes, list):
        raise InvalidInput("A name and a list of hashes are needed.")
    answer = gateway.call("PUT", "storage", gateway.account_path(container, name), data={"bytes": size, "hashes": hashes},
                          query={"hashmap": "", "format": "json"}, ok=(201, 409))
    missing = answer.json() if answer.status == 409 else []
    if not isinstance(missing, list):
        raise ApiFault(409, "The file cannot be written here.")
    return JsonResponse({"missing": missing}, status=200 if missing else 201)


def _read_json(request: HttpRequest) -> dict[str, Any]:
    if int(request.META.get("CONTENT_LENGTH") or 0) > MAX_HASHMAP_BYTES:
        raise RequestTooLarge("The list of hashes is too long.")
    try:
        body = json.loads(request.read(MAX_HASHMAP_BYTES))
    except ValueError:
        raise InvalidInput("JSON is needed.") from None
    if not isinstance(body, dict):
        raise InvalidInput("A JSON object is needed.")
    return body


@page("POST")
def upload_block(request: HttpRequest, gateway: Gateway, container: str) -> HttpResponse:
    """Pass one block on, as it streams in."""
    answer = gateway.call("POST", "storage", gateway.account_path(container), body=request, query={"update": ""},
                          length=int(request.META.get("CONTENT_LENGTH") or 0), content_type="application/octet-stream")
    return HttpResponse(answer.content, status=answer.status, content_type="text/plain")
