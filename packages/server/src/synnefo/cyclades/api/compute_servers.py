"""Servers in the compute API: lists, creation, one server."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db.models import QuerySet
from django.http import HttpResponse, JsonResponse
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from synnefo.common.errors import InvalidInput, NotFound
from synnefo.common.settings import conf
from synnefo.cyclades import policy
from synnefo.cyclades.api import representations, requests
from synnefo.cyclades.api.compute_call import Call, page
from synnefo.cyclades.models import IPAddress, OperState, Server
from synnefo.cyclades.services import servers

COLUMNS = {"id": "pk", "uuid": "pk", "created_at": "created_at", "updated_at": "updated_at", "name": "name", "display_name": "name",
           "task_state": "task", "vm_state": "operstate", "project_id": "project_id", "user_id": "user_id"}


def list_servers(call: Call) -> HttpResponse:
    return _list(call, detail=False)


def list_servers_detail(call: Call) -> HttpResponse:
    return _list(call, detail=True)


def _list(call: Call, *, detail: bool) -> HttpResponse:
    since = _moment(call, "changes-since")
    rows = policy.visible_servers(call.caller, deleted=None if since is not None else False)
    if since is not None:
        rows = rows.filter(updated_at__gte=since)
    more: list[dict[str, str]] = []
    if call.modern:
        rows = _filtered(call, rows)
        rows, more = page(call, rows, "servers/detail" if detail else "servers", COLUMNS,
                          markers=policy.visible_servers(call.caller, deleted=None), newest_first=True)
    elif since is not None and not rows.exists():
        return HttpResponse(status=304)
    shown = [show(call, server) for server in representations.with_details(rows)] if detail else representations.briefs(rows, call.version)
    return JsonResponse({"servers": shown} | ({"servers_links": more} if more else {}))


def show(call: Call, server: Server) -> dict[str, Any]:
    """As the call's surface shows it; `server` comes from `representations.with_details`."""
    return representations.modern(server, call.caller, call.microversion) if call.modern else representations.legacy(server)


def _moment(call: Call, name: str) -> datetime | None:
    text = call.query.get(name)
    if not text:
        return None
    try:
        parsed = parse_datetime(text.replace(" ", "+"))
        moment = parsed.astimezone(UTC) if parsed is not None and parsed.tzinfo is not None else None
    except (ValueError, OverflowError):
        moment = None
    if moment is None:
        raise InvalidInput(f"{name} is an ISO 8601 time with a zone.", field=name)
    now = timezone.now()
    if not call.modern and not now - timedelta(seconds=conf.POLL_LIMIT) <= moment <= now:
        raise InvalidInput(f"{name} lies within the last {conf.POLL_LIMIT} seconds.", field=name)
    return moment


def _filtered(call: Call, rows: QuerySet[Server]) -> QuerySet[Server]:
    """Filters of the modern API, all of which must hold; unknown ones are ignored, as clients expect."""
    query = call.query
    if not call.flag("all_tenants") and not call.flag("all_projects"):
        rows = rows.filter(project_id=call.caller.project_id)
    if query.get("name"):
        rows = rows.filter(name__regex=requests.name_pattern(query["name"]))
    if statuses := [item.upper() for item in query.getlist("status") if item]:
        rows = rows.filter(operstate__in=[state for state, shown in representations.MODERN_STATUS.items() if shown in statuses])
    for key, column in (("flavor", "flavor_id"), ("uuid", "pk")):
        if query.get(key):
            value = requests.reference(query[key], key)
            rows = rows.filter(**{column: int(value)}) if requests.is_id(value) else rows.none()
    for key, column in (("image", "image_id"), ("project_id", "project_id"), ("tenant_id", "project_id"), ("user_id", "user_id")):
        if query.get(key):
            rows = rows.filter(**{column: requests.reference(query[key], key)})
    for key, version in (("ip", 4), ("ip6", 6)):
        if query.get(key):
            found = IPAddress.objects.filter(ip_version=version, deleted=False, address__regex=requests.name_pattern(query[key]))
            rows = rows.filter(pk__in=found.values("port__server"))
    before = _moment(call, "changes-before")
    return rows if before is None else rows.filter(updated_at__lte=before)


def create_server(call: Call) -> HttpResponse:
    server = requests.member(requests.json_body(call.request), "server")
    if call.modern:
        requests.check_known(server)
    key, started = _idempotency_key(call), timezone.now()
    request = requests.server_request(call.caller, server, networks=_networks(call, server), idempotency_key=key)
    made = servers.create_server(call.caller, request)
    body = show(call, representations.with_details(Server.objects.filter(pk=made.pk)).get())
    if not key or made.created_at >= started or server.get("adminPass") is not None:
        # A repeated request finds the server of the first one, whose password nobody keeps.
        body["adminPass"] = request.password
    if made.operstate == OperState.BUILD:
        body["status"] = "BUILD"
    response = JsonResponse({"server": body}, status=202)
    response["Location"] = f"{representations.root()}/{call.version}/servers/{made.pk}"
    return response


def _idempotency_key(call: Call) -> str:
    key = call.request.headers.get("Idempotency-Key", "")
    if re.fullmatch(r"[!-~]{0,64}", key) is None:
        raise InvalidInput("Idempotency-Key has at most 64 printable characters.")
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
    return None if wanted == [] else wanted


def get_server(call: Call, key: str) -> HttpResponse:
    return JsonResponse({"server": show(call, detailed(call, key))})


def detailed(call: Call, key: str) -> Server:
    """The server of a path with all that is shown of it; the legacy surface shows deleted ones too. Raises `NotFound`."""
    rows = representations.with_details(policy.visible_servers(call.caller, deleted=False if call.modern else None))
    found = rows.filter(pk=call.number(key, "Server")).first()
    if found is None:
        raise NotFound("Server not found.")
    return found


def existing_id(call: Call, key: str) -> int:
    """The id of a path, for a change. To the modern surface a deleted server is none; the services tell it to the legacy one. Raises `NotFound`."""
    server_id = call.number(key, "Server")
    if call.modern and not policy.visible_servers(call.caller).filter(pk=server_id).exists():
        raise NotFound("Server not found.")
    return server_id


def rename_server(call: Call, key: str) -> HttpResponse:
    body = requests.member(requests.json_body(call.request), "server")
    name, description = body.get("name"), body.get("description")
    if name is None and not (call.modern and description is not None):
        raise InvalidInput("name is needed.", field="name")
    servers.rename_server(call.caller, existing_id(call, key), name=requests.text(name, "name") if name is not None else None,
                          description=requests.text(description, "description", least=0) if description is not None else None)
    return JsonResponse({"server": show(call, detailed(call, key))}) if call.modern else HttpResponse(status=204)


def delete_server(call: Call, key: str) -> HttpResponse:
    servers.delete_server(call.caller, existing_id(call, key))
    return HttpResponse(status=204)
