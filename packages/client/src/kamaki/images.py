"""Plankton: images, which are objects of the object store with a description (Image v1)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote, unquote

import httpx

from kamaki.transport import Transport

_META = "x-image-meta-"
_PROPERTY = "x-image-meta-property-"


class Images:
    def __init__(self, transport: Transport) -> None:
        self.api = transport

    def list_images(self, *, detail: bool = True) -> list[dict[str, Any]]:
        answer = self.api.json("GET", "/images/detail" if detail else "/images/")
        return list(answer["images"] if isinstance(answer, dict) else answer)

    def get_image(self, image_id: str) -> dict[str, Any]:
        return _from_headers(self.api.request("HEAD", f"/images/{quote(image_id)}").headers)

    def register_image(self, name: str, location: str, *, properties: Mapping[str, str], is_public: bool = False,
                       **fields: str) -> dict[str, Any]:
        """Make the object at `location` (pithos://account/container/path) an image."""
        headers = {_META + "name": quote(name), _META + "location": location, _META + "is-public": str(is_public)}
        headers |= {_META + key.replace("_", "-"): value for key, value in fields.items()}
        headers |= {_PROPERTY + key: quote(value) for key, value in properties.items()}
        return _from_headers(self.api.request("POST", "/images/", headers=headers).headers)

    def unregister_image(self, image_id: str) -> None:
        self.api.request("DELETE", f"/images/{quote(image_id)}")


def _from_headers(headers: httpx.Headers) -> dict[str, Any]:
    image: dict[str, Any] = {"properties": {}}
    for key, value in _image_headers(headers):
        if key.startswith(_PROPERTY):
            image["properties"][key.removeprefix(_PROPERTY).replace("-", "_").upper()] = value
        else:
            image[key.removeprefix(_META).replace("-", "_")] = value
    return image


def _image_headers(headers: httpx.Headers) -> Iterator[tuple[str, str]]:
    for key, value in headers.items():
        if key.lower().startswith(_META):
            yield key.lower(), unquote(value)
