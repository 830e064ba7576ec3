from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

from django.core.management.base import CommandParser

from synnefo.common.commands import Field, ShowCommand, boolean, object_id
from synnefo.common.errors import DomainError
from synnefo.cyclades import ganeti_names
from synnefo.cyclades.adapters import cluster_for
from synnefo.cyclades.management.network_output import SUBNET_HEADERS, subnet_rows
from synnefo.cyclades.models.backends import Backend
from synnefo.cyclades.models.networks import Network
from synnefo.cyclades.ports import GanetiNotFound
from synnefo.cyclades.services import network_usage
from synnefo.cyclades.services.networks import find_network, status_of


def _addresses(network: Network) -> tuple[int, int]:
    counts = [network_usage.counts(subnet) for subnet in network.subnets.filter(deleted=False)]
    return sum(total for total, _ in counts), sum(used for _, used in counts)


class Command(ShowCommand):
    help = "Show a network in the database and in every backend."
    kind = "network"
    argument_type = staticmethod(object_id("network"))
    fields: ClassVar[dict[str, Field]] = {
        "id": Field("id", "Identifier"),
        "name": Field("name", "Name"),
        "backend-name": Field(lambda network: ganeti_names.network_name(network.pk), "Name in Ganeti"),
        "state": Field(status_of, "State"),
        "user": Field("user_id", "Owner"),
        "project": Field("project_id", "Project that is charged"),
        "shared_to_project": Field("shared_to_project", "Whether members of the project may use it"),
        "public": Field("public", "Whether it is public"),
        "floating_ip_pool": Field("floating_ip_pool", "Whether users may reserve its addresses"),
        "external_router": Field("external_router", "Whether it leads outside"),
        "drained": Field("drained", "Whether it gives out no addresses"),
        "mac_prefix": Field("mac_prefix", "MAC prefix"),
        "flavor": Field("flavor", "Type"),
        "link": Field("link", "Bridge or routing table"),
        "mode": Field("mode", "bridged or routed"),
        "deleted": Field("deleted", "Whether it is deleted"),
        "tags": Field("ganeti_tags", "Tags in Ganeti"),
        "action": Field("action", "Last action asked for"),
        "free IPs": Field(lambda network: _addresses(network)[0] - _addresses(network)[1], "Free addresses"),
        "total IPs": Field(lambda network: _addresses(network)[0], "Addresses that can be given out"),
    }

    def add_show_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--backends", type=boolean, default=True, metavar="BOOL", help="Ask the backends too.")

    def find(self, key: Any, options: Mapping[str, Any]) -> Network:
        return find_network(key)

    def sections(
        self, found: Any, options: Mapping[str, Any]
    ) -> list[tuple[str, Sequence[str], Iterable[Sequence[Any]]]]:
        presence = [
            (row.backend.clustername, row.state, row.deleted, row.job_id, row.opcode, row.job_status)
            for row in found.backend_networks.select_related("backend").order_by("backend_id")
        ]
        parts: list[tuple[str, Sequence[str], Iterable[Sequence[Any]]]] = [
            ("Subnets", SUBNET_HEADERS, subnet_rows(found)),
            ("Backends", ("Backend", "State", "Deleted", "JobID", "Opcode", "JobStatus"), presence),
        ]
        if options["backends"]:
            rows = [self._in_backend(backend, found) for backend in Backend.objects.filter(offline=False).order_by("id")]
            parts.append(("In Ganeti", ("Backend", "State", "Subnet", "Groups", "External reservations"), rows))
        return parts

    def _in_backend(self, backend: Backend, network: Network) -> Sequence[Any]:
        try:
            seen = cluster_for(backend).get_network(ganeti_names.network_name(network.pk))
        except GanetiNotFound:
            return (backend.clustername, "does not exist", None, None, None)
        except DomainError as error:
            return (backend.clustername, error.public, None, None, None)
        groups = ", ".join(group[0] for group in seen.groups)
        return (backend.clustername, "exists", seen.subnet, groups, ", ".join(seen.external_reservations))
