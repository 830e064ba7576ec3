"""What belongs to one server in the compute API: addresses, metadata, messages, disks, NICs."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse, JsonResponse

from synnefo.common.errors import InvalidInput, MethodNotAllowed, NotFound
from synnefo.cyclades import policy
from synnefo.cyclades.api import representations, requests
from synnefo.cyclades.api.compute_call import Call
from synnefo.cyclades.api.compute_servers import detailed, existing_id
from synnefo.cyclades.models import Network, OperState, Port, Server, ServerDiagnostic, ServerMetadata, Volume
from synnefo.cyclades.services import addresses, network_policy, port_verbs, servers

MAX_MESSAGES = 200


def get_addresses(call: Call, key: str) -> HttpResponse:
    server = detailed(call, key)
    if call.modern:
        return JsonResponse({"addresses": representations.addresses_by_name(server)})
    shown = representations.legacy(server)
    return JsonResponse({"addresses": shown["addresses"], "attachments": shown["attachments"]})


def get_network_addresses(call: Call, key: str, network: str) -> HttpResponse:
    server = detailed(call, key)
    if call.modern:
        found = representations.addresses_by_name(server)
        name = network
        if requests.is_id(network):
            name = Network.objects.filter(pk=int(network)).values_list("name", flat=True).first() or network
    else:
        found, name = representations.legacy(server)["addresses"], str(call.number(network, "Network"))
    if name not in found:
        raise NotFound("Network not found.")
    return JsonResponse({"network": {name: found[name]}})


# Metadata -----------------------------------------------------------------------------------------------------------


def _plain(call: Call, key: str) -> Server:
    """The server alone."""
    found = policy.visible_servers(call.caller, deleted=False if call.modern else None).filter(pk=call.number(key, "Server")).first()
    if found is None:
        raise NotFound("Server not found.")
    return found


def get_metadata(call: Call, key: str) -> HttpResponse:
    return JsonResponse({"metadata": dict(_plain(call, key).metadata.values_list("key", "value"))})


def post_metadata(call: Call, key: str) -> HttpResponse:
    given = requests.metadata(requests.member(requests.json_body(call.request), "metadata"))
    found = servers.update_metadata(call.caller, existing_id(call, key), given)
    return JsonResponse({"metadata": found}, status=200 if call.modern else 201)


def put_metadata(call: Call, key: str) -> HttpResponse:
    if not call.modern:
        raise MethodNotAllowed(("GET", "POST"))
    given = requests.metadata(requests.member(requests.json_body(call.request), "metadata"))
    return JsonResponse({"metadata": servers.update_metadata(call.caller, existing_id(call, key), given, replace=True)})


def get_metadata_item(call: Call, key: str, item: str) -> HttpResponse:
    found = ServerMetadata.objects.filter(server=_plain(call, key), key=item).first()
    if found is None:
        raise NotFound("Metadata key not found.")
    return JsonResponse({"meta": {found.key: found.value}})


def put_metadata_item(call: Call, key: str, item: str) -> HttpResponse:
    given = requests.metadata(requests.member(requests.json_body(call.request), "meta"))
    if list(given) != [item]:
        raise InvalidInput("Exactly one item, of the key in the path, is needed.", field="meta")
    servers.update_metadata(call.caller, existing_id(call, key), given)
    return JsonResponse({"meta": given}, status=200 if call.modern else 201)


def delete_metadata_item(call: Call, key: str, item: str) -> HttpResponse:
    servers.delete_metadata(call.caller, existing_id(call, key), item)
    return HttpResponse(status=204)


# Messages and disks -------------------------------------------------------------------------------------------------


def get_diagnostics(call: Call, key: str) -> HttpResponse:
    server = detailed(call, key)
    messages = [representations.diagnostic(item) for item in ServerDiagnostic.objects.filter(server=server)[:MAX_MESSAGES]]
    if not call.modern:
        return JsonResponse(messages, safe=False)
    state = {OperState.STARTED: "running", OperState.STOPPED: "shutdown"}.get(OperState(server.operstate), "pending")
    return JsonResponse({
        "state": state, "driver": "ganeti", "hypervisor": server.backend.hypervisor if server.backend else "", "config_drive": False,
        "num_cpus": server.flavor.cpu, "num_disks": len(server.shown_volumes), "num_nics": len(server.shown_ports), "cpu_details": [],
        "disk_details": [], "nic_details": [{"mac_address": port.mac} for port in server.shown_ports],
        "memory_details": {"maximum": server.flavor.ram, "used": None}, "SNF:messages": messages})


def _attachment(call: Call, server: Server, volume: Volume) -> dict[str, Any]:
    device = f"/dev/vd{chr(ord('a') + (volume.index or 0))}" if call.modern else ""
    return {"id": str(volume.pk), "volumeId": str(volume.pk), "serverId": str(server.pk), "device": device}


def get_volume_attachments(call: Call, key: str) -> HttpResponse:
    server = detailed(call, key)
    return JsonResponse({"volumeAttachments": [_attachment(call, server, volume) for volume in server.shown_volumes]})


def get_volume_attachment(call: Call, key: str, volume_id: str) -> HttpResponse:
    server = detailed(call, key)
    for volume in server.shown_volumes:
        if str(volume.pk) == volume_id:
            return JsonResponse({"volumeAttachment": _attachment(call, server, volume)})
    if call.modern:
        raise NotFound("Volume not found.")
    raise InvalidInput("The volume is not on this server.")


def get_security_groups(call: Call, key: str) -> HttpResponse:
    _plain(call, key)
    return JsonResponse({"security_groups": [{"id": "default", "name": "default", "description": "", "rules": []}]})


# NICs ---------------------------------------------------------------------------------------------------------------


def _interface(port: Port) -> dict[str, Any]:
    fixed = [{"subnet_id": str(address.subnet_id), "ip_address": address.address} for address in port.addresses.all() if not address.deleted]
    return {"port_id": str(port.pk), "net_id": str(port.network_id), "mac_addr": port.mac, "port_state": port.state, "fixed_ips": fixed}


def get_interfaces(call: Call, key: str) -> HttpResponse:
    ports = Port.objects.filter(server=_plain(call, key)).prefetch_related("addresses").order_by("id")
    return JsonResponse({"interfaceAttachments": [_interface(port) for port in ports]})


def _port_of(call: Call, key: str, port_id: str) -> Port:
    found = None
    if requests.is_id(port_id):
        found = Port.objects.filter(server=_plain(call, key), pk=int(port_id)).prefetch_related("addresses").first()
    if found is None:
        raise NotFound("Port not found.")
    return found


def get_interface(call: Call, key: str, port_id: str) -> HttpResponse:
    return JsonResponse({"interfaceAttachment": _interface(_port_of(call, key, port_id))})


def add_interface(call: Call, key: str) -> HttpResponse:
    given = requests.member(requests.json_body(call.request), "interfaceAttachment")
    server_id = existing_id(call, key)
    if (given.get("port_id") is None) == (given.get("net_id") is None):
        raise InvalidInput("Name a network by net_id or a port by port_id.", field="net_id")
    if given.get("port_id") is not None:
        port = port_verbs.update_port(call.caller, network_policy.parsed_id(given["port_id"], "port"), device=(server_id,))
    else:
        spec = port_verbs.PortSpec(network_policy.parsed_id(given["net_id"], "network"), server_id=server_id, address=_wanted_address(given))
        port, = port_verbs.create_ports(call.caller, [spec])
    shown = Port.objects.prefetch_related("addresses").get(pk=port.pk)
    return JsonResponse({"interfaceAttachment": _interface(shown)})


def _wanted_address(given: dict[str, Any]) -> str | None:
    wanted = given.get("fixed_ips")
    if wanted in (None, []):
        return None
    if not isinstance(wanted, list) or len(wanted) != 1 or not isinstance(wanted[0], dict):
        raise InvalidInput("fixed_ips is a list of one object with an ip_address.", field="fixed_ips")
    return addresses.checked_ipv4(requests.text(wanted[0].get("ip_address"), "ip_address", most=45), field="fixed_ips")


def remove_interface(call: Call, key: str, port_id: str) -> HttpResponse:
    port_verbs.delete_port(call.caller, _port_of(call, key, port_id).pk)
    return HttpResponse(status=202)
