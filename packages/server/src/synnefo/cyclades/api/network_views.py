"""How networks, subnets, ports and floating IPs look in the network API. Pure functions of rows with prefetched parts."""

from __future__ import annotations

import ipaddress
from datetime import UTC, datetime
from typing import Any

from synnefo.common.settings import conf
from synnefo.cyclades.models.networks import IPAddress, Network, Port, Subnet
from synnefo.cyclades.services.networks import status_of
from synnefo.cyclades.services.security_groups import group_of_profile

type_row = dict[str, Any]

_COMMON = frozenset({
    "id", "links", "user_id", "tenant_id", "project_id", "description", "tags", "created", "updated", "created_at",
    "updated_at", "revision_number", "name",
})
NETWORK_ATTRIBUTES = _COMMON | {
    "shared_to_project", "type", "status", "public", "shared", "router:external", "admin_state_up",
    "SNF:floating_ip_pool", "deleted", "subnets", "mtu", "port_security_enabled", "is_default", "availability_zones",
    "availability_zone_hints", "ipv4_address_scope", "ipv6_address_scope", "qos_policy_id",
}
SUBNET_ATTRIBUTES = _COMMON | {
    "network_id", "cidr", "ip_version", "gateway_ip", "enable_dhcp", "public", "deleted", "allocation_pools",
    "dns_nameservers", "host_routes", "ipv6_ra_mode", "ipv6_address_mode", "subnetpool_id", "service_types",
    "segment_id", "enable_slaac",
}
PORT_ATTRIBUTES = _COMMON | {
    "network_id", "device_id", "device_owner", "status", "mac_address", "fixed_ips", "security_groups",
    "admin_state_up", "SNF:firewall_profile", "binding:vnic_type", "port_security_enabled", "allowed_address_pairs",
    "extra_dhcp_opts", "dns_name", "qos_policy_id",
}
FLOATING_IP_ATTRIBUTES = (_COMMON - {"name"}) | {
    "floating_network_id", "floating_ip_address", "fixed_ip_address", "port_id", "SNF:port_id", "instance_id",
    "shared_to_project", "deleted", "router_id", "qos_policy_id", "status", "port_details",
}


def base_url() -> str:
    return f"{conf.CYCLADES_BASE_URL.rstrip('/')}/network/v2.0"


def _text(value: int | None) -> str | None:
    return None if value is None else str(value)


def _whole_seconds(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _links(collection: str, key: int) -> list[dict[str, str]]:
    href = f"{base_url()}/{collection}/{key}"
    return [{"rel": "self", "href": href}, {"rel": "bookmark", "href": href}]


def _common(row: Network | Subnet | Port | IPAddress, collection: str, user_id: str | None, project_id: str | None) -> type_row:
    return {
        "id": str(row.pk), "links": _links(collection, row.pk), "user_id": user_id,
        "tenant_id": project_id, "project_id": project_id, "description": row.description, "tags": sorted(row.tags),
        "created": row.created_at.astimezone(UTC).isoformat(), "updated": row.updated_at.astimezone(UTC).isoformat(),
        "created_at": _whole_seconds(row.created_at), "updated_at": _whole_seconds(row.updated_at),
        "revision_number": row.revision_number,
    }


def network(row: Network) -> type_row:
    """Needs `subnets` prefetched."""
    return _common(row, "networks", row.user_id, row.project_id) | {
        "name": row.name, "shared_to_project": row.shared_to_project, "type": row.flavor, "status": status_of(row),
        "public": row.public, "shared": row.public, "router:external": row.external_router, "admin_state_up": True,
        "SNF:floating_ip_pool": row.floating_ip_pool, "deleted": row.deleted,
        "subnets": [str(subnet.pk) for subnet in row.subnets.all() if not subnet.deleted or row.deleted],
        "mtu": conf.CYCLADES_DEFAULT_MTU, "port_security_enabled": True, "is_default": False, "availability_zones": [],
        "availability_zone_hints": [], "ipv4_address_scope": None, "ipv6_address_scope": None, "qos_policy_id": None,
    }


def subnet(row: Subnet) -> type_row:
    """Needs `network` selected and `pools` prefetched."""
    answer = _common(row, "subnets", row.user_id, row.user_id) | {
        "name": row.name, "network_id": str(row.network_id), "cidr": row.cidr, "ip_version": row.ip_version,
        "gateway_ip": row.gateway, "enable_dhcp": row.dhcp, "public": row.public, "deleted": row.deleted,
        "allocation_pools": _allocation_pools(row), "dns_nameservers": row.dns_nameservers, "host_routes": row.host_routes,
        "ipv6_ra_mode": None, "ipv6_address_mode": None, "subnetpool_id": None, "service_types": [], "segment_id": None,
    }
    if row.ip_version == 6:
        mode = "slaac" if row.dhcp else None
        answer |= {"enable_slaac": row.dhcp, "ipv6_ra_mode": mode, "ipv6_address_mode": mode}
    return answer


def _allocation_pools(row: Subnet) -> list[dict[str, str]]:
    if row.ip_version == 6:
        return []
    network_address = ipaddress.IPv4Network(row.cidr).network_address
    runs = sorted((pool.offset, pool.size) for pool in row.pools.all())
    return [{"start": str(network_address + offset), "end": str(network_address + offset + size - 1)} for offset, size in runs]


def port(row: Port) -> type_row:
    """Needs `addresses` prefetched."""
    group = group_of_profile(row.firewall_profile)
    return _common(row, "ports", row.user_id, row.user_id) | {
        "name": row.name, "network_id": str(row.network_id), "device_id": _text(row.server_id),
        "device_owner": row.device_owner, "status": row.state, "mac_address": row.mac, "fixed_ips": _fixed_ips(row),
        "security_groups": [group] if group else [], "admin_state_up": True, "SNF:firewall_profile": row.firewall_profile,
        "binding:vnic_type": "normal", "port_security_enabled": True, "allowed_address_pairs": [], "extra_dhcp_opts": [],
        "dns_name": "", "qos_policy_id": None,
    }


def _fixed_ips(row: Port) -> list[dict[str, str]]:
    live = sorted((entry for entry in row.addresses.all() if not entry.deleted), key=lambda entry: entry.pk)
    return [
        {"ip_address": entry.address, "subnet": str(entry.subnet_id), "subnet_id": str(entry.subnet_id)} for entry in live
    ]


def floating_ip(row: IPAddress) -> type_row:
    """Needs `port` selected."""
    on_port = row.port
    return _common(row, "floatingips", row.user_id, row.project_id) | {
        "floating_network_id": str(row.network_id), "floating_ip_address": row.address, "fixed_ip_address": None,
        "port_id": _text(row.port_id), "SNF:port_id": _text(row.port_id),
        "instance_id": _text(on_port.server_id) if on_port else None, "shared_to_project": row.shared_to_project,
        "deleted": row.deleted, "router_id": None, "qos_policy_id": None,
        "status": "ACTIVE" if on_port and on_port.state == Port.ACTIVE else "DOWN", "port_details": _port_details(on_port),
    }


def _port_details(row: Port | None) -> type_row | None:
    if row is None:
        return None
    return {
        "name": row.name, "network_id": str(row.network_id), "mac_address": row.mac, "admin_state_up": True,
        "status": row.state, "device_id": _text(row.server_id), "device_owner": row.device_owner,
    }


def security_group(number: int, project_id: str) -> type_row:
    from synnefo.cyclades.services.security_groups import GROUPS

    group = GROUPS[number - 1]
    return {
        "id": str(group.number), "name": group.name, "description": group.description, "tenant_id": project_id,
        "project_id": project_id, "tags": [], "revision_number": 0, "stateful": True, "shared": False,
        "security_group_rules": [security_group_rule(rule, project_id) for rule in group.rules],
    }


def security_group_rule(rule: Any, project_id: str) -> type_row:
    return {
        "id": str(rule.number), "security_group_id": str(rule.group), "direction": rule.direction,
        "ethertype": rule.ethertype, "protocol": rule.protocol, "port_range_min": rule.port_min,
        "port_range_max": rule.port_max, "remote_ip_prefix": None, "remote_group_id": None,
        "remote_address_group_id": None, "description": "", "tenant_id": project_id, "project_id": project_id, "tags": [],
        "revision_number": 0,
    }
