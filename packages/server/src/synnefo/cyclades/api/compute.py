"""The compute API, v2.0 (legacy) and v2.1 (modern), over one set of services.

`ROUTES` is the table of both: path pattern, method, view, surfaces. A view gets (call, *path groups) and returns a response.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from synnefo.common import errors, faults
from synnefo.common.auth import api_caller
from synnefo.common.errors import Forbidden, InvalidInput, MethodNotAllowed, NotFound, NotSupported
from synnefo.common.faults import Fault
from synnefo.common.ports import Caller, quota
from synnefo.common.settings import conf
from synnefo.cyclades import policy
from synnefo.cyclades.api import representations, requests
from synnefo.cyclades.models import KeyPair, Network, OperState, Server, ServerDiagnostic
from synnefo.cyclades.services import consoles, flavors, images, keypairs, servers

LEGACY, MODERN = "v2.0", "v2.1"
LOWEST, HIGHEST = (2, 1), (2, 56)
ZONE = "nova"

faults.add_dialect("compute-2.0", overrides={
    # The legacy surface knows "busy" only while a server is built.
    errors.StateConflict: Fault("conflict", 409), errors.Busy: Fault("buildInProgress", 409),
})
faults.add_dialect("compute-2.1", overrides={
    errors.QuotaExceeded: Fault("forbidden", 403), errors.Busy: Fault("conflictingRequest", 409), errors.StateConflict: Fault("conflictingRequest", 409),
    policy.WrongState: Fault("conflictingRequest", 409),
})


@dataclass(frozen=True, slots=True)
class Call:
    """One request on one surface."""

    request: HttpRequest
    caller: Caller
    version: str
    microversion: tuple[int, int]

    @property
    def modern(self) -> bool:
        return self.version == MODERN

    @property
    def query(self) -> Any:
        return self.request.GET


type_view = Callable[..., HttpResponse]


# Dispatch ---------------------------------------------------------------------------------------------------------


def dispatch(request: HttpRequest, version: str, path: str) -> HttpResponse:
    """Find the route, do the call, answer in the surface's dialect."""
    dialect = "compute-2.1" if version == MODERN else "compute-2.0"
    try:
        microversion = _microversion(request) if version == MODERN else (2, 0)
        view, groups = _find(request, version, path)
        response = view(Call(request, api_caller(request), version, microversion), *groups)
    except _NotAcceptable as error:
        return JsonResponse({"computeFault": {"code": 406, "message": str(error)}}, status=406)
    except Exception as error:  # noqa: BLE001 - the process boundary of a request
        response = faults.render(error, dialect)
        microversion = LOWEST
    _finish(response, version, microversion)
    return response


dispatch.csrf_exempt = True  # type: ignore[attr-defined]


class _NotAcceptable(Exception):
    pass


def _finish(response: HttpResponse, version: str, microversion: tuple[int, int]) -> None:
    response["Vary"] = "X-Auth-Token"
    response["Cache-Control"] = "no-cache, no-store, must-revalidate"
    if version == MODERN:
        text = f"{microversion[0]}.{microversion[1]}"
        response["OpenStack-API-Version"] = f"compute {text}"
        response["X-OpenStack-Nova-API-Version"] = text
        response["Vary"] = "X-Auth-Token, OpenStack-API-Version, X-OpenStack-Nova-API-Version"


def _microversion(request: HttpRequest) -> tuple[int, int]:
    text = request.headers.get("X-OpenStack-Nova-API-Version", "")
    for item in request.headers.get("OpenStack-API-Version", "").split(","):
        service, _, value = item.strip().partition(" ")
        if service.lower() == "compute":
            text = value.strip()
    if not text:
        return LOWEST
    if text == "latest":
        return HIGHEST
    match = re.fullmatch(r"([1-9]\d{0,3})\.(\d{1,4})", text)
    if match is None:
        raise InvalidInput("The API version has the form MAJOR.MINOR.")
    wanted = (int(match[1]), int(match[2]))
    if not LOWEST <= wanted <= HIGHEST:
        raise _NotAcceptable(f"Version {text} is not supported. Minimum is 2.1 and maximum is 2.56.")
    return wanted


def _find(request: HttpRequest, version: str, path: str) -> tuple[type_view, tuple[str, ...]]:
    path = re.sub(r"\.json$", "", path.strip("/")) if version == LEGACY else path.strip("/")
    if request.GET.get("format") == "xml" or path.endswith(".xml"):
        raise InvalidInput("Only JSON is spoken here.")
    allowed: list[str] = []
    for pattern, methods in ROUTES:
        match = pattern.fullmatch(path)
        if match is None:
            continue
        view = methods.get(request.method or "")
        if view is not None:
            return view, match.groups()
        allowed += list(methods)
    if allowed:
        raise MethodNotAllowed(tuple(dict.fromkeys(allowed)))
    api_caller(request)
    if version == LEGACY:
        raise InvalidInput("API endpoint not found.")
    raise NotFound("API endpoint not found.")


def _id(text: str) -> int:
    """A number from a path. Tools try names first and expect that there is no such thing."""
    if not (text.isascii() and text.isdigit()) or len(text) > 18:
        raise NotFound("Server not found.")
    return int(text)


# Servers ----------------------------------------------------------------------------------------------------------


def list_servers(call: Call) -> HttpResponse:
    return _list(call, detail=False)


def list_servers_detail(call: Call) -> HttpResponse:
    return _list(call, detail=True)


def _list(call: Call, *, detail: bool) -> HttpResponse:
    since = _changes_since(call)
    rows = policy.visible_servers(call.caller, deleted=None if since is not None else False)
    if since is not None:
        rows = rows.filter(updated_at__gte=since)
    rows = _filtered(call, rows)
    more: list[dict[str, str]] = []
    if call.modern:
        rows, more = _page(call, rows)
    if since is not None and not call.modern and not rows.exists():
        return HttpResponse(status=304)
    if detail:
        rows = representations.with_details(rows)
        shown = [show(call, server) for server in rows]
    else:
        shown = representations.briefs(rows, call.version)
    body: dict[str, Any] = {"servers": shown}
    if more:
        body["servers_links"] = more
    return JsonResponse(body)


def show(call: Call, server: Server) -> dict[str, Any]:
    return representations.modern(server, call.caller, call.microversion) if call.modern else representations.legacy(server)


def _changes_since(call: Call) -> datetime | None:
    text = call.query.get("changes-since")
    if not text:
        return None
    try:
        parsed = parse_datetime(text.replace(" ", "+"))
    except ValueError:
        parsed = None
    if parsed is None or parsed.tzinfo is None:
        raise InvalidInput("changes-since is an ISO 8601 time with a zone.", field="changes-since")
    now = timezone.now()
    if not call.modern and not now - timedelta(seconds=conf.POLL_LIMIT) <= parsed <= now:
        raise InvalidInput(f"changes-since lies within the last {conf.POLL_LIMIT} seconds.", field="changes-since")
    return parsed.astimezone(UTC)


def _filtered(call: Call, rows: QuerySet[Server]) -> QuerySet[Server]:
    query = call.query
    if query.get("name"):
        try:
            re.compile(query["name"])
        except re.error:
            raise InvalidInput("name is no regular expression.", field="name") from None
        rows = rows.filter(name__regex=query["name"])
    statuses = [item.upper() for item in query.getlist("status")]
    if statuses:
        table = representations.MODERN_STATUS if call.modern else representations.LEGACY_STATUS
        rows = rows.filter(operstate__in=[state for state, shown in table.items() if shown in statuses])
    for key, column in (("flavor", "flavor_id"), ("image", "image_id")):
        if query.get(key):
            value = requests.reference(query[key], key)
            rows = rows.filter(**{column: value}) if key == "image" or value.isdigit() else rows.none()
    return rows


def _page(call: Call, rows: QuerySet[Server]) -> tuple[QuerySet[Server], list[dict[str, str]]]:
    """Newest first as clients expect, unless asked otherwise; `marker` is the last id of the page before."""
    limit = _limit(call)
    newest_first = call.query.get("sort_dir", "desc") != "asc"
    rows = rows.order_by("-id" if newest_first else "id")
    marker = call.query.get("marker")
    if marker:
        if not marker.isdigit() or not policy.visible_servers(call.caller, deleted=None).filter(pk=int(marker[:18])).exists():
            raise InvalidInput("marker names no server.", field="marker")
        rows = rows.filter(Q(pk__lt=int(marker)) if newest_first else Q(pk__gt=int(marker)))
    keys = list(rows.values_list("pk", flat=True)[: limit + 1])
    more = []
    if len(keys) > limit:
        href = f"{representations.root()}/v2.1/servers?limit={limit}&marker={keys[limit - 1]}"
        more = [{"rel": "next", "href": href}]
    return rows.filter(pk__in=keys[:limit]), more


def _limit(call: Call) -> int:
    text = call.query.get("limit")
    most = int(conf.CYCLADES_API_MAX_LIMIT)
    if text is None:
        return most
    if not (text.isascii() and text.isdigit()) or len(text) > 9:
        raise InvalidInput("limit is a number.", field="limit")
    return min(int(text) or most, most)


def create_server(call: Call) -> HttpResponse:
    server = requests.member(requests.json_body(call.request), "server")
    request = requests.server_request(call.caller, server, networks=_networks(call, server), idempotency_key=_idempotency_key(call))
    made = servers.create_server(call.caller, request)
    detailed = representations.with_details(Server.objects.filter(pk=made.pk)).get()
    body = show(call, detailed) | {"adminPass": request.password}
    if made.operstate == OperState.BUILD:
        body["status"] = "BUILD"
    return JsonResponse({"server": body}, status=202)


def _idempotency_key(call: Call) -> str:
    key = call.request.headers.get("Idempotency-Key", "")
    if len(key) > 64 or not key.isprintable():
        raise InvalidInput("Idempotency-Key has at most 64 characters.")
    return key


def _networks(call: Call, server: dict[str, Any]) -> Any:
    """The request's networks. Older modern clients send an empty list for "let the cloud decide"."""
    wanted = server.get("networks")
    if not call.modern:
        return wanted
    if call.microversion >= (2, 37):
        if wanted is None:
            raise InvalidInput("networks is needed from version 2.37 on: a list, auto or none.", field="networks")
        return None if wanted == "auto" else [] if wanted == "none" else wanted
    return wanted or None


def get_server(call: Call, key: str) -> HttpResponse:
    return JsonResponse({"server": show(call, _detailed(call, key))})


def _detailed(call: Call, key: str) -> Server:
    rows = representations.with_details(policy.visible_servers(call.caller, deleted=False if call.modern else None))
    found = rows.filter(pk=_id(key)).first()
    if found is None:
        raise NotFound("Server not found.")
    return found


def rename_server(call: Call, key: str) -> HttpResponse:
    body = requests.member(requests.json_body(call.request), "server")
    name, description = body.get("name"), body.get("description")
    if name is None and not (call.modern and description is not None):
        raise InvalidInput("name is needed.", field="name")
    servers.rename_server(call.caller, _id(key), name=requests.text(name, "name") if name is not None else None,
                          description=requests.text(description, "description", least=0) if description is not None else None)
    return JsonResponse({"server": show(call, _detailed(call, key))}) if call.modern else HttpResponse(status=204)


def delete_server(call: Call, key: str) -> HttpResponse:
    if call.modern:
        _detailed(call, key)
    servers.delete_server(call.caller, _id(key))
    return HttpResponse(status=204)


# Actions ----------------------------------------------------------------------------------------------------------


def act(call: Call, key: str) -> HttpResponse:
    body = requests.json_body(call.request)
    if len(body) != 1:
        raise InvalidInput("Exactly one action is needed.")
    name, arguments = next(iter(body.items()))
    action = ACTIONS.get(name)
    if action is None:
        raise InvalidInput(f"Unknown action {name[:50]!r}.")
    if arguments is not None and not isinstance(arguments, dict):
        raise InvalidInput(f"The arguments of {name} are an object.")
    return action(call, _id(key), arguments or {})


def _start(call: Call, server_id: int, _: dict[str, Any]) -> HttpResponse:
    servers.start_server(call.caller, server_id)
    return HttpResponse(status=202)


def _stop(call: Call, server_id: int, _: dict[str, Any]) -> HttpResponse:
    servers.shutdown_server(call.caller, server_id)
    return HttpResponse(status=202)


def _reboot(call: Call, server_id: int, arguments: dict[str, Any]) -> HttpResponse:
    kind = arguments.get("type", "SOFT")
    if kind not in {"SOFT", "HARD"}:
        raise InvalidInput("type is SOFT or HARD.", field="type")
    servers.reboot_server(call.caller, server_id, hard=kind == "HARD")
    return HttpResponse(status=202)


def _resize(call: Call, server_id: int, arguments: dict[str, Any]) -> HttpResponse:
    flavor = flavors.get_flavor(call.caller, requests.reference(arguments.get("flavorRef"), "flavorRef"))
    servers.resize_server(call.caller, server_id, flavor)
    return HttpResponse(status=202)


def _console(call: Call, server_id: int, arguments: dict[str, Any]) -> HttpResponse:
    kind = arguments.get("type")
    if kind not in {"vnc", "vnc-ws", "vnc-wss"}:
        raise InvalidInput("type is vnc, vnc-ws or vnc-wss.", field="type")
    opened = consoles.open_console(call.caller, server_id)
    return JsonResponse({"console": {"type": kind, "host": opened.host, "port": opened.port, "password": opened.token,
                                     "SNF:socket_url": opened.socket_url}})


def _vnc_console(call: Call, server_id: int, arguments: dict[str, Any]) -> HttpResponse:
    if arguments.get("type") != "novnc":
        raise InvalidInput("type is novnc.", field="type")
    opened = consoles.open_console(call.caller, server_id)
    return JsonResponse({"console": {"type": "novnc", "url": opened.page_url, "SNF:socket_url": opened.socket_url}})


def remote_console(call: Call, key: str) -> HttpResponse:
    body = requests.member(requests.json_body(call.request), "remote_console")
    if (body.get("protocol"), body.get("type")) != ("vnc", "novnc"):
        raise InvalidInput("protocol is vnc and type novnc.", field="type")
    opened = consoles.open_console(call.caller, _id(key))
    return JsonResponse({"remote_console": {"protocol": "vnc", "type": "novnc", "url": opened.page_url}})


def _force_delete(call: Call, server_id: int, _: dict[str, Any]) -> HttpResponse:
    servers.delete_server(call.caller, server_id)
    return HttpResponse(status=202)


def _not_offered(call: Call, server_id: int, _: dict[str, Any]) -> HttpResponse:
    policy.access_server(call.caller, server_id)
    raise NotSupported("This cloud does not offer this action.")


def _forbidden(call: Call, server_id: int, _: dict[str, Any]) -> HttpResponse:
    policy.access_server(call.caller, server_id)
    raise Forbidden("Only operators may do this.")


ACTIONS: dict[str, Callable[[Call, int, dict[str, Any]], HttpResponse]] = {
    "start": _start, "os-start": _start, "shutdown": _stop, "os-stop": _stop, "reboot": _reboot, "resize": _resize, "console": _console,
    "os-getVNCConsole": _vnc_console, "forceDelete": _force_delete, "suspend": _forbidden, "os-resetState": _forbidden, "migrate": _forbidden,
    "evacuate": _forbidden, "pause": _forbidden, "shelve": _forbidden, "changePassword": _not_offered, "rebuild": _not_offered,
    "confirmResize": _not_offered, "revertResize": _not_offered, "os-getSPICEConsole": _not_offered, "os-getRDPConsole": _not_offered,
    "os-getConsoleOutput": _not_offered, "createImage": _not_offered,
}


# Parts of a server --------------------------------------------------------------------------------------------------


def get_addresses(call: Call, key: str) -> HttpResponse:
    server = _detailed(call, key)
    if call.modern:
        return JsonResponse({"addresses": representations.addresses_by_name(server)})
    shown = representations.legacy(server)
    return JsonResponse({"addresses": shown["addresses"], "attachments": shown["attachments"]})


def get_network_addresses(call: Call, key: str, network: str) -> HttpResponse:
    server = _detailed(call, key)
    if call.modern:
        by_name = representations.addresses_by_name(server)
        name = Network.objects.filter(pk=int(network[:18])).values_list("name", flat=True).first() if network.isdigit() else network
        if name not in by_name:
            raise NotFound("Network not found.")
        return JsonResponse({"network": {name: by_name[name]}})
    addresses = representations.legacy(server)["addresses"]
    if not network.isdigit():
        raise InvalidInput("A network has a number.")
    if network not in addresses:
        raise NotFound("Network not found.")
    return JsonResponse({"network": {network: addresses[network]}})


def get_metadata(call: Call, key: str) -> HttpResponse:
    return JsonResponse({"metadata": {item.key: item.value for item in _detailed(call, key).metadata.all()}})


def post_metadata(call: Call, key: str) -> HttpResponse:
    given = requests.metadata(requests.member(requests.json_body(call.request), "metadata"))
    found = servers.update_metadata(call.caller, _id(key), given)
    return JsonResponse({"metadata": found}, status=200 if call.modern else 201)


def put_metadata(call: Call, key: str) -> HttpResponse:
    if not call.modern:
        raise MethodNotAllowed(("GET", "POST"))
    given = requests.metadata(requests.member(requests.json_body(call.request), "metadata"))
    return JsonResponse({"metadata": servers.update_metadata(call.caller, _id(key), given, replace=True)})


def get_metadata_item(call: Call, key: str, item: str) -> HttpResponse:
    found = _detailed(call, key).metadata.filter(key=item).first()
    if found is None:
        raise NotFound("Metadata key not found.")
    return JsonResponse({"meta": {found.key: found.value}})


def put_metadata_item(call: Call, key: str, item: str) -> HttpResponse:
    given = requests.metadata(requests.member(requests.json_body(call.request), "meta"))
    if list(given) != [item]:
        raise InvalidInput("Exactly one item, of the key in the path, is needed.", field="meta")
    servers.update_metadata(call.caller, _id(key), given)
    return JsonResponse({"meta": given}, status=200 if call.modern else 201)


def delete_metadata_item(call: Call, key: str, item: str) -> HttpResponse:
    servers.delete_metadata(call.caller, _id(key), item)
    return HttpResponse(status=204)


def get_diagnostics(call: Call, key: str) -> HttpResponse:
    server = _detailed(call, key)
    messages = [representations.diagnostic(item) for item in ServerDiagnostic.objects.filter(server=server)[:200]]
    if not call.modern:
        return JsonResponse(messages, safe=False)
    state = {OperState.STARTED: "running", OperState.STOPPED: "shutdown"}.get(OperState(server.operstate), "pending")
    return JsonResponse({"state": state, "driver": "ganeti", "config_drive": False, "num_cpus": server.flavor.cpu,
                         "num_disks": len(server.volumes.all()), "num_nics": len(server.ports.all()), "cpu_details": [], "disk_details": [],
                         "nic_details": [], "memory_details": {"maximum": server.flavor.ram, "used": None}, "SNF:messages": messages})


def get_volume_attachments(call: Call, key: str) -> HttpResponse:
    server = _detailed(call, key)
    volumes = sorted((volume for volume in server.volumes.all() if not volume.deleted), key=lambda volume: volume.index or 0)
    return JsonResponse({"volumeAttachments": [
        {"id": str(volume.pk), "volumeId": str(volume.pk), "serverId": str(server.pk),
         "device": f"/dev/vd{chr(ord('a') + (volume.index or 0))}" if call.modern else ""} for volume in volumes]})


def get_security_groups(call: Call, key: str) -> HttpResponse:
    _detailed(call, key)
    return JsonResponse({"security_groups": [{"id": "default", "name": "default", "description": "", "rules": []}]})


def get_interfaces(call: Call, key: str) -> HttpResponse:
    server = _detailed(call, key)
    return JsonResponse({"interfaceAttachments": [
        {"port_id": str(port.pk), "net_id": str(port.network_id), "mac_addr": port.mac, "port_state": port.state,
         "fixed_ips": [{"subnet_id": str(address.subnet_id), "ip_address": address.address} for address in port.addresses.all()]}
        for port in server.ports.all()]})


# Flavors, images, keys, the rest ------------------------------------------------------------------------------------


def _flavors(call: Call, *, detail: bool) -> HttpResponse:
    rows = flavors.visible_flavors(call.caller)
    for key, column in (("minRam", "ram__gte"), ("minDisk", "disk__gte")):
        text = call.query.get(key)
        if text is not None:
            if not (text.isascii() and text.isdigit()) or len(text) > 9:
                raise InvalidInput(f"{key} is a number.", field=key)
            rows = rows.filter(**{column: int(text)})
    return JsonResponse({"flavors": [representations.flavor(item, detail=detail, modern=call.modern) for item in rows]})


def list_flavors(call: Call) -> HttpResponse:
    return _flavors(call, detail=False)


def list_flavors_detail(call: Call) -> HttpResponse:
    return _flavors(call, detail=True)


def get_flavor(call: Call, key: str) -> HttpResponse:
    if not call.modern and not key.isdigit():
        raise InvalidInput("A flavor has a number.")
    return JsonResponse({"flavor": representations.flavor(flavors.get_flavor(call.caller, key), detail=True, modern=call.modern)})


def get_extra_specs(call: Call, key: str) -> HttpResponse:
    flavors.get_flavor(call.caller, key)
    return JsonResponse({"extra_specs": {}})


def _images(call: Call, *, detail: bool) -> HttpResponse:
    found = sorted(images.list_images(call.caller), key=lambda item: item.id)
    return JsonResponse({"images": [representations.image(item, detail=detail, version=call.version) for item in found]})


def list_images(call: Call) -> HttpResponse:
    return _images(call, detail=False)


def list_images_detail(call: Call) -> HttpResponse:
    return _images(call, detail=True)


def get_image(call: Call, key: str) -> HttpResponse:
    return JsonResponse({"image": representations.image(images.get_image(call.caller, key), detail=True, version=call.version)})


def delete_image(call: Call, key: str) -> HttpResponse:
    images.unregister_image(call.caller, key)
    return HttpResponse(status=204)


def _keypair(call: Call, item: KeyPair, *, detail: bool = False) -> dict[str, Any]:
    found: dict[str, Any] = {"name": item.name, "fingerprint": item.fingerprint, "public_key": item.content}
    if call.microversion >= (2, 2):
        found["type"] = "ssh"
    if detail:
        found |= {"id": item.pk, "user_id": item.user_id, "deleted": False, "created_at": representations.iso(item.created_at),
                  "updated_at": representations.iso(item.updated_at), "deleted_at": None}
    return found


def list_keypairs(call: Call) -> HttpResponse:
    rows = KeyPair.objects.filter(user_id=call.caller.user_id)
    return JsonResponse({"keypairs": [{"keypair": _keypair(call, item)} for item in rows]})


def create_keypair(call: Call) -> HttpResponse:
    body = requests.member(requests.json_body(call.request), "keypair")
    if body.get("type", "ssh") != "ssh":
        raise InvalidInput("type is ssh.", field="type")
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


def get_limits(call: Call) -> HttpResponse:
    caller = call.caller
    usages = quota("cyclades").usages(user_ids=[caller.user_id], project_ids=[caller.project_id])
    found = usages.get(caller.user_id, {}).get(caller.project_id, {})
    return JsonResponse({"limits": {"rate": [], "absolute": representations.limits_of(dict(found))}})


def get_zones(call: Call) -> HttpResponse:
    return JsonResponse({"availabilityZoneInfo": [{"zoneName": ZONE, "zoneState": {"available": True}, "hosts": None}]})


def list_extensions(call: Call) -> HttpResponse:
    if not call.modern:
        return JsonResponse({"extensions": []})
    names = ("os-keypairs", "os-volume_attachments", "os-availability-zone", "SNF")
    return JsonResponse({"extensions": [{"name": name, "alias": name, "namespace": "", "updated": "2026-11-01T00:00:00Z", "description": name,
                                         "links": []} for name in names]})


def list_server_groups(call: Call) -> HttpResponse:
    return JsonResponse({"server_groups": []})


def _route(pattern: str, **methods: type_view) -> tuple[re.Pattern[str], dict[str, type_view]]:
    return re.compile(pattern), methods


ROUTES = [
    _route(r"servers", GET=list_servers, POST=create_server),
    _route(r"servers/detail", GET=list_servers_detail),
    _route(r"servers/([^/]+)", GET=get_server, PUT=rename_server, DELETE=delete_server),
    _route(r"servers/([^/]+)/action", POST=act),
    _route(r"servers/([^/]+)/remote-consoles", POST=remote_console),
    _route(r"servers/([^/]+)/ips", GET=get_addresses),
    _route(r"servers/([^/]+)/ips/([^/]+)", GET=get_network_addresses),
    _route(r"servers/([^/]+)/metadata", GET=get_metadata, POST=post_metadata, PUT=put_metadata),
    _route(r"servers/([^/]+)/metadata/([^/]+)", GET=get_metadata_item, PUT=put_metadata_item, DELETE=delete_metadata_item),
    _route(r"servers/([^/]+)/diagnostics", GET=get_diagnostics),
    _route(r"servers/([^/]+)/os-volume_attachments", GET=get_volume_attachments),
    _route(r"servers/([^/]+)/os-security-groups", GET=get_security_groups),
    _route(r"servers/([^/]+)/os-interface", GET=get_interfaces),
    _route(r"flavors", GET=list_flavors),
    _route(r"flavors/detail", GET=list_flavors_detail),
    _route(r"flavors/([^/]+)", GET=get_flavor),
    _route(r"flavors/([^/]+)/os-extra_specs", GET=get_extra_specs),
    _route(r"images", GET=list_images),
    _route(r"images/detail", GET=list_images_detail),
    _route(r"images/([^/]+)", GET=get_image, DELETE=delete_image),
    _route(r"os-keypairs", GET=list_keypairs, POST=create_keypair),
    _route(r"os-keypairs/(.+)", GET=get_keypair, DELETE=delete_keypair),
    _route(r"limits", GET=get_limits),
    _route(r"os-availability-zone", GET=get_zones),
    _route(r"extensions", GET=list_extensions),
    _route(r"os-server-groups", GET=list_server_groups),
]
