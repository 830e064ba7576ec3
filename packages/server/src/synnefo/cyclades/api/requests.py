"""Reading requests of the compute and image APIs: bodies, typed and bounded; every wrong shape is a clear refusal."""

from __future__ import annotations

import base64
import binascii
import json
import re
import secrets
import string
from collections.abc import Mapping, Sequence
from typing import Any

from django.http import HttpRequest

from synnefo.common.errors import Forbidden, InvalidInput, NotSupported, RequestTooLarge
from synnefo.common.ids import ProjectID
from synnefo.common.ports import Caller
from synnefo.common.settings import conf
from synnefo.cyclades.services import flavors, images, keypairs
from synnefo.cyclades.services.server_networks import parse_requested_networks
from synnefo.cyclades.services.servers import ServerRequest

MAX_BODY = 512 * 1024
MAX_USER_DATA = 65535
PASSWORD_LENGTH = 16
ZONE = "nova"
KNOWN = {"name", "imageRef", "flavorRef", "project", "shared_to_project", "metadata", "personality", "user_data", "adminPass", "key_name", "SNF:key_names",
         "networks", "block_device_mapping_v2", "description", "min_count", "max_count", "return_reservation_id", "security_groups", "availability_zone",
         "config_drive", "OS-DCF:diskConfig", "os:scheduler_hints", "OS-SCH-HNT:scheduler_hints", "accessIPv4", "accessIPv6", "hostname", "tags"}
"""What the modern API takes. The last line's are accepted and have no effect here."""
PERSONALITY_KEYS = {"path", "contents", "owner", "group", "mode"}


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
    """Raises `InvalidInput`, also for what no database stores: NUL and halves of surrogate pairs."""
    if not isinstance(value, str) or not least <= len(value) <= most or not is_storable(value):
        raise InvalidInput(f"{field} is a text of {least} to {most} characters.", field=field)
    return value


def is_storable(value: str) -> bool:
    return "\0" not in value and not any("\ud800" <= char <= "\udfff" for char in value)


def check_text_of(request: HttpRequest) -> None:
    """Refuse a path or query with a NUL, which no database stores. Raises `InvalidInput`."""
    if "\0" in request.path or any("\0" in value for _key, values in request.GET.lists() for value in values):
        raise InvalidInput("The request contains a NUL character.")


def number(value: str, field: str, *, most: int = 2**31 - 1) -> int:
    """A natural number of a query. Raises `InvalidInput`."""
    if not (value.isascii() and value.isdigit()) or len(value) > 18 or int(value) > most:
        raise InvalidInput(f"{field} is a number up to {most}.", field=field)
    return int(value)


def is_id(value: str) -> bool:
    """Whether a text can be the number of one of our objects."""
    return value.isascii() and value.isdigit() and len(value) <= 18


def one_of(value: Any, choices: Sequence[str], field: str) -> str:
    """Raises `InvalidInput`."""
    if not isinstance(value, str) or value not in choices:
        raise InvalidInput(f"{field} is one of: {', '.join(choices)}.", field=field)
    return value


def name_pattern(value: str) -> str:
    """A regular expression over names that every database understands and none takes long for: no look-around, no repeated
    groups, at most three repetitions. Raises `InvalidInput`.
    """
    plain = re.sub(r"\\.|\[[^\]]*\]", "x", value)
    if len(value) > 255 or not is_storable(value) or "(?" in plain or re.search(r"\)[*+?{]", plain) or len(re.findall(r"[*+?{]", plain)) > 3:
        raise InvalidInput("name is a simple regular expression of at most 255 characters.", field="name")
    try:
        re.compile(value)
    except re.error:
        raise InvalidInput("name is no regular expression.", field="name") from None
    return value


def reference(value: Any, field: str) -> str:
    """An id, given as text, number, or as the last part of a URL. Raises `InvalidInput`."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise InvalidInput(f"{field} is missing or no id.", field=field)
    found = str(value)
    if len(found) > 1024 or not is_storable(found):
        raise InvalidInput(f"{field} is no id.", field=field)
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
    if not path.startswith("/") or path.endswith("/") or ".." in path.split("/") or not path.isprintable():
        raise InvalidInput("A path is absolute, names a file and has no '..'.", field="path")
    contents = item["contents"]
    limit = int(conf.MAX_PERSONALITY_SIZE)
    if not isinstance(contents, str):
        raise InvalidInput("contents is base64 text.", field="contents")
    packed = "".join(contents.split())
    if len(packed) > -(-limit // 3) * 4:
        raise RequestTooLarge(f"A file has at most {limit} bytes.")
    try:
        if len(base64.b64decode(packed, validate=True)) > limit:
            raise RequestTooLarge(f"A file has at most {limit} bytes.")
    except (binascii.Error, ValueError):
        raise InvalidInput("contents is base64 text.", field="contents") from None
    found: dict[str, Any] = {"path": path, "contents": packed}
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
        return [] if name in (None, "") else [text(name, "key_name")]
    if not isinstance(names, list):
        raise InvalidInput("SNF:key_names is a list.", field="SNF:key_names")
    return list(dict.fromkeys(text(item, "SNF:key_names") for item in names))


def _image_reference(server: Mapping[str, Any]) -> tuple[str, int | None]:
    """The image named by imageRef or by the first disk of block_device_mapping_v2 (clients send both), and that disk's size if given."""
    given = reference(server["imageRef"], "imageRef") if server.get("imageRef") not in (None, "") else ""
    mapping = server.get("block_device_mapping_v2")
    mapping = [] if mapping is None else mapping
    if not isinstance(mapping, list) or any(not isinstance(item, dict) for item in mapping):
        raise InvalidInput("block_device_mapping_v2 is a list of objects.", field="block_device_mapping_v2")
    if len(mapping) > 1 or (mapping and mapping[0].get("source_type") != "image"):
        raise InvalidInput("This cloud makes servers with one disk, filled from an image.", field="block_device_mapping_v2")
    mapped = reference(mapping[0].get("uuid"), "uuid") if mapping else given
    if not mapped or (given and given != mapped):
        raise InvalidInput("imageRef names the image of the server.", field="imageRef")
    size = mapping[0].get("volume_size") if mapping else None
    return mapped, None if size is None else number(reference(size, "volume_size"), "volume_size")


def _check_only_one(server: Mapping[str, Any]) -> None:
    for key in ("min_count", "max_count"):
        if str(server.get(key, 1)) != "1":
            raise InvalidInput("Servers are made one at a time.", field=key)


def _check_offered(server: Mapping[str, Any]) -> None:
    shared = server.get("shared_to_project", False)
    if not isinstance(shared, bool):
        raise InvalidInput("shared_to_project is true or false.", field="shared_to_project")
    if shared:
        raise Forbidden("Sharing of servers is not offered by this cloud.")
    if server.get("tags"):
        raise NotSupported("Tags of servers are not offered by this cloud.")


def check_known(server: Mapping[str, Any]) -> None:
    """Refuse members nobody reads: a misspelt one must not be ignored. Raises `InvalidInput`."""
    unknown = sorted(set(server) - KNOWN)
    if unknown:
        raise InvalidInput(f"Unknown member {unknown[0][:50]!r} of server.", field="server")
    if server.get("availability_zone") and server["availability_zone"] != ZONE:
        raise InvalidInput(f"availability_zone is {ZONE}.", field="availability_zone")


def server_request(caller: Caller, server: Mapping[str, Any], *, networks: Any, idempotency_key: str) -> ServerRequest:
    """A server to be built, every field checked. Raises `InvalidInput`, `NotFound`, `Forbidden`, `RequestTooLarge`."""
    name = text(server.get("name"), "name")
    project = server.get("project")
    project_id = ProjectID(text(project, "project", most=36)) if project is not None else caller.project_id
    _check_only_one(server)
    files, data, chosen_password = personality(server.get("personality")), user_data(server.get("user_data")), password(server.get("adminPass"))
    items, wanted = metadata(server.get("metadata")), parse_requested_networks(networks)
    names, (image_id, size) = _key_names(server), _image_reference(server)
    description = server.get("description")
    description = "" if description is None else text(description, "description", least=0)
    _check_offered(server)
    flavor = flavors.flavor_for_server(caller, reference(server.get("flavorRef"), "flavorRef"), project_id=project_id)
    if size not in {None, flavor.disk}:
        raise InvalidInput(f"The first disk has the size of the flavor's: {flavor.disk} GiB.", field="block_device_mapping_v2")
    image = images.image_for_server(caller, image_id)
    return ServerRequest(
        name=name, flavor=flavor, image=image, password=chosen_password, networks=wanted, metadata=items, personality=files,
        authorized_keys=keypairs.contents_of(caller.user_id, names), key_names=names, user_data=data, project_id=project_id,
        description=description, idempotency_key=idempotency_key)
