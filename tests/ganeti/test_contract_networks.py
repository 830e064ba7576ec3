"""Networks, on both clusters."""

from __future__ import annotations

from synnefo.cyclades.ports import NetworkSpec, NICSpec
from tests.support.ganeti_cluster import ClusterUnderTest, new_name, reason


def test_life_of_a_network(cluster: ClusterUnderTest) -> None:
    name = cluster.network(31, connected=False)
    fresh = cluster.rapi.get_network(name)
    assert (fresh.subnet, fresh.gateway, fresh.mac_prefix, fresh.tags) == ("10.31.0.0/24", "10.31.0.1", "aa:00:10", ("private",))
    assert (fresh.free_count, fresh.reserved_count, fresh.groups, fresh.instances) == (253, 3, (), ())
    assert fresh.external_reservations == ("10.31.0.0", "10.31.0.1", "10.31.0.255")
    again = cluster.ended(cluster.rapi.create_network(NetworkSpec(name, "10.31.0.0/24"), reason=reason()))
    assert again.error is not None
    assert again.error.code == "already_exists"

    for _ in range(2):  # connecting twice is no error
        cluster.succeeded(cluster.rapi.connect_network(name, "default", mode="bridged", link="prv0", reason=reason()))
    assert cluster.rapi.get_network(name).groups == (("default", "bridged", "prv0", ""),)
    cluster.succeeded(cluster.rapi.modify_network(name, add_reserved_ips=["10.31.0.200"], reason=reason()))
    assert "10.31.0.200" in cluster.rapi.get_network(name).external_reservations

    connected = cluster.ended(cluster.rapi.remove_network(name, reason=reason()))
    assert connected.error is not None
    assert connected.error.code == "wrong_state"
    first = cluster.rapi.disconnect_network(name, "default", reason=reason())
    cluster.succeeded(cluster.rapi.remove_network(name, reason=reason(), depends=[first]))
    assert cluster.rapi.list_networks(prefix=name) == []


def test_network_in_use_stays_connected(cluster: ClusterUnderTest) -> None:
    name, vm = cluster.network(32), new_name("vm")
    cluster.succeeded(cluster.rapi.create_instance(cluster.spec(vm, nics=[NICSpec("ct-u", name, "10.32.0.4")]), reason=reason()))
    job = cluster.ended(cluster.rapi.disconnect_network(name, "default", reason=reason()))
    assert job.error is not None
    assert job.error.code == "wrong_state"
    assert cluster.rapi.get_network(name).groups == (("default", "bridged", "prv0", ""),)


def test_unknown_network_or_group(cluster: ClusterUnderTest) -> None:
    name = cluster.network(33, connected=False)
    for job_id in (
        cluster.rapi.connect_network(name, "no-such-group", mode="bridged", link="prv0", reason=reason()),
        cluster.rapi.connect_network(new_name("net"), "default", mode="bridged", link="prv0", reason=reason()),
        cluster.rapi.remove_network(new_name("net"), reason=reason()),
    ):
        error = cluster.ended(job_id).error
        assert error is not None
        assert error.code == "unknown_entity"


def test_instance_waits_for_its_network(cluster: ClusterUnderTest) -> None:
    """As the cloud submits them: network, connection and instance at once, each depending on the one before."""
    name, vm = new_name("net"), new_name("vm")
    made = cluster.rapi.create_network(NetworkSpec(name, "10.34.0.0/24", mac_prefix="aa:00:10"), reason=reason())
    joined = cluster.rapi.connect_network(name, "default", mode="bridged", link="prv0", reason=reason(), depends=[made])
    built = cluster.rapi.create_instance(cluster.spec(vm, nics=[NICSpec("ct-w", name, "10.34.0.7")]), reason=reason(),
                                         depends=[made, joined])
    cluster.succeeded(built)
    assert cluster.rapi.get_instance(vm).nics[0].ip == "10.34.0.7"
