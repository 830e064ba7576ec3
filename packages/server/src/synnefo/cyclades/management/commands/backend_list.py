from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from django.core.management.base import CommandParser
from django.db.models import Count, Prefetch, Q, QuerySet

from synnefo.common.commands import Field, ListCommand
from synnefo.cyclades.models import Backend, BackendNetwork, Subnet
from synnefo.cyclades.services import network_usage

USABLE = Prefetch("backend_networks", BackendNetwork.objects.filter(network__public=True, network__deleted=False, deleted=False).select_related("network")
                  .prefetch_related(Prefetch("network__subnets", Subnet.objects.filter(deleted=False, ip_version=4).prefetch_related("pools"))))


def _ips(backend: Backend) -> str:
    """Free and all addresses of its public networks; those of drained ones are not free."""
    free = total = 0
    for row in backend.backend_networks.all():
        for subnet in row.network.subnets.all():
            there, used = network_usage.counts(subnet)
            total += there
            free += 0 if row.network.drained else there - used
    return f"{free}/{total}"


class Command(ListCommand):
    help = "List backends."
    kind = "backend"
    secret_filters: ClassVar[Sequence[str]] = ("password_encrypted",)
    fields: ClassVar[dict[str, Field]] = {
        "id": Field("id", "Identifier"),
        "clustername": Field("clustername", "Name of the cluster"),
        "rapi_host": Field("rapi_host", "Address to connect to"),
        "port": Field("port", "Port of its remote API"),
        "username": Field("username", "User of its remote API"),
        "index": Field("index", "Last digit of its MAC prefixes"),
        "drained": Field("drained", "Whether it gets no new servers"),
        "offline": Field("offline", "Whether it is never called"),
        "public": Field("public", "Whether everybody's servers may go there"),
        "vms": Field("vms", "Servers there"),
        "hypervisor": Field("hypervisor", "Hypervisor"),
        "ips": Field(_ips, "Free and all addresses of its public networks"),
        "disk_templates": Field("disk_templates", "Disk templates"),
        "mem": Field(lambda backend: f"{backend.mfree}/{backend.mtotal}", "Free and all memory, MiB", order="mfree"),
        "disk": Field(lambda backend: f"{backend.dfree}/{backend.dtotal}", "Free and all disk, MiB", order="dfree"),
        "cpus": Field("ctotal", "Processors"),
        "last_event": Field("last_event_at", "When an event of it was last seen"),
        "refreshed": Field("refreshed_at", "When its figures were read"),
    }
    default_fields: ClassVar[Sequence[str]] = (
        "id", "clustername", "port", "username", "drained", "offline", "public", "vms", "hypervisor", "ips", "disk_templates")

    def add_list_arguments(self, parser: CommandParser) -> None:
        """No further options."""

    def get_queryset(self, options: Mapping[str, Any]) -> QuerySet[Any]:
        return Backend.objects.annotate(vms=Count("servers", filter=Q(servers__deleted=False))).prefetch_related(USABLE)
