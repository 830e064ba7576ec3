"""Networks in a simulated cluster: creation when first needed, removal, events, reconciliation, commands."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone

from synnefo.common import ports as common_ports
from synnefo.common.errors import DependencyUnavailable, InvalidInput
from synnefo.cyclades import bitmaps
from synnefo.cyclades.adapters import cluster_for
from synnefo.cyclades.models.backends import Backend
from synnefo.cyclades.models.networks import BackendNetwork, Network
from synnefo.cyclades.models.operations import Operation
from synnefo.cyclades.models.pools import AddressPool, ValuePool
from synnefo.cyclades.models.servers import Server
from synnefo.cyclades.ports import GanetiCluster
from synnefo.cyclades.reconcilers import servers
from synnefo.cyclades.services import network_events, network_operations, ports, server_networks
from synnefo.cyclades.services.server_networks import NetworkRequest
from tests.support import accounts, commands
from tests.support import networks as support
from tests.support.networks import API
from tests.support.simulator import SimulatedCluster, simulated_cluster

pytestmark = pytest.mark.django_db(transaction=True)
WAIT_S = 20


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatedCluster]:
    with simulated_cluster(Path(tmp_path_factory.mktemp("cluster")), queue_s=0, work_s=0) as cluster:
        yield cluster


@pytest.fixture
def ledger() -> Iterator[accounts.MemoryLedger]:
    before = dict(common_ports._providers)
    support.mac_prefix_pool()
    yield accounts.provide(accounts.caller("ann"))
    common_ports._providers.clear()
    common_ports._providers.update(before)


@pytest.fixture
def one(simulated: SimulatedCluster, ledger: accounts.MemoryLedger) -> Iterator[Backend]:
    yield support.backend(
        simulated.clustername, 3, rapi_host=simulated.rapi_host, port=simulated.port, username=simulated.username,
        password=simulated.password, rapi_ca=simulated.rapi_ca)
    cluster = cluster_for(simulated)
    for network in cluster.list_networks():
        jobs = [cluster.disconnect_network(network.name, group[0], reason="clean") for group in network.groups]
        _wait(cluster, [*jobs, cluster.remove_network(network.name, reason="clean", depends=jobs)])


def _wait(cluster: GanetiCluster, jobs: list[Any]) -> None:
    deadline = time.monotonic() + WAIT_S
    while True:
        states = {job: found.status for job in jobs if (found := cluster.get_job(job)) is not None}
        if all(state in {"success", "error", "canceled"} for state in states.values()):
            return
        assert time.monotonic() < deadline, states
        time.sleep(0.01)


def _report(ours: Network, where: Backend, *opcodes: str, status: str = "success", **extra: Any) -> None:
    """Tell what the event daemon would tell about jobs that ended now."""
    for opcode in opcodes:
        now = timezone.now()
        network_events.handle_network_event({
            "type": "ganeti-network-status", "operation": opcode, "network": f"snf-net-{ours.pk}", "status": status,
            "cluster": where.clustername, "jobId": 7, "logmsg": "", "event_time": [int(now.timestamp()), now.microsecond],
            "job_fields": {}, **extra,
        })


def _new_server(on: Backend, *network_ids: int) -> Server:
    with transaction.atomic():
        row = support.server(on=on)
        server_networks.create_ports_for_server(
            row, caller=accounts.caller("ann"), requested=[NetworkRequest(network_id=key) for key in network_ids])
        pending = network_operations.ensure_networks_active(row)
    network_operations.start(pending)
    return row


def test_a_private_network_appears_with_its_first_server(one: Backend) -> None:
    api = API("ann")
    key = api.network()
    api.subnet(key, "10.9.0.0/24")
    cluster = cluster_for(one)
    assert cluster.list_networks() == []
    first = _new_server(one, int(key))
    jobs = network_operations.network_dependencies(first.pk)
    _wait(cluster, jobs)
    there = cluster.get_network(f"snf-net-{key}")
    network = Network.objects.get(pk=key)
    assert (there.subnet, there.gateway, there.mac_prefix) == ("10.9.0.0/24", "10.9.0.1", f"{network.mac_prefix}3")
    assert set(there.tags) == {"private-filtered", "private", "nfdhcpd"}
    assert [group[:3] for group in there.groups] == [("default", "bridged", "prv0")]
    second = _new_server(one, int(key))
    assert network_operations.network_dependencies(second.pk) == jobs, "creation under way is not asked for again"
    assert BackendNetwork.objects.get().state == "PENDING"
    _report(network, one, "OP_NETWORK_ADD", "OP_NETWORK_CONNECT")
    assert BackendNetwork.objects.get().state == "ACTIVE"
    assert network_operations.network_dependencies(_new_server(one, int(key)).pk) == []
    assert api.post("subnets", {"subnet": {"network_id": key, "cidr": "2001:db8::/64", "ip_version": 6}})[0] == 400


def test_networks_without_ipv4_get_a_placeholder_in_ganeti_only(one: Backend) -> None:
    key = API("ann").network()
    _wait(cluster_for(one), network_operations.network_dependencies(_new_server(one, int(key)).pk))
    assert cluster_for(one).get_network(f"snf-net-{key}").subnet == "10.0.0.0/29"
    assert API("ann").get("subnets")[1] == {"subnets": []}


def test_a_lost_answer_does_not_create_the_network_twice(one: Backend, simulated: SimulatedCluster) -> None:
    key = API("ann").network()
    simulated.control(calls=[{"action": "drop_after", "match": "POST /2/networks"}])
    row = _new_server(one, int(key))
    with pytest.raises(DependencyUnavailable):
        network_operations.network_dependencies(row.pk)
    simulated.calm()
    Operation.objects.filter(kind="network.create").update(next_attempt_at=timezone.now())
    pending = Operation.objects.get(kind="network.create")
    network_operations.start([pending])
    jobs = network_operations.network_dependencies(row.pk)
    cluster = cluster_for(one)
    _wait(cluster, jobs)
    assert [job.status for job in map(cluster.get_job, jobs) if job is not None] == ["success", "success"]
    assert len(cluster.find_jobs(pending.reason)) == 2


def test_deletion_goes_through_the_cluster(one: Backend, ledger: accounts.MemoryLedger) -> None:
    api = API("ann")
    key = api.network()
    network = Network.objects.get(pk=key)
    row = _new_server(one, int(key))
    _wait(cluster_for(one), network_operations.network_dependencies(row.pk))
    _report(network, one, "OP_NETWORK_ADD", "OP_NETWORK_CONNECT")
    assert api.delete(f"networks/{key}")[0] == 409
    with transaction.atomic():
        ports.release_ports(row)
    assert api.delete(f"networks/{key}")[0] == 204
    assert api.delete(f"networks/{key}")[0] == 204
    assert api.post("ports", {"port": {"network_id": key}})[0] == 409
    assert ledger.used("ann", "cyclades.network.private") == 1
    operation = Operation.objects.get(kind="network.remove")
    cluster = cluster_for(one)
    _wait(cluster, [job.id for job in cluster.find_jobs(operation.reason)])
    assert cluster.list_networks() == []
    taken = ValuePool.objects.get().taken_bits
    assert taken
    _report(network, one, "OP_NETWORK_DISCONNECT", "OP_NETWORK_REMOVE")
    assert api.get(f"networks/{key}")[0] == 404
    assert ValuePool.objects.get().taken_bits == 0
    assert ledger.used("ann", "cyclades.network.private") == 0
    _report(network, one, "OP_NETWORK_REMOVE")
    assert ledger.used("ann", "cyclades.network.private") == 0


def test_a_network_is_kept_while_an_offline_backend_has_it(one: Backend, ledger: accounts.MemoryLedger) -> None:
    api = API("ann")
    key = api.network()
    network = Network.objects.get(pk=key)
    row = _new_server(one, int(key))
    _wait(cluster_for(one), network_operations.network_dependencies(row.pk))
    other = support.backend("two.test", 4, offline=True)
    BackendNetwork.objects.create(network=network, backend=other, mac_prefix="aa:00:14", state="ACTIVE")
    with transaction.atomic():
        ports.release_ports(row)
    assert api.delete(f"networks/{key}")[0] == 204
    _report(network, one, "OP_NETWORK_REMOVE")
    assert Network.objects.get(pk=key).deleted is False
    assert ValuePool.objects.get().taken_bits != 0
    _report(network, other, "OP_NETWORK_REMOVE")
    assert Network.objects.get(pk=key).deleted is True
    assert ledger.used("ann", "cyclades.network.private") == 0


def test_events_apply_once_in_any_order(one: Backend) -> None:
    network = support.public_network()
    old = [int(timezone.now().timestamp()) - 60, 0]
    _report(network, one, "OP_NETWORK_CONNECT")
    _report(network, one, "OP_NETWORK_ADD", event_time=old)
    _report(network, one, "OP_NETWORK_CONNECT", status="running")
    _report(network, one, "OP_NETWORK_CONNECT", status="error")
    row = BackendNetwork.objects.get()
    assert (row.state, row.mac_prefix) == ("ACTIVE", "aa:00:03")
    _report(network, one, "OP_NETWORK_ADD", status="error", logmsg="The given name (snf-net-1) already exists")
    assert BackendNetwork.objects.get().state == "ACTIVE"
    _report(network, one, "OP_NETWORK_ADD", status="error", logmsg="no room")
    assert BackendNetwork.objects.get().state == "ERROR"


def test_foreign_events_are_passed_over_and_malformed_ones_refused(one: Backend) -> None:
    network = support.public_network()
    for name in ("other", "snf-net-x", "snf-net-999999"):
        _report(network, one, "OP_NETWORK_CONNECT", network=name)
    _report(network, one, "OP_NETWORK_CONNECT", cluster="elsewhere")
    assert BackendNetwork.objects.count() == 0
    for broken in ({"event_time": None}, {"event_time": [1]}, {"jobId": "x"}, {"job_fields": 5}, {"event_time": [10**30, 0]}):
        with pytest.raises(InvalidInput):
            _report(network, one, "OP_NETWORK_CONNECT", **broken)


def test_reservations_in_ganeti_count_only_when_the_job_succeeded(one: Backend) -> None:
    network = support.public_network("192.0.2.0/28")
    fields = {"add_reserved_ips": ["192.0.2.2", "203.0.113.1"], "remove_reserved_ips": ["192.0.2.3"]}
    _report(network, one, "OP_NETWORK_SET_PARAMS", status="error", job_fields=fields)
    assert AddressPool.objects.get().reserved_bits == 0
    _report(network, one, "OP_NETWORK_SET_PARAMS", job_fields=fields)
    assert AddressPool.objects.get().value_of(0) == "192.0.2.2"
    assert AddressPool.objects.get().reserved_bits == 1


def test_addresses_the_cluster_reserved_by_itself_are_kept_back(one: Backend) -> None:
    network = support.public_network("192.0.2.0/28")
    network_operations.create_in_all_backends(network)
    cluster = cluster_for(one)
    operation = Operation.objects.get(kind="network.create")
    _wait(cluster, [job.id for job in cluster.find_jobs(operation.reason)])
    _wait(cluster, [cluster.modify_network(f"snf-net-{network.pk}", reason="t", add_reserved_ips=["192.0.2.2"])])
    _report(network, one, "OP_NETWORK_ADD", "OP_NETWORK_CONNECT")
    pool = AddressPool.objects.get()
    assert [pool.value_of(index) for index in bitmaps.members_of(pool.reserved_bits)] == ["192.0.2.2"]
    floating = API("ann").post("floatingips", {"floatingip": {}})[1]["floatingip"]
    assert floating["floating_ip_address"] == "192.0.2.3"


def test_lost_events_are_made_up_for_by_looking_at_the_jobs(one: Backend, ledger: accounts.MemoryLedger) -> None:
    api = API("ann")
    key = api.network()
    row = _new_server(one, int(key))
    cluster = cluster_for(one)
    _wait(cluster, network_operations.network_dependencies(row.pk))
    assert BackendNetwork.objects.get().state == "PENDING"
    assert servers.follow_overdue(older_than=timedelta(0)) == 1
    assert BackendNetwork.objects.get().state == "ACTIVE"
    with transaction.atomic():
        ports.release_ports(row)
    assert api.delete(f"networks/{key}")[0] == 204
    removal = Operation.objects.get(kind="network.remove")
    _wait(cluster, list(removal.jobs))
    assert servers.follow_overdue(older_than=timedelta(0)) == 1
    assert Network.objects.get(pk=key).deleted is True
    assert ledger.used("ann", "cyclades.network.private") == 0
    assert {operation.state for operation in Operation.objects.all()} == {"done"}


def test_a_floating_ip_is_put_on_a_server_by_one_of_its_ports(one: Backend) -> None:
    api = API("ann")
    public = support.public_network("192.0.2.0/28")
    row = support.server(on=one)
    private = api.port(api.network())
    assert api.put(f"ports/{private['id']}", {"port": {"device_id": str(row.pk)}})[1]["port"]["status"] == "BUILD"
    Server.objects.update(task="", task_job_id=None)
    floating = api.post("floatingips", {"floatingip": {}})[1]["floatingip"]
    path = f"floatingips/{floating['id']}"
    loose = api.port(api.network())
    assert api.put(path, {"floatingip": {"port_id": loose["id"]}})[0] == 409
    assert api.put(path, {"floatingip": {"port_id": "999999999"}})[0] == 404
    assert api.put(path, {"floatingip": {"port_id": "x"}})[0] == 400
    status, answer = api.put(path, {"floatingip": {"port_id": private["id"]}})
    nic = answer["floatingip"]["port_id"]
    assert (status, answer["floatingip"]["instance_id"], nic != private["id"]) == (200, str(row.pk), True)
    assert api.get(f"ports/{nic}")[1]["port"]["network_id"] == str(public.pk)
    assert api.put(path, {"floatingip": {"port_id": nic}})[0] == 200
    assert api.delete(path)[0] == 409
    assert api.put(path, {"floatingip": {"port_id": None}})[0] == 400, "the server is still being connected"
    Server.objects.update(task="", task_job_id=None)
    assert api.put(path, {"floatingip": {"port_id": None}})[0] == 200
    detach = Operation.objects.get(kind="port.detach")
    assert cluster_for(one).find_jobs(detach.reason)[0].ops[0].input["nics"] == [["remove", f"snf-nic-{nic}", {}]]
    assert api.delete(f"ports/{nic}")[0] == 204
    assert Operation.objects.filter(kind="port.detach").count() == 1


@pytest.mark.parametrize(("state", "status"), [
    ({"operstate": "BUILD"}, 409), ({"task": "BUILD"}, 409), ({"task": "STOP"}, 400), ({"operstate": "ERROR"}, 400),
    ({"deleted": True}, 400), ({"suspended": True}, 403),
])
def test_servers_that_cannot_get_a_nic_now(one: Backend, state: dict[str, Any], status: int) -> None:
    api = API("ann")
    key = api.network()
    row = support.server(on=one, **state)
    assert api.post("ports", {"port": {"network_id": key, "device_id": str(row.pk)}})[0] == status
    assert api.get("ports")[1] == {"ports": []}
    assert Operation.objects.count() == 0


def test_a_refused_attachment_leaves_no_port(one: Backend, simulated: SimulatedCluster) -> None:
    api = API("ann")
    key = api.network()
    api.subnet(key, "10.9.0.0/24")
    row = support.server(on=one)
    simulated.control(calls=[{"action": "refuse", "status": 400, "message": "no", "match": "PUT /2/instances"}])
    api.post("ports", {"port": {"network_id": key, "device_id": str(row.pk)}})
    simulated.calm()
    assert api.get("ports")[1] == {"ports": []}
    row.refresh_from_db()
    assert row.task == ""
    assert api.port(key)["fixed_ips"][0]["ip_address"] == "10.9.0.2"


def test_an_attached_port_becomes_a_nic_and_goes_again(one: Backend) -> None:
    api = API("ann")
    key = api.network()
    api.subnet(key, "10.9.0.0/24")
    row = support.server(on=one)
    assert api.post("ports", {"port": {"network_id": key, "device_id": "999999999"}})[0] == 404
    port = api.port(key, device_id=str(row.pk))
    assert (port["status"], port["device_id"], port["device_owner"]) == ("BUILD", str(row.pk), "vm")
    attach = Operation.objects.get(kind="port.attach")
    job = cluster_for(one).find_jobs(attach.reason)[0]
    assert job.ops[0].input["nics"][0][2] == {
        "name": f"snf-nic-{port['id']}", "network": f"snf-net-{key}", "ip": "10.9.0.2", "mac": port["mac_address"]}


def test_network_create_and_inspect_commands(one: Backend) -> None:
    made = commands.run(
        "network-create", "--name", "public", "--public", "--network-type", "CUSTOM", "--link", "br7", "--subnet",
        "192.0.2.0/24", "--gateway", "192.0.2.1", "--dhcp", "True", "--floating-ip-pool", "True", "--output-format", "json")
    made_json = made.json()
    network = Network.objects.get(pk=made_json["id"] if isinstance(made_json, dict) else made_json[0]["id"])
    assert (network.link, network.public, network.floating_ip_pool, network.external_router) == ("br7", True, True, True)
    cluster = cluster_for(one)
    operation = Operation.objects.get(kind="network.create")
    _wait(cluster, [job.id for job in cluster.find_jobs(operation.reason)])
    assert set(cluster.get_network(f"snf-net-{network.pk}").tags) == {"public", "nfdhcpd"}
    shown = commands.run("network-inspect", f"snf-net-{network.pk}")
    assert "192.0.2.0/24" in shown.out
    assert "exists" in shown.out
    listed = commands.run("network-list", "--public", "--output-format", "json").json()
    assert [(item["name"], item["subnet.ipv4"]) for item in listed] == [("public", "192.0.2.0/24")]


@pytest.mark.parametrize("arguments", [
    ["--public"], ["--flavor", "CUSTOM"], ["--public", "--flavor", "NOPE"],
    ["--public", "--flavor", "CUSTOM", "--dhcp", "True"], ["--public", "--flavor", "CUSTOM", "--gateway", "10.0.0.1"],
    ["--public", "--flavor", "CUSTOM", "--gateway6", "::1"], ["--public", "--flavor", "IP_LESS_ROUTED"],
    ["--public", "--flavor", "CUSTOM", "--mac-prefix", "bb:00:44"], ["--public", "--flavor", "CUSTOM", "--link", "pool"],
    ["--public", "--flavor", "CUSTOM", "--subnet", "10.0.0.0/24", "--subnet6", "2001:db8::/63"],
    ["--public", "--flavor", "MAC_FILTERED", "--mac-prefix", "aa:00:9"],
])
def test_network_create_refuses_and_leaves_nothing(ledger: accounts.MemoryLedger, arguments: list[str]) -> None:
    answer = commands.run("network-create", *arguments)
    assert answer.code in {1, 2}
    assert len(answer.err.strip().splitlines()) == 1
    assert Network.objects.count() == 0
    assert ValuePool.objects.get().taken_bits == 0


def test_reconcile_networks_repairs_every_kind_of_difference(one: Backend, ledger: accounts.MemoryLedger) -> None:
    cluster = cluster_for(one)
    networks = [support.public_network(f"198.51.{number}.0/24") for number in range(4)]
    for network in networks:
        network_operations.create_in_all_backends(network)
    operations = Operation.objects.filter(kind="network.create")
    _wait(cluster, [job.id for operation in operations for job in cluster.find_jobs(operation.reason)])
    parted, missing, unsynced, orphan = networks
    BackendNetwork.objects.filter(network=parted).delete()
    BackendNetwork.objects.filter(network__in=[missing, unsynced]).update(updated_at="2020-01-01T00:00:00Z")
    jobs = [cluster.disconnect_network(f"snf-net-{missing.pk}", "default", reason="t")]
    _wait(cluster, [*jobs, cluster.remove_network(f"snf-net-{missing.pk}", reason="t", depends=jobs)])
    BackendNetwork.objects.filter(network=orphan).delete()
    Network.objects.filter(pk=orphan.pk).update(deleted=True, state="DELETED")
    support.backend("dead.test", 9, rapi_host="127.0.0.1", port=1)
    found = commands.run("reconcile-networks")
    assert found.code == 4
    assert "dead.test" in found.err
    for text in (f"network {parted.pk} on", f"network {missing.pk} on", f"network {unsynced.pk} on", f"snf-net-{orphan.pk}"):
        assert text in found.out, found.out
    commands.run("reconcile-networks", "--fix-all")
    creations = Operation.objects.filter(kind="network.create")
    _wait(cluster, [job.id for operation in creations for job in cluster.find_jobs(operation.reason)])
    _wait(cluster, [job.id for job in cluster.find_jobs("snf:reconcile-networks")])
    BackendNetwork.objects.filter(network=missing).update(updated_at="2020-01-01T00:00:00Z")
    commands.run("reconcile-networks", "--fix-all")
    assert {row.state for row in BackendNetwork.objects.filter(backend=one)} == {"ACTIVE"}
    assert {network.name for network in cluster.list_networks()} == {
        f"snf-net-{network.pk}" for network in (parted, missing, unsynced)}
    Backend.objects.filter(clustername="dead.test").update(offline=True)
    clean = commands.run("reconcile-networks")
    assert (clean.code, clean.out) == (0, "")


def test_reconcile_pools_finds_and_mends_drift(ledger: accounts.MemoryLedger, settings_override: Callable[..., None]) -> None:
    api = API("ann")
    key = api.network()
    api.subnet(key, "10.9.0.0/24")
    api.port(key)
    assert commands.run("reconcile-pools").code == 0
    AddressPool.objects.update(taken=b"\x06", reserved=b"\x80")
    ValuePool.objects.update(taken=b"")
    found = commands.run("reconcile-pools")
    assert found.code == 4
    assert "10.9.0.2 is available but should be unavailable" in found.out
    assert "10.9.0.3 is unavailable but should be available" in found.out
    assert f"{Network.objects.get().mac_prefix} is available but should be unavailable" in found.out
    assert commands.run("reconcile-pools", "--fix").code == 0
    assert commands.run("reconcile-pools").code == 0
    pool = AddressPool.objects.get()
    assert (pool.taken_bits, pool.reserved_bits) == (1, 0x80)


def test_pool_commands(ledger: accounts.MemoryLedger) -> None:
    assert commands.run("pool-create", "--type", "mac-prefix", "--size", "9").code == 1
    assert commands.run("pool-create", "--type", "bridge", "--size", "9").code == 1
    assert commands.run("pool-create", "--type", "bridge", "--size", "9", "--base", "prv").code == 0
    bridges = ValuePool.objects.get(kind="bridge")
    shown = commands.run("pool-show", str(bridges.pk), "--type", "bridge")
    assert "........." in shown.out
    assert commands.run("pool-modify", str(bridges.pk), "--type", "bridge", "--size", "16", "--add-reserved",
                        "prv10").code == 0
    assert commands.run("pool-modify", str(bridges.pk), "--type", "bridge", "--add-reserved", "prv17").code == 1
    listed = commands.run("pool-list", "--type", "bridge", "--output-format", "json").json()
    assert [(item["size"], item["available"], item["reserved"]) for item in listed] == [(16, 15, 1)]
    prefixes = ValuePool.objects.get(kind="mac-prefix")
    API("ann").network()
    assert commands.run("pool-remove", str(prefixes.pk), "--type", "mac-prefix", "--yes").code == 1
    assert commands.run("pool-remove", str(bridges.pk), "--type", "bridge", "--yes").code == 0


def test_the_default_mac_prefix_pool_has_the_usable_prefixes(ledger: accounts.MemoryLedger) -> None:
    ValuePool.objects.all().delete()
    pool = support.mac_prefix_pool(65536)
    assert (pool.count_free, pool.count_reserved) == (16383, 49153)
    assert (pool.value_of(0), pool.value_of(65535)) == ("aa:00:0", "b9:ff:f")


def test_subnet_port_and_floating_ip_commands(ledger: accounts.MemoryLedger) -> None:
    network = support.public_network("192.0.2.0/28")
    assert commands.run("subnet-create", "--network", str(network.pk), "--cidr", "2001:db8::/64", "--ip-version", "6").code == 0
    listed = commands.run("subnet-list", "--network", "x")
    assert listed.code == 2
    assert len(commands.run("subnet-list", "--output-format", "json").json()) == 2
    subnet_id = network.subnets.get(ip_version=4).pk
    assert "192.0.2.2" in commands.run("subnet-inspect", str(subnet_id)).out
    assert commands.run("subnet-modify", str(subnet_id), "--name", "new").code == 0
    made = commands.run("port-create", "--network", str(network.pk), "--user", "8c4ebd3c-0f6e-4f0a-9d1c-1d0e3a2b4c5d",
                        "--output-format", "json")
    assert made.code == 0, made.err
    listed_ports = commands.run("port-list", "--public", "--output-format", "json").json()
    assert [item["fixed_ips"] for item in listed_ports] == ["192.0.2.2"]
    assert commands.run("port-inspect", f"snf-nic-{listed_ports[0]['id']}").code == 0
    assert commands.run("port-remove", str(listed_ports[0]["id"]), "--yes").code == 0
    assert commands.run("port-remove", str(listed_ports[0]["id"]), "--yes").code == 1
    API("ann").post("floatingips", {"floatingip": {}})
    listed_ips = commands.run("floating-ip-list", "--output-format", "json").json()
    assert commands.run("floating-ip-show", str(listed_ips[0]["id"])).code == 0
    assert commands.run("network-modify", str(network.pk), "--floating-ip-pool", "False").code == 1
    assert commands.run("floating-ip-remove", str(listed_ips[0]["id"]), "--yes").code == 0
    assert commands.run("network-modify", str(network.pk), "--floating-ip-pool", "False", "--drained", "True",
                        "--add-reserved-ips", "192.0.2.5").code == 0
    assert commands.run("network-modify", str(network.pk), "--add-reserved-ips", "203.0.113.5").code == 1
    assert commands.run("network-remove", str(network.pk), "--yes").code == 0
    assert Network.objects.get().deleted is True
