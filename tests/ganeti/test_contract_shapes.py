"""The raw answers have the same keys and kinds of values on both clusters."""

from __future__ import annotations

from typing import Any

import pytest

from synnefo.cyclades.ports import DiskSpec, NICSpec
from synnefo_node.simulator import queries
from tests.support.ganeti_cluster import ClusterUnderTest, new_name, reason

LIST, TEXT, NUMBER, TRUTH, TABLE, NOTHING = list, str, (int, float), bool, dict, type(None)
INSTANCE_KINDS: dict[str, Any] = {
    "name": TEXT, "admin_state": TEXT, "os": TEXT, "pnode": TEXT, "snodes": LIST, "disk_template": TEXT, "nic.ips": LIST,
    "nic.macs": LIST, "nic.modes": LIST, "nic.uuids": LIST, "nic.names": LIST, "nic.links": LIST, "nic.networks": LIST,
    "nic.networks.names": LIST, "network_port": int, "disk.sizes": LIST, "disk.uuids": LIST, "disk.names": LIST,
    "disk_usage": int, "beparams": TABLE, "hvparams": TABLE, "oper_state": TRUTH, "oper_ram": int, "oper_vcpus": int,
    "status": TEXT, "custom_beparams": TABLE, "custom_hvparams": TABLE, "custom_nicparams": LIST, "ctime": NUMBER,
    "mtime": NUMBER, "uuid": TEXT, "serial_no": int, "tags": LIST,
}
NETWORK_KINDS: dict[str, Any] = {
    "name": TEXT, "network": TEXT, "gateway": TEXT, "network6": NOTHING, "gateway6": NOTHING, "mac_prefix": TEXT,
    "free_count": int, "reserved_count": int, "map": TEXT, "group_list": LIST, "inst_list": LIST,
    "external_reservations": TEXT, "tags": LIST, "uuid": TEXT,
}
NODE_KINDS: dict[str, Any] = {
    "name": TEXT, "offline": TRUTH, "drained": TRUTH, "vm_capable": TRUTH, "dtotal": int, "dfree": int, "mtotal": int,
    "mfree": int, "pinst_cnt": int, "ctotal": int, "role": TEXT, "pinst_list": LIST,
}


def assert_shape(answer: dict[str, Any], keys: tuple[str, ...], kinds: dict[str, Any]) -> None:
    assert set(answer) == set(keys)
    wrong = {key: answer[key] for key, kind in kinds.items() if not isinstance(answer[key], kind)}
    assert wrong == {}


def test_a_running_machine(cluster: ClusterUnderTest) -> None:
    """On real Ganeti QEMU runs here, with an empty disk."""
    name, network = new_name("vm"), cluster.network(51)
    spec = cluster.spec(name, hypervisor="kvm", disk_template="file", disks=[DiskSpec(16, "ct-vol")],
                        nics=[NICSpec("ct-s", network, "10.51.0.5")])
    cluster.succeeded(cluster.rapi.create_instance(spec, reason=reason()))
    answer = cluster.raw("GET", f"/2/instances/{name}").json()
    assert_shape(answer, queries.I_FIELDS, INSTANCE_KINDS)
    assert (answer["status"], answer["oper_state"], answer["oper_vcpus"], answer["disk.sizes"]) == ("running", True, 1, [16])
    assert {"minmem", "maxmem", "vcpus", "auto_balance", "memory"} <= set(answer["beparams"])
    assert {"boot_order", "cdrom_image_path", "serial_console"} <= set(answer["hvparams"])
    assert cluster.raw("GET", "/2/instances?bulk=1").json()[0].keys() == answer.keys()
    assert {"id": name, "uri": f"/2/instances/{name}"} in cluster.raw("GET", "/2/instances").json()

    found = cluster.raw("GET", f"/2/networks/{network}").json()
    assert_shape(found, queries.NET_FIELDS, NETWORK_KINDS)
    assert (found["map"][:6], len(found["map"]), found["inst_list"]) == ("XX...X", 256, [name])
    assert {"name": network, "uri": f"/2/networks/{network}"} in cluster.raw("GET", "/2/networks").json()

    (node,) = cluster.raw("GET", "/2/nodes?bulk=1").json()
    assert_shape(node, queries.N_FIELDS, NODE_KINDS)
    assert name in node["pinst_list"]

    cluster.succeeded(cluster.rapi.shutdown_instance(name, reason=reason(), timeout_s=0))
    assert cluster.rapi.get_instance(name, live=True).status == "ADMIN_down"


def test_values_that_are_not_there(cluster: ClusterUnderTest) -> None:
    name = new_name("vm")
    cluster.succeeded(cluster.rapi.create_instance(cluster.spec(name), reason=reason()))
    cluster.succeeded(cluster.rapi.shutdown_instance(name, reason=reason(), timeout_s=0))
    fields = ["name", "oper_state", "oper_ram", "oper_vcpus", "network_port", "hv/boot_order", "no_such_field"]
    query = {"fields": fields, "qfilter": ["&", ["=~", "name", f"^{name}$"], ["=", "admin_state", "down"]]}
    answer = cluster.raw("PUT", "/2/query/instance", json=query).json()
    assert answer["data"] == [[[0, name], [0, False], [3, None], [3, None], [3, None], [3, None], [1, None]]]
    assert [field["name"] for field in answer["fields"]] == fields


@pytest.mark.parametrize(("qfilter", "is_found"), [
    (["=", "name", "NAME"], True), (["!=", "name", "NAME"], False), (["=~", "name", "^NAME$"], True),
    (["|", ["=", "name", "NAME"], ["=", "admin_state", "down"]], True), (["!", ["=", "name", "NAME"]], False),
    (["&", ["=", "name", "NAME"], ["=", "admin_state", "down"]], False), ([">", "mtime", 0], True), (["=[]", "tags", "t1"], True),
    (["=[]", "tags", "t2"], False), (["?", "oper_state"], True), (None, True),
])
def test_filters(cluster: ClusterUnderTest, qfilter: Any, is_found: bool) -> None:
    name = new_name("vm")
    cluster.succeeded(cluster.rapi.create_instance(cluster.spec(name, tags=["t1"]), reason=reason()))
    body = {"fields": ["name"], "qfilter": _with_name(qfilter, name)}
    rows = cluster.raw("PUT", "/2/query/instance", json=body).json()["data"]
    assert ([[0, name]] in rows) is is_found


def _with_name(qfilter: Any, name: str) -> Any:
    if isinstance(qfilter, list):
        return [_with_name(item, name) for item in qfilter]
    return qfilter.replace("NAME", name) if isinstance(qfilter, str) else qfilter


def test_waiting_for_a_job(cluster: ClusterUnderTest) -> None:
    job_id = cluster.rapi.startup_instance(new_name("nobody"), reason=reason())
    seen, known = [], None
    while not seen or seen[-1] not in {"success", "error", "canceled"}:
        body = {"fields": ["status"], "previous_job_info": known, "previous_log_serial": None}
        answer = cluster.raw("GET", f"/2/jobs/{job_id}/wait", json=body).json()
        known = answer["job_info"]
        seen.append(known[0])
    assert seen[-1] == "error"
    assert len(seen) == len(set(seen))
