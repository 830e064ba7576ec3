"""The Ganeti jobs that bring a network into a cluster and remove it. Calls the cluster: never inside a transaction.

Each function may be repeated with the same `reason`: jobs already submitted with it are found and not submitted again.
"""

from __future__ import annotations

from collections.abc import Iterable

from synnefo.cyclades import ganeti_names
from synnefo.cyclades.models.networks import BackendNetwork, Network, Subnet
from synnefo.cyclades.ports import GanetiCluster, GanetiNotFound, Job, NetworkSpec

PLACEHOLDER_SUBNET = "10.0.0.0/29"
"""Ganeti wants an IPv4 range for every network. It exists in Ganeti only; NICs there get no address from it."""
ADD, CONNECT, DISCONNECT, REMOVE = "OP_NETWORK_ADD", "OP_NETWORK_CONNECT", "OP_NETWORK_DISCONNECT", "OP_NETWORK_REMOVE"

type_done = dict[tuple[str, str | None], int]


def network_spec(row: BackendNetwork) -> NetworkSpec:
    """How the network looks in this cluster. A fresh list of tags each time: it is completed here."""
    network = row.network
    subnets = {subnet.ip_version: subnet for subnet in Subnet.objects.filter(network=network, deleted=False)}
    ipv4, ipv6 = subnets.get(4), subnets.get(6)
    tags = [*network.ganeti_tags, "public" if network.public else "private"]
    if any(subnet.dhcp for subnet in subnets.values()):
        tags.append("nfdhcpd")
    return NetworkSpec(
        name=ganeti_names.network_name(network.pk), subnet=ipv4.cidr if ipv4 else PLACEHOLDER_SUBNET,
        gateway=ipv4.gateway if ipv4 else None, subnet6=ipv6.cidr if ipv6 else None,
        gateway6=ipv6.gateway if ipv6 else None, mac_prefix=row.mac_prefix, tags=tags,
        conflicts_check=_checks_conflicts(network, ipv4),
    )


def _checks_conflicts(network: Network, ipv4: Subnet | None) -> bool:
    return network.public and ipv4 is not None


def create_and_connect(cluster: GanetiCluster, row: BackendNetwork, *, reason: str, is_repeated: bool) -> list[int]:
    """Create the network and connect it to every node group; ids of all jobs, in order of submission."""
    done = _submitted(cluster, reason) if is_repeated else {}
    spec = network_spec(row)
    add = done.get((ADD, None)) or int(cluster.create_network(spec, reason=reason))
    return [add, *connect(cluster, row, cluster.list_groups(), reason=reason, done=done, depends=[add])]


def connect(
    cluster: GanetiCluster, row: BackendNetwork, groups: Iterable[str], *, reason: str, done: type_done | None = None,
    depends: Iterable[int] = (),
) -> list[int]:
    network, name = row.network, ganeti_names.network_name(row.network_id)
    known, after = done or {}, list(depends)
    has_ipv4 = network.subnets.filter(ip_version=4, deleted=False).exists()
    return [
        known.get((CONNECT, group)) or int(cluster.connect_network(
            name, group, mode=network.mode, link=network.link, reason=reason,
            conflicts_check=network.public and has_ipv4, depends=after))
        for group in sorted(groups)
    ]


def disconnect_and_remove(cluster: GanetiCluster, network_id: int, *, reason: str, is_repeated: bool) -> list[int]:
    """Disconnect the network from its node groups and remove it; ids of the jobs. Empty when the cluster lacks it."""
    done = _submitted(cluster, reason) if is_repeated else {}
    name = ganeti_names.network_name(network_id)
    try:
        connected = [group[0] for group in cluster.get_network(name).groups]
    except GanetiNotFound:
        return []
    jobs = [job for (opcode, _), job in done.items() if opcode == DISCONNECT]
    jobs += [
        int(cluster.disconnect_network(name, group, reason=reason))
        for group in connected if (DISCONNECT, group) not in done
    ]
    removal = done.get((REMOVE, None)) or int(cluster.remove_network(name, reason=reason, depends=jobs))
    return [*jobs, removal]


def _submitted(cluster: GanetiCluster, reason: str) -> type_done:
    """What earlier attempts with this reason have put into the queue, by opcode and node group."""
    return {key: int(job.id) for job in cluster.find_jobs(reason) if (key := _key(job)) is not None}


def _key(job: Job) -> tuple[str, str | None] | None:
    if not job.ops:
        return None
    opcode = job.ops[0]
    group = opcode.input.get("group_name") if opcode.op_id in {CONNECT, DISCONNECT} else None
    return opcode.op_id, group
