"""A simulated cluster with its backend row, a user of the real identity service, and the worker's duties without a clock."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta

from django.db import transaction

from synnefo.astakos.services.resources import register_resource
from synnefo.common.ids import UserID
from synnefo.common.ports import Caller, identity, quota
from synnefo.cyclades.adapters import cluster_for
from synnefo.cyclades.models.backends import Backend
from synnefo.cyclades.models.flavors import Flavor, VolumeType
from synnefo.cyclades.models.operations import Operation
from synnefo.cyclades.models.servers import Server
from synnefo.cyclades.reconcilers import servers as reconcilers
from synnefo.cyclades.services import operations
from synnefo.cyclades.services import servers as server_verbs
from synnefo.cyclades.services.server_networks import NetworkRequest
from tests.support import identity as accounts
from tests.support import networks as support
from tests.support.simulator import SimulatedCluster

WAIT_S = 60
RESOURCES = ("vm", "cpu", "total_cpu", "ram", "total_ram", "disk", "floating_ip", "network.private")


def until(condition: Callable[[], object]) -> None:
    """Wait for a condition; the test fails when it does not come."""
    deadline = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline, condition
        time.sleep(0.01)


def backend_of(simulated: SimulatedCluster) -> Backend:
    """The row of a simulated cluster with plenty of room, and the only flavor."""
    flavor_type = VolumeType.objects.create(name="file", disk_template="file")
    Flavor.objects.create(cpu=1, ram=256, disk=2, volume_type=flavor_type)
    return support.backend(
        simulated.clustername, 3, rapi_host=simulated.rapi_host, port=simulated.port, username=simulated.username,
        password=simulated.password, rapi_ca=simulated.rapi_ca, disk_templates=["file"], mfree=2**20, mtotal=2**20,
        dfree=2**20, dtotal=2**20, ctotal=64)


def empty(simulated: SimulatedCluster) -> None:
    """Remove every instance and network of the cluster."""
    simulated.calm()
    cluster = cluster_for(simulated)
    for instance in cluster.list_instances():
        cluster.remove_instance(instance.name, reason="clean", timeout_s=0)
    until(lambda: not cluster.list_instances())
    for network in cluster.list_networks():
        jobs = [cluster.disconnect_network(network.name, group[0], reason="clean") for group in network.groups]
        cluster.remove_network(network.name, reason="clean", depends=jobs)
    until(lambda: not cluster.list_networks())


def user_with_quota(email: str = "ann@example.org") -> Caller:
    with transaction.atomic():
        for name in RESOURCES:
            register_resource({"name": f"cyclades.{name}", "desc": name, "service_type": "compute",
                               "service_origin": "cyclades_compute"}, "cyclades")
    return identity().caller_of(UserID(accounts.make_user(email).uuid))


def used(caller: Caller, resource: str) -> int:
    """What the ledger says is in use; nothing may be undecided."""
    holding = quota("cyclades").usages(user_ids=[caller.user_id])[caller.user_id][caller.project_id][f"cyclades.{resource}"]
    assert holding.pending == 0, "nothing is left undecided"
    return holding.usage


def settle() -> None:
    """No event ever comes: the worker's duties alone finish everything."""

    def is_quiet() -> bool:
        Operation.objects.filter(state="pending").update(next_attempt_at="2020-01-01T00:00:00Z")
        operations.perform_due()
        reconcilers.follow_overdue(older_than=timedelta(0))
        return not Operation.objects.filter(state__in=["pending", "submitted"]).exists()

    until(is_quiet)


def build(caller: Caller, *requests: NetworkRequest) -> Server:
    """A server of the only flavor, from an image nobody looks at."""
    image = server_verbs.ServerImage("i", 1, "image", "ab" * 32, 1024, "diskdump", {})
    return server_verbs.create_server(
        caller, server_verbs.ServerRequest("s", Flavor.objects.get(), image, "secret", networks=requests))
