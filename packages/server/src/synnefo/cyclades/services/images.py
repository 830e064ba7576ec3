"""Images: objects of the object store that carry a description in a metadata domain of their own."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import quote, unquote

from synnefo.common.errors import InvalidInput, NotFound
from synnefo.common.ports import Caller, StoredObject, object_store
from synnefo.cyclades.services.servers import ServerImage

DOMAIN = "plankton"
PREFIX = "plankton:"
PROPERTY = "plankton:property:"
OPENSTACK_NAMES = {"OS_TYPE": "OSFAMILY", "OS_DISTRO": "OS", "OS_ADMIN_USER": "USERS"}
"""What other clouds' image properties are called here."""
DISK_FORMATS = ("diskdump", "raw", "qcow2")
"""Whole disks, as the nodes can write them."""
CONTAINER_FORMATS = ("bare", "aki", "ari", "ami", "ovf")
MAX_KEY, MAX_VALUE, MAX_PROPERTIES = 111, 4096, 32
MAX_LOCATION = 4096
MAX_DESCRIPTION, MAX_MEMBERS = 4096, 256
UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
CHANGEABLE = ("name", "disk_format", "container_format", "description")


@dataclass(frozen=True, slots=True)
class Image:
    """One image as both image APIs and the compute API show it."""

    id: str
    name: str
    owner: str
    location: str
    size_bytes: int
    version: int
    mapfile: str
    checksum: str
    disk_format: str
    container_format: str
    description: str
    is_public: bool
    created_at: datetime
    updated_at: datetime
    properties: Mapping[str, str] = field(default_factory=dict)
    members: tuple[str, ...] = ()
    status: str = "AVAILABLE"


def as_image(item: StoredObject) -> Image:
    """An object with its description, as an image."""
    meta = {key.removeprefix(PREFIX): value for key, value in item.meta.items() if key.startswith(PREFIX)}
    properties = {key.removeprefix("property:"): value for key, value in meta.items() if key.startswith("property:")}
    return Image(
        id=item.uuid, name=meta.get("name", ""), owner=item.account, location=location_of(item), size_bytes=item.size_bytes, version=item.version,
        mapfile=item.mapfile, checksum=item.mapfile, disk_format=meta.get("disk_format", "diskdump"),
        container_format=meta.get("container_format", "bare"), description=meta.get("description", properties.get("DESCRIPTION", "")),
        is_public=item.is_public, created_at=item.created_at, updated_at=item.modified_at, properties=properties,
        members=tuple(reader for reader in item.permissions.get("read", ()) if reader != "*"))


def location_of(item: StoredObject) -> str:
    """As `parse_location` reads it, whatever characters the path has."""
    return f"pithos://{quote(item.account)}/{quote(item.container)}/{quote(item.name)}"


def list_images(caller: Caller) -> Iterator[Image]:
    """The caller's own images, those shared with him, and public ones."""
    for item in object_store().list_objects_in_domain(caller, domain=DOMAIN):
        if PREFIX + "name" in item.meta:
            yield as_image(item)


def get_image(caller: Caller, image_id: str) -> Image:
    """Raises `NotFound` for what is no image, or not visible."""
    if UUID.fullmatch(image_id) is None:
        raise NotFound("Image not found.")
    try:
        item = object_store().get_object_by_uuid(caller, image_id.lower(), domain=DOMAIN)
    except NotFound as error:
        raise NotFound("Image not found.") from error
    if PREFIX + "name" not in item.meta:
        raise NotFound("Image not found.")
    return as_image(item)


def image_for_server(caller: Caller, image_id: str) -> ServerImage:
    """What a new server is made from. Raises `NotFound`, `InvalidInput` for an empty image.

    The node knows properties by upper-case names. Of two that differ in case alone, the one whose name sorts last counts.
    """
    image = get_image(caller, image_id)
    if not image.mapfile or image.size_bytes <= 0:
        raise InvalidInput("The image is empty.", field="imageRef")
    properties = {key.upper(): value for key, value in sorted(image.properties.items())}
    for given, known in OPENSTACK_NAMES.items():
        if given in properties:
            properties.setdefault(known, properties[given])
    return ServerImage(image.id, image.version, image.name, image.mapfile, image.size_bytes, image.disk_format, properties)


def parse_location(location: str) -> tuple[str, str, str]:
    """(account, container, name) of `pithos://account/container/path`. Raises `InvalidInput`."""
    scheme, _, rest = location.partition("://")
    parts = rest.split("/", 2)
    if scheme != "pithos" or len(parts) != 3 or not all(parts) or len(location) > MAX_LOCATION:
        raise InvalidInput("A location has the form pithos://ACCOUNT/CONTAINER/PATH.", field="location")
    try:
        account, container, name = (unquote(part, errors="strict") for part in parts)
    except UnicodeDecodeError:
        raise InvalidInput("The location is not valid UTF-8.", field="location") from None
    _require_text(account, container, name)
    return account, container, name


def _require_text(*texts: str) -> None:
    if any("\0" in text or any("\ud800" <= char <= "\udfff" for char in text) for text in texts):
        raise InvalidInput("A text of the image has characters that cannot be kept.")


def register_image(caller: Caller, name: str, location: str, *, properties: Mapping[str, str], is_public: bool = False,
                   disk_format: str = "diskdump", container_format: str = "bare", description: str = "") -> Image:
    """Make an object of the caller's an image; once more overwrites the description. Raises `NotFound`, `Forbidden`, `InvalidInput`."""
    account, container, path = parse_location(location)
    meta = _checked(name, properties, disk_format, container_format, description)
    object_store().get_object(caller, account, container, path, domain=DOMAIN)
    object_store().update_meta(caller, account, container, path, domain=DOMAIN, meta=meta)
    return as_image(_with_readers(caller, account, container, path, is_public))


def require_same(caller: Caller, location: str, *, size: str | None, checksum: str | None) -> None:
    """Refuse a registration that expects other content than the object has. Raises `InvalidInput`, `NotFound`."""
    if size is None and checksum is None:
        return
    item = object_store().get_object(caller, *parse_location(location), domain=DOMAIN)
    if size is not None and size != str(item.size_bytes):
        raise InvalidInput(f"The object has {item.size_bytes} bytes.", field="size")
    if checksum is not None and checksum != item.mapfile:
        raise InvalidInput("The object has another checksum.", field="checksum")


def _with_readers(caller: Caller, account: str, container: str, path: str, is_public: bool | None) -> StoredObject:
    """Add or remove the reader that is everybody; others stay."""
    item = object_store().get_object(caller, account, container, path, domain=DOMAIN)
    if is_public is None or is_public == item.is_public or caller.user_id != account:
        return item
    others = [reader for reader in item.permissions.get("read", ()) if reader != "*"]
    object_store().set_readers(caller, account, container, path, [*others, "*"] if is_public else others)
    return object_store().get_object(caller, account, container, path, domain=DOMAIN)


def _checked(name: str, properties: Mapping[str, str], disk_format: str, container_format: str, description: str) -> dict[str, str]:
    _require_text(name, description, *properties, *properties.values())
    if len(description) > MAX_DESCRIPTION:
        raise InvalidInput(f"A description has at most {MAX_DESCRIPTION} characters.", field="description")
    if not 0 < len(name) <= 255:
        raise InvalidInput("An image needs a name of at most 255 characters.", field="name")
    if disk_format not in DISK_FORMATS:
        raise InvalidInput(f"disk_format is one of {', '.join(DISK_FORMATS)}.", field="disk_format")
    if container_format not in CONTAINER_FORMATS:
        raise InvalidInput(f"container_format is one of {', '.join(CONTAINER_FORMATS)}.", field="container_format")
    if len(properties) > MAX_PROPERTIES or any(len(key) > MAX_KEY or len(value) > MAX_VALUE for key, value in properties.items()):
        raise InvalidInput(f"At most {MAX_PROPERTIES} properties, with names of {MAX_KEY} and values of {MAX_VALUE} characters.")
    found = {PREFIX + "name": name, PREFIX + "disk_format": disk_format, PREFIX + "container_format": container_format,
             PREFIX + "description": description}
    return found | {PROPERTY + key: value for key, value in properties.items()}


def update_image(caller: Caller, image_id: str, *, changes: Mapping[str, str], properties: Mapping[str, str | None], is_public: bool | None = None) -> Image:
    """Change fields of `CHANGEABLE` and properties (None removes one); the rest stays. Raises as `register_image`."""
    image = get_image(caller, image_id)
    account, container, path = parse_location(image.location)
    kept = {key: value for key, value in image.properties.items() if key not in properties}
    merged = kept | {key: value for key, value in properties.items() if value is not None}
    fields = {name: changes.get(name, getattr(image, name)) for name in CHANGEABLE}
    meta: dict[str, str | None] = dict(_checked(properties=merged, **fields))
    meta |= {PROPERTY + key: None for key, value in properties.items() if value is None}
    object_store().update_meta(caller, account, container, path, domain=DOMAIN, meta=meta)
    return as_image(_with_readers(caller, account, container, path, is_public))


def unregister_image(caller: Caller, image_id: str) -> None:
    """Remove the description; the file stays. Raises `NotFound`, `Forbidden`."""
    account, container, path = parse_location(get_image(caller, image_id).location)
    object_store().update_meta(caller, account, container, path, domain=DOMAIN, meta={}, replace=True)


def set_members(caller: Caller, image_id: str, members: list[str]) -> None:
    """Replace who may use a private image. Owner only."""
    image = get_image(caller, image_id)
    if len(members) > MAX_MEMBERS or not all(0 < len(member) <= 255 for member in members):
        raise InvalidInput(f"At most {MAX_MEMBERS} members, each with its id.", field="memberships")
    _require_text(*members)
    account, container, path = parse_location(image.location)
    object_store().set_readers(caller, account, container, path, [*members, *(["*"] if image.is_public else [])])
