"""What can be done to a server by POST to its `action`, and its consoles."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpResponse, JsonResponse

from synnefo.common.errors import Forbidden, InvalidInput, NotFound, NotSupported
from synnefo.cyclades import policy
from synnefo.cyclades.api import requests
from synnefo.cyclades.api.compute_call import Call
from synnefo.cyclades.api.compute_servers import existing_id
from synnefo.cyclades.models import IPAddress
from synnefo.cyclades.services import consoles, flavors, network_policy, port_verbs, servers


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
    return action(call, existing_id(call, key), arguments or {})


def _start(call: Call, server_id: int, _: dict[str, Any]) -> HttpResponse:
    servers.start_server(call.caller, server_id)
    return HttpResponse(status=202)


def _stop(call: Call, server_id: int, _: dict[str, Any]) -> HttpResponse:
    servers.shutdown_server(call.caller, server_id)
    return HttpResponse(status=202)


def _reboot(call: Call, server_id: int, arguments: dict[str, Any]) -> HttpResponse:
    kind = requests.one_of(arguments.get("type", "SOFT"), ("SOFT", "HARD"), "type")
    servers.reboot_server(call.caller, server_id, hard=kind == "HARD")
    return HttpResponse(status=202)


def _resize(call: Call, server_id: int, arguments: dict[str, Any]) -> HttpResponse:
    flavor = flavors.get_flavor(call.caller, requests.reference(arguments.get("flavorRef"), "flavorRef"))
    servers.resize_server(call.caller, server_id, flavor)
    return HttpResponse(status=202)


def _force_delete(call: Call, server_id: int, _: dict[str, Any]) -> HttpResponse:
    servers.delete_server(call.caller, server_id)
    return HttpResponse(status=202)


# Consoles ---------------------------------------------------------------------------------------------------------


def _console(call: Call, server_id: int, arguments: dict[str, Any]) -> HttpResponse:
    kind = requests.one_of(arguments.get("type"), ("vnc", "vnc-ws", "vnc-wss"), "type")
    opened = consoles.open_console(call.caller, server_id)
    return JsonResponse({"console": {"type": kind, "host": opened.host, "port": opened.port, "password": opened.token,
                                     "SNF:socket_url": opened.socket_url}})


def _vnc_console(call: Call, server_id: int, arguments: dict[str, Any]) -> HttpResponse:
    requests.one_of(arguments.get("type"), ("novnc",), "type")
    opened = consoles.open_console(call.caller, server_id)
    return JsonResponse({"console": {"type": "novnc", "url": opened.page_url, "SNF:socket_url": opened.socket_url}})


def remote_console(call: Call, key: str) -> HttpResponse:
    body = requests.member(requests.json_body(call.request), "remote_console")
    requests.one_of(body.get("protocol"), ("vnc",), "protocol")
    requests.one_of(body.get("type"), ("novnc",), "type")
    opened = consoles.open_console(call.caller, existing_id(call, key))
    return JsonResponse({"remote_console": {"protocol": "vnc", "type": "novnc", "url": opened.page_url}})


# Floating IPs -------------------------------------------------------------------------------------------------------


def _floating_ip(call: Call, arguments: dict[str, Any]) -> IPAddress:
    address = requests.text(arguments.get("address"), "address", most=45)
    found = network_policy.visible_floating_ips(call.caller).select_related("port").filter(address=address).first()
    if found is None:
        raise NotFound("You have no such floating IP.")
    return found


def _add_floating_ip(call: Call, server_id: int, arguments: dict[str, Any]) -> HttpResponse:
    row = _floating_ip(call, arguments)
    port_verbs.create_ports(call.caller, [port_verbs.PortSpec(row.network_id, server_id=server_id, address=row.address)])
    return HttpResponse(status=202)


def _remove_floating_ip(call: Call, server_id: int, arguments: dict[str, Any]) -> HttpResponse:
    policy.access_server(call.caller, server_id)
    row = _floating_ip(call, arguments)
    if row.port is None or row.port.server_id != server_id:
        raise InvalidInput("The address is not on this server.", field="address")
    port_verbs.detach_floating_ip(call.caller, row)
    return HttpResponse(status=202)


# What is not for users ----------------------------------------------------------------------------------------------


def _not_offered(call: Call, server_id: int, _: dict[str, Any]) -> HttpResponse:
    policy.access_server(call.caller, server_id)
    raise NotSupported("This cloud does not offer this action.")


def _forbidden(call: Call, server_id: int, _: dict[str, Any]) -> HttpResponse:
    policy.access_server(call.caller, server_id)
    raise Forbidden("Only operators may do this.")


type_action = Callable[[Call, int, dict[str, Any]], HttpResponse]
ACTIONS: dict[str, type_action] = {
    "start": _start, "os-start": _start, "shutdown": _stop, "os-stop": _stop, "reboot": _reboot, "resize": _resize, "console": _console,
    "os-getVNCConsole": _vnc_console, "forceDelete": _force_delete, "addFloatingIp": _add_floating_ip, "removeFloatingIp": _remove_floating_ip,
    "suspend": _forbidden, "os-resetState": _forbidden, "migrate": _forbidden, "os-migrateLive": _forbidden, "evacuate": _forbidden,
    "pause": _forbidden, "unpause": _forbidden, "shelve": _forbidden, "unshelve": _forbidden, "createBackup": _forbidden,
    "changePassword": _not_offered, "rebuild": _not_offered, "confirmResize": _not_offered, "revertResize": _not_offered,
    "os-getSPICEConsole": _not_offered, "os-getRDPConsole": _not_offered, "os-getConsoleOutput": _not_offered, "createImage": _not_offered,
    "lock": _not_offered, "unlock": _not_offered, "rescue": _not_offered, "unrescue": _not_offered, "firewallProfile": _not_offered,
    "reassign": _not_offered, "addSecurityGroup": _not_offered, "removeSecurityGroup": _not_offered,
}
