from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

from django.core.management.base import CommandParser

from synnefo.common.commands import Field, ShowCommand, object_id, unknown
from synnefo.common.errors import DomainError, NotFound
from synnefo.cyclades import ganeti_names
from synnefo.cyclades.adapters import cluster_for
from synnefo.cyclades.management.network_output import fixed_ips
from synnefo.cyclades.models import Server
from synnefo.cyclades.ports import GanetiCluster, GanetiNotFound, Instance

type_section = tuple[str, Sequence[str], Iterable[Sequence[Any]]]
INSTANCE_FIELDS = ("name", "status", "is_running", "admin_state", "primary_node", "os", "disk_template", "vcpus", "max_memory_mib", "network_port",
                   "boot_order", "created_at", "modified_at", "tags")


class Command(ShowCommand):
    help = "Show a server in the database and in its cluster."
    kind = "server"
    argument_type = staticmethod(object_id("server"))
    fields: ClassVar[dict[str, Field]] = {
        "id": Field("id", "Identifier"),
        "backend-name": Field(lambda server: ganeti_names.instance_name(server.pk), "Name in Ganeti"),
        "name": Field("name", "Name"),
        "user": Field("user_id", "Owner"),
        "project": Field("project_id", "Project that is charged"),
        "backend": Field("backend__clustername", "Its cluster"),
        "flavor": Field("flavor__name", "Flavor"),
        "image": Field("image_id", "Image it was made from"),
        "operstate": Field("operstate", "State that Ganeti last reported"),
        "deleted": Field("deleted", "Whether it is deleted"),
        "suspended": Field("suspended", "Whether an operator suspended it"),
        "action": Field("action", "Last action asked for"),
        "task": Field("task", "Action under way"),
        "task_job_id": Field("task_job_id", "Job that ends it"),
        "serial": Field("serial", "Commission that its end settles"),
        "backendjobid": Field("backendjobid", "Last job"),
        "backendopcode": Field("backendopcode", "Its opcode"),
        "backendjobstatus": Field("backendjobstatus", "Its status"),
        "backendlogmsg": Field("backendlogmsg", "Its last message"),
        "backendtime": Field("backendtime", "When its state was reached"),
        "buildpercentage": Field("buildpercentage", "Progress of the build"),
        "created": Field("created_at", "Creation time"),
        "updated": Field("updated_at", "Time of the last change"),
    }

    def add_show_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--jobs", action="store_true", help="List the jobs of the cluster that name it.")

    def find(self, key: Any, options: Mapping[str, Any]) -> Server:
        server = Server.objects.select_related("backend", "flavor__volume_type").filter(pk=key).first()
        if server is None:
            raise NotFound(unknown("server", key, "server-list"))
        return server

    def sections(self, found: Any, options: Mapping[str, Any]) -> list[type_section]:
        ports = found.ports.select_related("network").prefetch_related("addresses").order_by("index")
        volumes = found.volumes.select_related("volume_type").order_by("index")
        operations = found.operations.order_by("-created_at")[:20]
        return [
            ("Ports", ("ID", "Network", "MAC", "IPs", "State"), [(port.pk, port.network_id, port.mac, fixed_ips(port), port.state) for port in ports]),
            ("Volumes", ("ID", "Size", "Type", "Status", "Source"),
             [(volume.pk, volume.size, volume.volume_type.name, volume.status, volume.source) for volume in volumes]),
            ("Operations", ("UUID", "Kind", "State", "Attempts", "Jobs", "Last error"),
             [(str(row.uuid), row.kind, row.state, row.attempts, row.jobs, row.last_error) for row in operations]),
            *self._in_ganeti(found, with_jobs=options["jobs"]),
        ]

    def _in_ganeti(self, server: Server, *, with_jobs: bool) -> list[type_section]:
        if server.backend is None:
            return []
        try:
            cluster = cluster_for(server.backend)
            jobs = [self._jobs(cluster, server)] if with_jobs else []
            return [*_instance(cluster.get_instance(ganeti_names.instance_name(server.pk), live=True)), *jobs]
        except GanetiNotFound:
            return [("In Ganeti", ("Field", "Value"), [("status", "does not exist in backend")]), *jobs]
        except DomainError as error:
            return [("In Ganeti", ("Field", "Value"), [("status", error.public)])]

    def _jobs(self, cluster: GanetiCluster, server: Server) -> type_section:
        name = ganeti_names.instance_name(server.pk)
        rows = [(job.id, ", ".join(job.summary), job.status, job.ended_at) for job in cluster.list_jobs()
                if any(f"({name})" in item for item in job.summary)]
        return ("Jobs", ("ID", "Summary", "Status", "Ended"), rows)


def _instance(seen: Instance) -> list[type_section]:
    return [
        ("In Ganeti", ("Field", "Value"), [(name, getattr(seen, name)) for name in INSTANCE_FIELDS]),
        ("NICs in Ganeti", ("Name", "Network", "IP", "MAC"), [(nic.name, nic.network, nic.ip, nic.mac) for nic in seen.nics]),
        ("Disks in Ganeti", ("Name", "Size MiB"), [(disk.name, disk.size_mib) for disk in seen.disks]),
    ]
