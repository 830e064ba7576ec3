"""Version documents of the compute and image APIs. No token is needed to read them."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse

from synnefo.common.settings import conf

MEDIA = [{"base": "application/json", "type": "application/vnd.openstack.compute+json;version=2.1"}]


def _root(service: str) -> str:
    return f"{str(conf.CYCLADES_BASE_URL).rstrip('/')}/{service}"


def _version(service: str, key: str, status: str, **more: Any) -> dict[str, Any]:
    href = f"{_root(service)}/{key if service != 'image' else 'v2' if key.startswith('v2') else 'v1.0'}/"
    return {"id": key, "status": status, "updated": "2026-11-01T00:00:00Z", "links": [{"rel": "self", "href": href}], **more}


def _compute() -> list[dict[str, Any]]:
    return [_version("compute", "v2.0", "SUPPORTED", version="", min_version=""),
            _version("compute", "v2.1", "CURRENT", version="2.56", min_version="2.1")]


def compute(request: HttpRequest) -> HttpResponse:
    return JsonResponse({"versions": _compute()})


def compute_version(request: HttpRequest, version: str) -> HttpResponse:
    return JsonResponse({"version": next(item for item in _compute() if item["id"] == version) | {"media-types": MEDIA}})


def _images() -> list[dict[str, Any]]:
    modern = [_version("image", f"v2.{minor}", "CURRENT" if minor == 7 else "SUPPORTED") for minor in range(7, -1, -1)]
    return [*modern, _version("image", "v1.0", "DEPRECATED")]


def image(request: HttpRequest) -> HttpResponse:
    return JsonResponse({"versions": _images()}, status=300 if request.path.endswith("image") or request.path.endswith("image/") else 200)
