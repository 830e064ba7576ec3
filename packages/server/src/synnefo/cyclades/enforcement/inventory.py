"""What there is to enforce limits on: counters of the ledger, and the objects behind them."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from django.db.models import Q

from synnefo.common.ids import ProjectID
from synnefo.common.ports import quota
from synnefo.cyclades.enforcement import plan as planning
from synnefo.cyclades.enforcement.plan import Holding, Item, Kind
from synnefo.cyclades.models import IPAddress, Server, Volume, VolumeStatus


@dataclass(frozen=True, slots=True)
class Scope:
    """Which users and projects to look at: uuids; None is all. What is excluded is taken off what is included."""

    users: frozenset[str] | None = None
    excluded_users: frozenset[str] = frozenset()
    projects: frozenset[str] | None = None
    excluded_projects: frozenset[str] = frozenset()

    def has_user(self, uuid: str) -> bool:
        return (self.users is None or uuid in self.users) and uuid not in self.excluded_users

    def has_project(self, uuid: str) -> bool:
        return (self.projects is None or uuid in self.projects) and uuid not in self.excluded_projects


def holdings(scope: Scope) -> list[Holding]:
    """Counters of this service, of projects and of members. One question to the ledger."""
    asked = None if scope.projects is None else [ProjectID(uuid) for uuid in sorted(scope.projects)]
    projects: dict[tuple[str, str], Holding] = {}
    members = []
    for user, sources in quota("cyclades").usages(project_ids=asked).items():
        for project, resources in sources.items():
            if not scope.has_project(project):
                continue
            for name, usage in resources.items():
                projects[project, name] = Holding(project, "", name, usage.project_limit, usage.project_usage, usage.project_pending)
                if scope.has_user(user):
                    members.append(Holding(user, project, name, usage.limit, usage.usage, usage.pending))
    return [*projects.values(), *members]


def items(counters: Collection[Holding]) -> list[Item]:
    """Servers, volumes and floating IPs of the projects that are over a limit, with those they hang on. Five queries."""
    projects = {holding.source or holding.holder for holding in counters if holding.usage > holding.limit}
    volumes = Volume.objects.filter(deleted=False).exclude(status=VolumeStatus.DELETED)
    addresses = IPAddress.objects.filter(floating_ip=True, deleted=False, project_id__in=projects).select_related("port")
    held = set(volumes.filter(project_id__in=projects, server__isnull=False).values_list("server_id", flat=True))
    held |= set(addresses.filter(port__server__isnull=False).values_list("port__server_id", flat=True))
    servers = {row.pk: row for row in Server.objects.filter(Q(project_id__in=projects) | Q(pk__in=held), deleted=False)
               .select_related("flavor", "backend")}
    found = [_server(row) for row in servers.values()]
    found += [_volume(row, servers) for row in volumes.filter(Q(project_id__in=projects) | Q(server__in=servers))]
    return [*found, *_addresses(list(addresses), servers)]


def _server(row: Server) -> Item:
    cpu, ram = row.flavor.cpu, row.flavor.ram_bytes
    shares = {planning.VM: 1, planning.TOTAL_CPU: cpu, planning.TOTAL_RAM: ram}
    if row.is_active:
        shares |= {planning.CPU: cpu, planning.RAM: ram}
    return Item(Kind.SERVER, row.pk, row.user_id, row.project_id, row.operstate, _cluster(row), shares)


def _volume(row: Volume, servers: dict[int, Server]) -> Item:
    return Item(Kind.VOLUME, row.pk, row.user_id, row.project_id, row.status, _cluster(servers.get(row.server_id or 0)),
                {planning.DISK: row.size_bytes}, server_id=row.server_id, index=row.index)


def _addresses(rows: list[IPAddress], servers: dict[int, Server]) -> Iterator[Item]:
    for row in rows:
        server = servers.get(row.port.server_id or 0) if row.port is not None else None
        yield Item(Kind.ADDRESS, row.pk, row.user_id, str(row.project_id), "attached" if row.port_id else "free", _cluster(server),
                   {planning.FLOATING_IP: 1}, server_id=server.pk if server is not None else None)


def _cluster(server: Server | None) -> str | None:
    return server.backend.clustername if server is not None and server.backend is not None else None
