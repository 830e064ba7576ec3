"""Reading requests of the compute and image APIs: bodies, typed and bounded; every wrong shape is a clear refusal."""

from __future__ import annotations

import base64
import binascii
import json
import re
import secrets
import string
from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest

from synnefo.common.errors import InvalidInput, RequestTooLarge
from synnefo.common.ids import ProjectID
from synnefo.common.ports import Caller
from synnefo.common.settings import conf
from synnefo.cyclades.services import flavors, images, keypairs
from synnefo.cyclades.services.server_networks import parse_requested_networks
from synnefo.cyclades.services.servers import ServerRequest

MAX_BODY = 512 * 1024
MAX_USER_DATA = 65535
PASSWORD_LENGTH = 16
PERSONALITY_KEYS = {"path", "contents", "owner", "group", "mode"}
_BASE64 = re.compile(r"^[A-Za-z0-9+/]*={0,2}$")


def json_body(request: HttpRequest) -> dict[str, Any]:
    """The body as a JSON object. Raises `InvalidInput`, `RequestTooLarge`."""
    if not request.headers.get("Content-Type", "").startswith("application/json"):
        raise InvalidInput("A body of the type application/json is needed.")
    length = request.META.get("CONTENT_LENGTH") or "0"
    if length.isdigit() and int(length) > MAX_BODY:
        raise RequestTooLarge(f"At most {MAX_BODY} bytes in this request.")
    raw = request.read(MAX_BODY + 1)
    if len(raw) > MAX_BODY:
        raise RequestTooLarge(f"At most {MAX_BODY} bytes in this request.")
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError):
        raise InvalidInput("Could not decode the request body as JSON.") from None
    if not isinstance(body, dict):
        raise InvalidInput("A JSON object is needed.")
    return body


def member(body: Mapping[str, Any], key: str) -> dict[str, Any]:
    """A member that is an object. Raises `InvalidInput`."""
    found = body.get(key)
    if not isinstance(found, dict):
        raise InvalidInput(f"An object {key!r} is needed.", field=key)
    return found


def text(value: Any, field: str, *, most: int = 255, least: int = 1) -> str:
    """Raises `InvalidInput`."""
    if not isinstance(value, str) or not least <= len(value) <= most or "\0" in value:
        raise InvalidInput(f"{field} is a text of {least} to {most} characters.", field=field)
    return value


def reference(value: Any, field: str) -> str:
    """An id, given as text, number, or as the last part of a URL. Raises `InvalidInput`."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise InvalidInput(f"{field} is missing or no id.", field=field)
    found = str(value)
    return found.rstrip("/").rsplit("/", 1)[-1] if "://" in found else found


def metadata(value: Any) -> dict[str, str]:
    """Raises `InvalidInput` over the limits of count and size."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise InvalidInput("metadata is an object.", field="metadata")
    found = {}
    for key, given in value.items():
        item = str(given) if isinstance(given, int) and not isinstance(given, bool) else given
        found[text(key, "A metadata key", most=50)] = text(item, "A metadata value", most=500, least=0)
    if len(found) > conf.CYCLADES_VM_MAX_METADATA:
        raise InvalidInput(f"A server has at most {conf.CYCLADES_VM_MAX_METADATA} metadata items.", field="metadata")
    return found


def personality(value: Any) -> list[dict[str, Any]]:
    """Files for a new server. Raises `InvalidInput`, `RequestTooLarge`."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise InvalidInput("personality is a list.", field="personality")
    if len(value) > conf.MAX_PERSONALITY:
        raise RequestTooLarge(f"At most {conf.MAX_PERSONALITY} files can be put into a new server.")
    return [_file(item) for item in value]


def _file(item: Any) -> dict[str, Any]:
    if not isinstance(item, dict) or set(item) - PERSONALITY_KEYS or not {"path", "contents"} <= set(item):
        raise InvalidInput("A file has a path, contents, and perhaps owner, group and mode.", field="personality")
    path = text(item["path"], "path", most=1024)
    if not path.startswith("/") or ".." in path.split("/") or not path.isprintable():
        raise InvalidInput("A path is absolute and has no '..'.", field="path")
    contents = item["contents"]
    limit = int(conf.MAX_PERSONALITY_SIZE)
    if not isinstance(contents, str) or not _BASE64.match(contents.replace("\n", "")):
        raise InvalidInput("contents is base64 text.", field="contents")
    if len(contents) > limit * 4 // 3 + 100:
        raise RequestTooLarge(f"A file has at most {limit} bytes.")
    try:
        if len(base64.b64decode(contents)) > limit:
            raise RequestTooLarge(f"A file has at most {limit} bytes.")
    except binascii.Error:
        raise InvalidInput("contents is base64 text.", field="contents") from None
    found: dict[str, Any] = {"path": path, "contents": contents}
    for key in ("owner", "group"):
        if item.get(key) is not None:
            name = text(str(item[key]), key, most=64)
            if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", name):
                raise InvalidInput(f"{key} is a user or group name.", field=key)
            found[key] = name
    mode = item.get("mode")
    if mode is not None:
        if isinstance(mode, bool) or not isinstance(mode, int) or not 0 <= mode <= 0o7777:
            raise InvalidInput("mode is a number up to 4095.", field="mode")
        found["mode"] = mode
    return found


def password(value: Any) -> str:
    """The password that was given, or a good new one. Raises `InvalidInput` for a weak one."""
    if value is None:
        return new_password()
    given = text(value, "adminPass", most=128)
    if len(given) < 10 or not (any(c.isupper() for c in given) and any(c.islower() for c in given) and any(c.isdigit() for c in given)):
        raise InvalidInput("adminPass has at least 10 characters, with upper and lower case letters and digits.", field="adminPass")
    return given


def new_password() -> str:
    alphabet = string.ascii_letters + string.digits
    while True:
        word = "".join(secrets.choice(alphabet) for _ in range(PASSWORD_LENGTH))
        if any(c.islower() for c in word) and any(c.isupper() for c in word) and any(c.isdigit() for c in word):
            return word


def user_data(value: Any) -> str:
    """Base64 for cloud-init. Raises `InvalidInput`."""
    if value is None or value == "":
        return ""
    try:
        if not isinstance(value, str):
            raise InvalidInput("user_data is base64 text.", field="user_data")
        packed = "".join(value.split())
        if len(base64.b64decode(packed, validate=True)) > MAX_USER_DATA:
            raise InvalidInput(f"user_data has at most {MAX_USER_DATA} bytes.", field="user_data")
    except (binascii.Error, ValueError) as error:
        raise InvalidInput("user_data is base64 text.", field="user_data") from error
    return packed


def _key_names(server: Mapping[str, Any]) -> list[str]:
    name, names = server.get("key_name"), server.get("SNF:key_names")
    if name is not None and names is not None:
        raise InvalidInput("Give key_name or SNF:key_names, not both.", field="key_name")
    if names is None:
        return [text(name, "key_name")] if name else []
    if not isinstance(names, list):
        raise InvalidInput("SNF:key_names is a list.", field="SNF:key_names")
    return list(dict.fromkeys(text(item, "SNF:key_names") for item in names))


def _image_reference(server: Mapping[str, Any]) -> str:
    """The image named by imageRef or by the first disk of block_device_mapping_v2; clients send both."""
    given = reference(server["imageRef"], "imageRef") if server.get("imageRef") else ""
    mapping = server.get("block_device_mapping_v2") or []
    if not isinstance(mapping, list) or any(not isinstance(item, dict) for item in mapping):
        raise InvalidInput("block_device_mapping_v2 is a list of objects.", field="block_device_mapping_v2")
    if len(mapping) > 1 or (mapping and mapping[0].get("source_type") != "image"):
        raise InvalidInput("This cloud makes servers with one disk, filled from an image.", field="block_device_mapping_v2")
    mapped = reference(mapping[0].get("uuid"), "uuid") if mapping else given
    if not mapped or (given and given != mapped):
        raise InvalidInput("imageRef names the image of the server.", field="imageRef")
    return mapped


def server_request(caller: Caller, server: Mapping[str, Any], *, networks: Any, idempotency_key: str) -> ServerRequest:
    """A server to be built, every field checked. Raises `InvalidInput`, `NotFound`, `Forbidden`, `RequestTooLarge`."""
    name = text(server.get("name"), "name")
    if "flavorRef" not in server:
        raise InvalidInput("flavorRef names the flavor of the server.", field="flavorRef")
    project = server.get("project")
    project_id = ProjectID(text(project, "project", most=36)) if project is not None else caller.project_id
    counts = (server.get("min_count", 1), server.get("max_count", 1))
    if any(count not in {1, "1"} for count in counts):
        raise InvalidInput("Servers are made one at a time.", field="min_count")
    files, data, chosen_password = personality(server.get("personality")), user_data(server.get("user_data")), password(server.get("adminPass"))
    items, wanted = metadata(server.get("metadata")), parse_requested_networks(networks)
    names = _key_names(server)
    flavor = flavors.flavor_for_server(caller, reference(server["flavorRef"], "flavorRef"), project_id=project_id)
    image = images.image_for_server(caller, _image_reference(server))
    return ServerRequest(
        name=name, flavor=flavor, image=image, password=chosen_password, networks=wanted, metadata=items, personality=files,
        authorized_keys=keypairs.contents_of(caller.user_id, names), key_names=names, user_data=data, project_id=project_id,
        description=text(server.get("description") or "", "description", least=0), idempotency_key=idempotency_key)


