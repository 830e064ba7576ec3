"""Servers, flavors and images as the compute API shows them: the legacy surface (v2.0) and the modern one (v2.1)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from django.db.models import Prefetch, QuerySet

from synnefo.common.ports import Caller
from synnefo.common.settings import conf
from synnefo.cyclades import ganeti_names
from synnefo.cyclades.models import Flavor, IPAddress, OperState, Port, Server, ServerDiagnostic, Volume
from synnefo.cyclades.services.images import Image

TASKS = {"BUILD": "BUILDING", "START": "STARTING", "STOP": "STOPPING", "REBOOT": "REBOOTING", "DESTROY": "DESTROYING", "RESIZE": "RESIZING",
         "CONNECT": "CONNECTING", "DISCONNECT": "DISCONNECTING"}
MODERN_TASKS = {"BUILD": "spawning", "START": "powering-on", "STOP": "powering-off", "REBOOT": "rebooting", "DESTROY": "deleting",
                "RESIZE": "resize_migrating"}
LEGACY_STATUS = {OperState.BUILD: "BUILD", OperState.STARTED: "ACTIVE", OperState.STOPPED: "STOPPED", OperState.ERROR: "ERROR",
                 OperState.DESTROYED: "DELETED", OperState.RESIZE: "RESIZE"}
MODERN_STATUS = LEGACY_STATUS | {OperState.STOPPED: "SHUTOFF"}
VM_STATE = {OperState.BUILD: "building", OperState.STARTED: "active", OperState.STOPPED: "stopped", OperState.ERROR: "error",
            OperState.DESTROYED: "deleted"}
POWER = {OperState.STARTED: 1, OperState.STOPPED: 4}


def with_details(rows: QuerySet[Server]) -> QuerySet[Server]:
    """Everything a detailed view needs, in a fixed number of queries; of the diagnostics the newest alone. Related rows are plain lists
    (`to_attr`): managers and querysets made for each of a thousand servers cost more than the queries.
    """
    addresses = IPAddress.objects.filter(deleted=False).order_by("id")
    ports = Port.objects.filter(state="ACTIVE").order_by("id").select_related("network").prefetch_related(
        Prefetch("addresses", addresses, to_attr="shown_addresses"))  # type: ignore[no-redef]
    return rows.select_related("flavor", "backend").prefetch_related(
        Prefetch("metadata", to_attr="shown_metadata"),
        Prefetch("volumes", Volume.objects.filter(deleted=False).order_by("index", "id"), to_attr="shown_volumes"),
        Prefetch("diagnostics", ServerDiagnostic.objects.order_by("-id")[:1], to_attr="newest_diagnostics"),  # type: ignore[no-redef]
        Prefetch("ports", ports, to_attr="shown_ports"))


def root() -> str:
    return str(conf.CYCLADES_BASE_URL).rstrip("/") + "/compute"


def links(kind: str, key: object, version: str = "v2.0") -> list[dict[str, str]]:
    href = f"{root()}/{version}/{kind}/{key}"
    return [{"rel": "self", "href": href}, {"rel": "bookmark", "href": href}]


def iso(moment: datetime) -> str:
    """With microseconds and zone."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def seconds(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").removesuffix("+00:00") + "Z"


def status_of(server: Server, *, modern: bool) -> str:
    """From operstate and task, so that a change shows in the first answer after the request."""
    if server.deleted:
        return "DELETED"
    if server.task == "REBOOT" and server.operstate == OperState.STARTED:
        return "REBOOT"
    if server.task == "RESIZE" and server.operstate == OperState.STOPPED:
        return "RESIZE"
    return (MODERN_STATUS if modern else LEGACY_STATUS).get(OperState(server.operstate), "UNKNOWN")


def brief(server: Server, version: str = "v2.0") -> dict[str, Any]:
    key: object = server.pk if version == "v2.0" else str(server.pk)
    return {"id": key, "name": server.name, "links": links("servers", server.pk, version)}


def _attachments(server: Server) -> list[dict[str, Any]]:
    found = []
    for port in server.shown_ports:
        by_version = {address.ip_version: address for address in port.shown_addresses}
        item = {"id": port.pk, "network_id": str(port.network_id), "mac_address": port.mac or "",
                "ipv4": by_version[4].address if 4 in by_version else "", "ipv6": by_version[6].address if 6 in by_version else "",
                "OS-EXT-IPS:type": "floating" if any(item.floating_ip for item in by_version.values()) else "fixed"}
        if port.firewall_profile:
            item["firewallProfile"] = port.firewall_profile
        found.append(item)
    return found


def legacy(server: Server) -> dict[str, Any]:
    """The detailed view of v2.0."""
    attachments = _attachments(server)
    addresses: dict[str, list[dict[str, Any]]] = {}
    for item in attachments:
        for family, version in (("ipv4", 4), ("ipv6", 6)):
            if item[family]:
                addresses.setdefault(item["network_id"], []).append(
                    {"version": version, "addr": item[family], "OS-EXT-IPS:type": item["OS-EXT-IPS:type"]})
    status = status_of(server, modern=False)
    return brief(server) | {
        "user_id": server.user_id, "tenant_id": server.project_id, "shared_to_project": server.shared_to_project, "status": status,
        "SNF:task_state": TASKS.get(server.task, "UNKNOWN" if server.task else ""), "progress": 100 if status == "ACTIVE" else server.buildpercentage,
        "hostId": "", "created": iso(server.created_at), "updated": iso(server.updated_at),
        "flavor": {"id": server.flavor_id, "links": links("flavors", server.flavor_id)},
        "image": {"id": server.image_id, "links": links("images", server.image_id)}, "suspended": server.suspended,
        "metadata": {item.key: item.value for item in server.shown_metadata}, "tags": [], "attachments": attachments, "addresses": addresses,
        "volumes": sorted(volume.pk for volume in server.shown_volumes),
        "diagnostics": [diagnostic(item) for item in server.newest_diagnostics], "security_groups": [{"name": "default"}],
        "key_name": server.key_names[0] if server.key_names else None, "SNF:key_names": server.key_names, "config_drive": "",
        "accessIPv4": "", "accessIPv6": "", "SNF:fqdn": None, "SNF:port_forwarding": {}, "deleted": server.deleted, "SNF:rescue": server.rescue}


def diagnostic(item: ServerDiagnostic) -> dict[str, Any]:
    found = {"level": item.level, "created": iso(item.created_at), "source": item.source, "message": item.message, "details": item.details}
    return found | ({"source_date": iso(item.source_date)} if item.source_date else {})


def addresses_by_name(server: Server) -> dict[str, list[dict[str, Any]]]:
    """The modern view of addresses: by the network's name, with the MAC."""
    found: dict[str, list[dict[str, Any]]] = {}
    for port in server.shown_ports:
        for address in port.shown_addresses:
            item = {"version": address.ip_version, "addr": address.address, "OS-EXT-IPS-MAC:mac_addr": port.mac or ""}
            entries = found.setdefault(port.network.name or str(port.network_id), [])
            entries.append(item | {"OS-EXT-IPS:type": "fixed"})
            if address.floating_ip:
                entries.append(item | {"OS-EXT-IPS:type": "floating"})
    return found


def modern(server: Server, caller: Caller, microversion: tuple[int, int]) -> dict[str, Any]:
    """The detailed view of v2.1."""
    status, operstate = status_of(server, modern=True), OperState(server.operstate)
    flavor: dict[str, Any] = {"id": str(server.flavor_id), "links": links("flavors", server.flavor_id, "v2.1")}
    if microversion >= (2, 47):
        flavor = {"vcpus": server.flavor.cpu, "ram": server.flavor.ram, "disk": server.flavor.disk, "ephemeral": 0, "swap": 0,
                  "original_name": server.flavor.name, "extra_specs": {}}
    found = brief(server, "v2.1") | {
        "user_id": server.user_id, "tenant_id": server.project_id, "status": status, "progress": 100 if status == "ACTIVE" else server.buildpercentage,
        "hostId": hashlib.sha224(f"{server.backend_id}:{server.project_id}".encode()).hexdigest(), "created": seconds(server.created_at),
        "updated": seconds(server.updated_at), "flavor": flavor,
        "image": {"id": server.image_id, "links": links("images", server.image_id, "v2.1")},
        "metadata": {item.key: item.value for item in server.shown_metadata}, "addresses": addresses_by_name(server),
        "OS-EXT-STS:vm_state": VM_STATE.get(operstate, "building"), "OS-EXT-STS:power_state": POWER.get(operstate, 0),
        "OS-EXT-STS:task_state": MODERN_TASKS.get(server.task, server.task.lower() or None), "OS-EXT-AZ:availability_zone": "nova",
        "OS-DCF:diskConfig": "MANUAL", "OS-SRV-USG:launched_at": _plain(server.launched_at), "OS-SRV-USG:terminated_at": _plain(server.terminated_at),
        "os-extended-volumes:volumes_attached": [
            {"id": str(volume.pk)} | ({"delete_on_termination": volume.delete_on_termination} if microversion >= (2, 3) else {}) for volume in server.shown_volumes],
        "security_groups": [{"name": "default"}], "key_name": server.key_names[0] if server.key_names else None, "config_drive": "",
        "accessIPv4": "", "accessIPv6": "", "SNF:key_names": server.key_names, "SNF:fqdn": None,
        "SNF:task_state": TASKS.get(server.task, "UNKNOWN" if server.task else "")}
    if server.operstate == OperState.ERROR:
        newest = next(iter(server.newest_diagnostics), None)
        found["fault"] = {"code": 500, "created": seconds(newest.created_at if newest else server.updated_at),
                          "message": newest.message if newest else "The server is in error.", "details": ""}
    if microversion >= (2, 9):
        found["locked"] = server.locked or server.suspended
    if microversion >= (2, 19):
        found["description"] = server.description or None
    if microversion >= (2, 26):
        found["tags"] = []
    if caller.is_admin:
        found |= {"OS-EXT-SRV-ATTR:host": str(server.backend), "OS-EXT-SRV-ATTR:hypervisor_hostname": str(server.backend),
                  "OS-EXT-SRV-ATTR:instance_name": ganeti_names.instance_name(server.pk)}
    return found


def _plain(moment: datetime | None) -> str | None:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f") if moment else None


def flavor(item: Flavor, *, detail: bool, modern: bool, microversion: tuple[int, int] = (2, 1)) -> dict[str, Any]:
    version = "v2.1" if modern else "v2.0"
    key: object = str(item.pk) if modern else item.pk
    found: dict[str, Any] = {"id": key, "name": item.name, "links": links("flavors", item.pk, version)}
    if not detail:
        return found
    found |= {"ram": item.ram, "disk": item.disk, "vcpus": item.cpu, "os-flavor-access:is_public": item.public,
              "SNF:disk_template": item.volume_type.disk_template, "SNF:volume_type": item.volume_type_id, "SNF:allow_create": item.allow_create}
    if modern:
        found |= {"OS-FLV-EXT-DATA:ephemeral": 0, "OS-FLV-DISABLED:disabled": not item.allow_create, "swap": "", "rxtx_factor": 1.0}
    if microversion >= (2, 55):
        found["description"] = None
    return found


def image_links(item: Image, version: str) -> list[dict[str, str]]:
    home = f"{str(conf.CYCLADES_BASE_URL).rstrip('/')}/image/images/{item.id}"
    return [*links("images", item.id, version), {"rel": "alternate", "href": home}]


def image(item: Image, *, detail: bool, version: str) -> dict[str, Any]:
    found: dict[str, Any] = {"id": item.id, "name": item.name}
    if not detail:
        return found | ({"links": image_links(item, version)} if version != "v2.0" else {})
    return found | {
        "updated": iso(item.updated_at), "created": iso(item.created_at), "status": "ACTIVE", "progress": 100, "user_id": item.owner,
        "tenant_id": item.owner, "public": item.is_public, "links": image_links(item, version), "metadata": dict(item.properties),
        "is_snapshot": False, "OS-EXT-IMG-SIZE:size": item.size_bytes, "minDisk": 0, "minRam": 0}


def limits_of(usages: dict[str, Any]) -> dict[str, Any]:
    """Absolute limits and their use, from quota holdings by resource."""
    def pair(resource: str, scale: int = 1) -> tuple[int, int]:
        usage = usages.get(resource)
        if usage is None:
            return 0, 0
        limit = min(usage.limit, usage.project_limit - usage.project_usage + usage.usage)
        return (-1 if limit >= 2**62 else max(0, limit) // scale), usage.usage // scale

    instances, used_instances = pair("cyclades.vm")
    cores, used_cores = pair("cyclades.cpu")
    ram, used_ram = pair("cyclades.ram", 2**20)
    return {"maxTotalInstances": instances, "totalInstancesUsed": used_instances, "maxTotalCores": cores, "totalCoresUsed": used_cores,
            "maxTotalRAMSize": ram, "totalRAMUsed": used_ram, "maxTotalKeypairs": conf.USERDATA_MAX_SSH_KEYS_PER_USER,
            "maxServerMeta": conf.CYCLADES_VM_MAX_METADATA, "maxImageMeta": 32, "maxPersonality": conf.MAX_PERSONALITY,
            "maxPersonalitySize": conf.MAX_PERSONALITY_SIZE, "maxServerGroups": 0, "totalServerGroupsUsed": 0, "maxServerGroupMembers": 0}


def briefs(rows: Iterable[Server], version: str) -> list[dict[str, Any]]:
    return [brief(server, version) for server in rows]
