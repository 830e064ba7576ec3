"""What servers are made from in the compute API: flavors, images, key pairs; and what the cloud says about itself."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse, JsonResponse

from synnefo.common.errors import Forbidden, InvalidInput, NotFound, NotSupported
from synnefo.common.ports import quota
from synnefo.cyclades.api import representations, requests
from synnefo.cyclades.api.compute_call import Call, page
from synnefo.cyclades.models import KeyPair
from synnefo.cyclades.services import flavors, images, keypairs

FLAVOR_COLUMNS = {"id": "pk", "flavorid": "pk", "memory_mb": "ram", "vcpus": "cpu", "root_gb": "disk", "created_at": "pk"}
EXTENSIONS = ("os-keypairs", "os-volume_attachments", "os-availability-zone", "os-floating-ips", "SNF")


# Flavors ------------------------------------------------------------------------------------------------------------


def _flavors(call: Call, *, detail: bool) -> HttpResponse:
    rows = flavors.visible_flavors(call.caller)
    for key, column in (("minRam", "ram__gte"), ("minDisk", "disk__gte")):
        if key in call.query:
            rows = rows.filter(**{column: requests.number(call.query[key], key)})
    public = call.query.get("is_public" if call.modern else "SNF:is_public", "none").lower()
    if public in {"true", "false"} and not (call.modern and not call.caller.is_admin):
        rows = rows.filter(public=public == "true")
    if "SNF:flavor-access" in call.query:
        project = call.query["SNF:flavor-access"]
        rows = rows.filter(accesses__project_id=project) if project in call.caller.project_ids else rows.none()
    more: list[dict[str, str]] = []
    if call.modern:
        rows, more = page(call, rows, "flavors/detail" if detail else "flavors", FLAVOR_COLUMNS, markers=flavors.visible_flavors(call.caller),
                          newest_first=False)
    shown = [representations.flavor(item, detail=detail, modern=call.modern, microversion=call.microversion) for item in rows]
    return JsonResponse({"flavors": shown} | ({"flavors_links": more} if more else {}))


def list_flavors(call: Call) -> HttpResponse:
    return _flavors(call, detail=False)


def list_flavors_detail(call: Call) -> HttpResponse:
    return _flavors(call, detail=True)


def get_flavor(call: Call, key: str) -> HttpResponse:
    found = flavors.get_flavor(call.caller, str(call.number(key, "Flavor")))
    return JsonResponse({"flavor": representations.flavor(found, detail=True, modern=call.modern, microversion=call.microversion)})


def get_extra_specs(call: Call, key: str) -> HttpResponse:
    """Specs are the operator's; users see that there are none."""
    flavors.get_flavor(call.caller, str(call.number(key, "Flavor")))
    return JsonResponse({"extra_specs": {}})


def operators_only(call: Call, *_parts: str) -> HttpResponse:
    raise Forbidden("Only operators may see this.")


# Images -------------------------------------------------------------------------------------------------------------


def _images(call: Call, *, detail: bool) -> HttpResponse:
    found = sorted(images.list_images(call.caller), key=lambda item: item.id)
    return JsonResponse({"images": [representations.image(item, detail=detail, version=call.version) for item in found]})


def list_images(call: Call) -> HttpResponse:
    return _images(call, detail=False)


def list_images_detail(call: Call) -> HttpResponse:
    return _images(call, detail=True)


def get_image(call: Call, key: str) -> HttpResponse:
    return JsonResponse({"image": representations.image(images.get_image(call.caller, key), detail=True, version=call.version)})


def create_image(call: Call) -> HttpResponse:
    raise NotSupported("Upload the file to the object store and register it with the image service.")


def delete_image(call: Call, key: str) -> HttpResponse:
    images.unregister_image(call.caller, key)
    return HttpResponse(status=204)


# Key pairs ----------------------------------------------------------------------------------------------------------


def _keypair(call: Call, item: KeyPair, *, detail: bool = False) -> dict[str, Any]:
    found: dict[str, Any] = {"name": item.name, "fingerprint": item.fingerprint, "public_key": item.content}
    if call.microversion >= (2, 2):
        found["type"] = "ssh"
    if detail:
        found |= {"id": item.pk, "user_id": item.user_id, "deleted": False, "created_at": representations.iso(item.created_at),
                  "updated_at": representations.iso(item.updated_at), "deleted_at": None}
    return found


def list_keypairs(call: Call) -> HttpResponse:
    """By name; a user has so few that no page is ever cut, but clients may ask to go on behind a marker."""
    rows = list(KeyPair.objects.filter(user_id=call.caller.user_id))
    marker = call.query.get("marker")
    if marker and call.microversion >= (2, 35):
        names = [item.name for item in rows]
        if marker not in names:
            raise InvalidInput("marker names no key pair.", field="marker")
        rows = rows[names.index(marker) + 1 :]
    if "limit" in call.query and call.microversion >= (2, 35):
        rows = rows[: requests.number(call.query["limit"], "limit") or None]
    return JsonResponse({"keypairs": [{"keypair": _keypair(call, item)} for item in rows]})


def create_keypair(call: Call) -> HttpResponse:
    body = requests.member(requests.json_body(call.request), "keypair")
    requests.one_of(body.get("type", "ssh"), ("ssh",), "type")
    key = body.get("public_key")
    made, private = keypairs.create_keypair(call.caller.user_id, requests.text(body.get("name"), "name"),
                                            requests.text(key, "public_key", most=100_000) if key is not None else None)
    shown = _keypair(call, made) | {"user_id": made.user_id} | ({"private_key": private} if private else {})
    return JsonResponse({"keypair": shown}, status=200 if call.modern and call.microversion < (2, 2) else 201)


def get_keypair(call: Call, name: str) -> HttpResponse:
    return JsonResponse({"keypair": _keypair(call, keypairs.get_keypair(call.caller.user_id, name), detail=True)})


def delete_keypair(call: Call, name: str) -> HttpResponse:
    keypairs.get_keypair(call.caller.user_id, name).delete()
    return HttpResponse(status=202 if call.modern and call.microversion < (2, 2) else 204)


# The cloud ----------------------------------------------------------------------------------------------------------


def get_limits(call: Call) -> HttpResponse:
    caller = call.caller
    usages = quota("cyclades").usages(user_ids=[caller.user_id], project_ids=[caller.project_id])
    found = usages.get(caller.user_id, {}).get(caller.project_id, {})
    return JsonResponse({"limits": {"rate": [], "absolute": representations.limits_of(dict(found))}})


def get_zones(call: Call) -> HttpResponse:
    return JsonResponse({"availabilityZoneInfo": [{"zoneName": requests.ZONE, "zoneState": {"available": True}, "hosts": None}]})


def _extension(name: str) -> dict[str, Any]:
    return {"name": name, "alias": name, "namespace": "", "updated": "2026-11-01T00:00:00Z", "description": name, "links": []}


def list_extensions(call: Call) -> HttpResponse:
    return JsonResponse({"extensions": [_extension(name) for name in EXTENSIONS] if call.modern else []})


def get_extension(call: Call, name: str) -> HttpResponse:
    if not call.modern or name not in EXTENSIONS:
        raise NotFound("Extension not found.")
    return JsonResponse({"extension": _extension(name)})


def list_server_groups(call: Call) -> HttpResponse:
    return JsonResponse({"server_groups": []})
