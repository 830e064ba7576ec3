"""Networks of new servers, ports going with servers, and following what Ganeti says of NICs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone

from synnefo.common import ports as common_ports
from synnefo.common.errors import DomainError, Forbidden, InvalidInput, NoCapacity, NotFound, StateConflict
from synnefo.common.ports import Caller
from synnefo.cyclades import ganeti_names
from synnefo.cyclades.models.network_locks import lock_address_pools
from synnefo.cyclades.models.networks import IPAddress, IPHistory, Network, Port
from synnefo.cyclades.models.servers import Server
from synnefo.cyclades.services import floating_ips, nic_sync, ports, subnets
from synnefo.cyclades.services.server_networks import NetworkRequest, create_ports_for_server, parse_requested_networks
from tests.support import accounts
from tests.support.networks import API, backend, mac_prefix_pool, public_network, server

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def ann() -> Iterator[Caller]:
    before = dict(common_ports._providers)
    mac_prefix_pool()
    known = accounts.caller("ann")
    accounts.provide(known, accounts.caller("bob"))
    yield known
    common_ports._providers.clear()
    common_ports._providers.update(before)


@pytest.fixture
def new_server(ann: Caller) -> Callable[..., list[Port]]:
    """Create a server's row and its ports in one transaction, as the server service does."""
    cluster = backend(index=3)

    def create(requested: list[NetworkRequest] | None = None) -> list[Port]:
        with transaction.atomic():
            row = server(on=cluster)
            return create_ports_for_server(row, caller=ann, requested=requested)

    return create


def _private(cidr: str | None = "10.9.0.0/24", ipv6: bool = False) -> int:
    api = API("ann")
    key = api.network()
    if cidr:
        api.subnet(key, cidr)
    if ipv6:
        api.subnet(key, "2001:db8::/64", ip_version=6)
    return int(key)


def _ipv4(port: Port) -> str | None:
    row = port.addresses.filter(ip_version=4, deleted=False).first()
    return row.address if row else None


def test_a_forced_public_network_gives_every_server_an_ordinary_address(
    new_server: Callable[..., list[Port]], settings_override: Callable[..., None]
) -> None:
    public_network("192.0.2.0/29")
    settings_override(CYCLADES_FORCED_SERVER_NETWORKS=["SNF:ANY_PUBLIC_IPV4"])
    port, = new_server()
    row = port.addresses.get()
    assert (row.address, row.floating_ip, row.project_id) == ("192.0.2.2", False, None)
    assert (port.state, port.index, port.device_owner, port.public) == ("BUILD", 0, "vm", True)
    assert port.mac is not None
    assert port.mac.startswith("aa:00:03:")
    history = IPHistory.objects.get()
    assert (history.address, history.server_id, history.user_id, history.action) == (
        "192.0.2.2", port.server_id, "ann", "associate")
    assert API("ann").delete(f"ports/{port.pk}")[0] == 403
    assert _ipv4(new_server([])[0]) == "192.0.2.3"


def test_forced_networks_come_first_and_nics_follow_the_request(
    new_server: Callable[..., list[Port]], settings_override: Callable[..., None]
) -> None:
    public_network("192.0.2.0/29")
    settings_override(CYCLADES_FORCED_SERVER_NETWORKS=["SNF:ANY_PUBLIC_IPV4"])
    first, second = _private("10.1.0.0/24", ipv6=True), _private(None)
    created = new_server([NetworkRequest(network_id=second), NetworkRequest(network_id=first, fixed_ip="10.1.0.77")])
    row = Server.objects.get()
    assert ports.ganeti_nics(row) == [
        {"name": f"snf-nic-{created[0].pk}", "network": f"snf-net-{created[0].network_id}", "ip": "192.0.2.2",
         "mac": created[0].mac},
        {"name": f"snf-nic-{created[1].pk}", "network": f"snf-net-{second}", "ip": None, "mac": created[1].mac},
        {"name": f"snf-nic-{created[2].pk}", "network": f"snf-net-{first}", "ip": "10.1.0.77", "mac": created[2].mac},
    ]
    assert created[2].mac is not None
    assert created[2].mac.startswith(f"{created[2].network.mac_prefix}3:")
    assert created[2].addresses.get(ip_version=6).address.startswith("2001:db8::a800:")


def test_a_full_forced_network_is_no_capacity_and_leaves_nothing(
    new_server: Callable[..., list[Port]], settings_override: Callable[..., None]
) -> None:
    settings_override(CYCLADES_FORCED_SERVER_NETWORKS=["SNF:ANY_PUBLIC_IPV4"])
    with pytest.raises(NoCapacity):
        new_server()
    public_network("192.0.2.0/29")
    for _ in range(5):
        new_server()
    with pytest.raises(NoCapacity):
        new_server()
    assert Server.objects.count() == Port.objects.count() == IPAddress.objects.count() == 5


def test_a_group_takes_the_first_network_that_works(
    new_server: Callable[..., list[Port]], settings_override: Callable[..., None]
) -> None:
    small, large = public_network("192.0.2.0/29"), public_network("198.51.100.0/24")
    settings_override(CYCLADES_FORCED_SERVER_NETWORKS=[[small.pk, str(large.pk)]])
    found = [new_server()[0].network_id for _ in range(7)]
    assert found == [small.pk] * 5 + [large.pk] * 2


def test_forced_networks_may_belong_to_others(
    new_server: Callable[..., list[Port]], settings_override: Callable[..., None]
) -> None:
    bob = API("bob")
    key = bob.network()
    bob.subnet(key, "10.50.0.0/24")
    settings_override(CYCLADES_FORCED_SERVER_NETWORKS=[key])
    assert _ipv4(new_server()[0]) == "10.50.0.2"


def test_any_public_falls_back_to_ipv6(
    new_server: Callable[..., list[Port]], settings_override: Callable[..., None]
) -> None:
    public_network("192.0.2.0/29", drained=True)
    with transaction.atomic():
        six = Network.objects.create(flavor="CUSTOM", mode="bridged", link="br0", mac_prefix="aa:00:0", public=True)
        subnets.add_subnet(six, subnets.SubnetSpec(cidr="2001:db8::/64", ip_version=6))
    settings_override(CYCLADES_FORCED_SERVER_NETWORKS=["SNF:ANY_PUBLIC"])
    port, = new_server()
    assert port.network_id == six.pk
    assert [row.ip_version for row in port.addresses.all()] == [6]


def test_default_networks_use_a_free_floating_ip_of_the_user(
    ann: Caller, new_server: Callable[..., list[Port]], settings_override: Callable[..., None]
) -> None:
    public_network("192.0.2.0/28")
    settings_override(CYCLADES_DEFAULT_SERVER_NETWORKS=["SNF:ANY_PUBLIC_IPV4"])
    with pytest.raises(StateConflict):
        new_server()
    row, = floating_ips.create_floating_ips(ann, [floating_ips.FloatingIPSpec(project_id="ann")])
    port, = new_server()
    assert _ipv4(port) == row.address
    with pytest.raises(StateConflict):
        new_server()
    assert new_server([]) == []
    assert Server.objects.count() == 2


def test_default_networks_obey_access_rules(
    new_server: Callable[..., list[Port]], settings_override: Callable[..., None]
) -> None:
    settings_override(CYCLADES_DEFAULT_SERVER_NETWORKS=[API("bob").network()])
    with pytest.raises(StateConflict):
        new_server()


@pytest.mark.parametrize(("raw", "expected"), [
    (None, None), ("auto", None), ("none", []), ([], []),
    ([{"uuid": "5"}], [NetworkRequest(network_id=5)]),
    ([{"uuid": 5, "fixed_ip": "10.0.0.1"}], [NetworkRequest(network_id=5, fixed_ip="10.0.0.1")]),
    ([{"uuid": 5, "fixed_ip": None}], [NetworkRequest(network_id=5, fixed_ip=None)]),
    ([{"port": "7"}], [NetworkRequest(port_id=7)]),
])
def test_forms_of_requested_networks(raw: Any, expected: Any) -> None:
    assert parse_requested_networks(raw) == expected


@pytest.mark.parametrize("raw", [
    5, "some", {}, [5], [{}], [{"uuid": None}], [{"uuid": "x"}], [{"uuid": 5, "fixed_ip": "x"}], [{"uuid": 5, "fixed_ip": 7}],
    [{"port": "x"}], [{"port": {}}], [{"uuid": 1}] * 65,
])
def test_refused_forms_of_requested_networks(raw: Any) -> None:
    with pytest.raises(InvalidInput):
        parse_requested_networks(raw)


@pytest.mark.parametrize(("request_of", "error"), [
    (lambda public, private: NetworkRequest(network_id=99999), NotFound),
    (lambda public, private: NetworkRequest(port_id=99999), NotFound),
    (lambda public, private: NetworkRequest(network_id=public), StateConflict),
    (lambda public, private: NetworkRequest(network_id=public, fixed_ip=None), InvalidInput),
    (lambda public, private: NetworkRequest(network_id=public, fixed_ip="192.0.2.3"), NotFound),
    (lambda public, private: NetworkRequest(network_id=private, fixed_ip="10.9.1.1"), InvalidInput),
    (lambda public, private: NetworkRequest(network_id=private, fixed_ip="10.9.0.1"), InvalidInput),
])
def test_refused_requests_leave_no_server(
    new_server: Callable[..., list[Port]], request_of: Callable[[int, int], NetworkRequest], error: type[DomainError]
) -> None:
    public, private = public_network().pk, _private()
    with pytest.raises(error):
        new_server([NetworkRequest(network_id=private), request_of(public, private)])
    assert Server.objects.count() == Port.objects.count() == IPAddress.objects.count() == 0


def test_public_ipv6_networks_cannot_be_asked_for(new_server: Callable[..., list[Port]]) -> None:
    network = Network.objects.create(flavor="CUSTOM", mode="bridged", link="br0", mac_prefix="aa:00:0", public=True)
    with pytest.raises(Forbidden):
        new_server([NetworkRequest(network_id=network.pk)])


def test_a_port_is_used_once(new_server: Callable[..., list[Port]]) -> None:
    key = API("ann").port(str(_private()))["id"]
    port, = new_server([NetworkRequest(port_id=int(key))])
    assert str(port.pk) == key
    with pytest.raises(StateConflict):
        new_server([NetworkRequest(port_id=int(key))])


def test_too_many_nics_are_refused(new_server: Callable[..., list[Port]]) -> None:
    with pytest.raises(InvalidInput):
        new_server([NetworkRequest(network_id=_private(None))] * 9)


def test_release_frees_addresses_once_and_keeps_floating_ips(ann: Caller, new_server: Callable[..., list[Port]]) -> None:
    public = public_network("192.0.2.0/28")
    row, = floating_ips.create_floating_ips(ann, [floating_ips.FloatingIPSpec(project_id="ann")])
    private = _private()
    new_server([NetworkRequest(network_id=public.pk, fixed_ip=row.address), NetworkRequest(network_id=private)])
    owner = Server.objects.get()
    for _ in range(2):
        with transaction.atomic():
            ports.release_ports(owner)
    assert Port.objects.count() == 0
    left = IPAddress.objects.get()
    assert (left.address, left.port_id, left.floating_ip, left.deleted) == (row.address, None, True, False)
    assert list(IPHistory.objects.values_list("address", "action")) == [
        (row.address, "associate"), (row.address, "disassociate")]
    assert _ipv4(new_server([NetworkRequest(network_id=private)])[0]) == "10.9.0.2"


def test_a_failed_build_keeps_its_addresses(new_server: Callable[..., list[Port]]) -> None:
    new_server([NetworkRequest(network_id=_private())])
    with transaction.atomic():
        ports.fail_ports(Server.objects.get())
    assert Port.objects.get().state == "ERROR"
    assert IPAddress.objects.get().address == "10.9.0.2"


def _nic(port: Port, **changes: Any) -> dict[str, Any]:
    return {
        "name": ganeti_names.nic_name(port.pk), "network": ganeti_names.network_name(port.network_id), "ip": _ipv4(port),
        "mac": port.mac, "mode": "bridged", "link": "prv0", "uuid": "u", **changes,
    }


def _sync(nics: list[dict[str, Any]], **options: Any) -> bool:
    with transaction.atomic():
        return nic_sync.sync_nics(Server.objects.get(), nics, **{"at": timezone.now(), **options})


def test_reported_nics_become_active(new_server: Callable[..., list[Port]]) -> None:
    first, second = new_server([NetworkRequest(network_id=_private()), NetworkRequest(network_id=_private("10.8.0.0/24"))])
    assert _sync([_nic(second), _nic(first, firewall="protected")])
    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.state, first.index, first.firewall_profile) == ("ACTIVE", 1, "ENABLED")
    assert (second.state, second.index, second.firewall_profile) == ("ACTIVE", 0, None)
    revision = first.revision_number
    assert _sync([_nic(second), _nic(first, firewall="protected")])
    first.refresh_from_db()
    assert first.revision_number == revision


def test_public_nics_without_tag_show_the_default_profile(
    new_server: Callable[..., list[Port]], settings_override: Callable[..., None]
) -> None:
    public_network()
    settings_override(CYCLADES_FORCED_SERVER_NETWORKS=["SNF:ANY_PUBLIC_IPV4"])
    port, = new_server()
    assert _sync([_nic(port)])
    assert Port.objects.get().firewall_profile == "DISABLED"


def test_a_nic_that_is_gone_takes_its_port_along(new_server: Callable[..., list[Port]]) -> None:
    port, = new_server([NetworkRequest(network_id=_private())])
    assert _sync([])
    assert Port.objects.count() == 1, "a young port in BUILD waits for its NIC"
    assert _sync([], at=timezone.now() + timedelta(seconds=61), is_connecting=True)
    assert Port.objects.count() == 1, "its job still runs"
    assert _sync([_nic(port)])
    assert _sync([])
    assert (Port.objects.count(), IPAddress.objects.count()) == (0, 0)


def test_an_old_port_without_nic_is_removed(new_server: Callable[..., list[Port]]) -> None:
    new_server([NetworkRequest(network_id=_private())])
    assert _sync([], at=timezone.now() + timedelta(seconds=61))
    assert Port.objects.count() == 0


def test_unknown_nics_are_left_alone(new_server: Callable[..., list[Port]]) -> None:
    port, = new_server([NetworkRequest(network_id=_private())])
    stranger = {"name": "snf-nic-999999", "network": ganeti_names.network_name(port.network_id), "ip": None, "mac": "x"}
    assert _sync([_nic(port), stranger, {"name": None, "network": None}])
    assert Port.objects.get().state == "ACTIVE"


def test_a_nic_on_a_foreign_network_stops_the_sync(new_server: Callable[..., list[Port]]) -> None:
    port, = new_server([NetworkRequest(network_id=_private())])
    assert not _sync([_nic(port, network="elsewhere")])
    assert Port.objects.get().state == "BUILD"


def test_changed_mac_and_address_are_followed(new_server: Callable[..., list[Port]]) -> None:
    port, = new_server([NetworkRequest(network_id=_private(ipv6=True))])
    assert _sync([_nic(port, ip="10.9.0.50", mac="AA:00:13:00:00:07")])
    port.refresh_from_db()
    assert port.mac == "aa:00:13:00:00:07"
    assert sorted(row.address for row in port.addresses.all()) == ["10.9.0.50", "2001:db8::a800:13ff:fe00:7"]
    assert API("ann").port(str(port.network_id))["fixed_ips"][0]["ip_address"] == "10.9.0.2"


def test_a_duplicate_mac_does_not_stop_events(new_server: Callable[..., list[Port]]) -> None:
    network = _private()
    first, second = new_server([NetworkRequest(network_id=network), NetworkRequest(network_id=network)])
    assert _sync([_nic(first), _nic(second, mac=first.mac)])
    assert {port.state for port in Port.objects.all()} == {"ACTIVE"}
    assert len({port.mac for port in Port.objects.all()}) == 2


def test_an_impossible_address_change_is_logged_only(new_server: Callable[..., list[Port]]) -> None:
    port, = new_server([NetworkRequest(network_id=_private())])
    assert _sync([_nic(port, ip="203.0.113.9")])
    assert Port.objects.get().state == "ACTIVE"
    assert list(IPAddress.objects.all()) == []


def test_macs_stay_unique_when_the_draw_repeats(
    new_server: Callable[..., list[Port]], monkeypatch: pytest.MonkeyPatch
) -> None:
    draws = iter(["aa:00:13:00:00:01", "aa:00:13:00:00:01", "aa:00:13:00:00:02"])
    monkeypatch.setattr("synnefo.cyclades.macs.random_mac", lambda prefix: next(draws))
    network = _private()
    created = new_server([NetworkRequest(network_id=network), NetworkRequest(network_id=network)])
    assert [port.mac for port in created] == ["aa:00:13:00:00:01", "aa:00:13:00:00:02"]


def test_allocation_passes_over_drifted_maps(ann: Caller) -> None:
    """A map that calls a used address free must not block the network."""
    api = API("ann")
    key = str(_private())
    used = api.port(key)["fixed_ips"][0]["ip_address"]
    with transaction.atomic():
        pool = lock_address_pools(Network.objects.get(pk=key))[0]
        pool.taken_bits = 0
        pool.save()
    assert used == "10.9.0.2"
    assert api.port(key)["fixed_ips"][0]["ip_address"] == "10.9.0.3"
