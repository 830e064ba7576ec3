"""Questions that change nothing, and how calls fail, on both clusters."""

from __future__ import annotations

import socket

import pytest

from synnefo.common.errors import DependencyUnavailable
from synnefo.cyclades.adapters.rapi import CREATE_FEATURE, RapiCluster
from synnefo.cyclades.adapters.rapi_transport import Target
from synnefo.cyclades.ports import GanetiLoginRefused, GanetiNotFound
from tests.support.ganeti_cluster import ClusterUnderTest, new_name


def test_cluster_says_what_it_is(cluster: ClusterUnderTest) -> None:
    info = cluster.rapi.info()
    assert info.version >= (3, 0, 0)
    assert {"kvm", "fake"} <= set(info.enabled_hypervisors)
    assert {"file", "diskless", "ext"} <= set(info.enabled_disk_templates)
    assert info.default_allocator == "hail"
    assert info.name == (cluster.ssconf_directory / "ssconf_cluster_name").read_text().strip()
    assert info.master == (cluster.ssconf_directory / "ssconf_master_node").read_text().strip()
    assert CREATE_FEATURE in cluster.rapi.features()


def test_groups_operating_systems_and_room(cluster: ClusterUnderTest) -> None:
    assert cluster.rapi.list_groups() == ["default"]
    assert "noop+default" in cluster.rapi.list_os()
    room = cluster.rapi.capacity()
    assert 0 < room.mem_free_mib <= room.mem_total_mib
    assert 0 < room.disk_free_mib <= room.disk_total_mib
    assert room.cpus > 0


def test_unknown_objects(cluster: ClusterUnderTest) -> None:
    with pytest.raises(GanetiNotFound):
        cluster.rapi.get_instance(new_name("nobody"))
    with pytest.raises(GanetiNotFound):
        cluster.rapi.get_network(new_name("nothing"))
    assert cluster.rapi.get_job(999_999_999) is None
    assert cluster.rapi.find_jobs("snf:never-used") == []
    assert cluster.rapi.list_instances(prefix="no-such-prefix-") == []
    assert cluster.rapi.cancel_job(999_999_999) is False


def test_wrong_password_is_refused(cluster: ClusterUnderTest) -> None:
    good = cluster.target
    with pytest.raises(GanetiLoginRefused) as refusal:
        RapiCluster(Target(good.host, good.port, good.username, "wrong", good.trust)).info()
    assert refusal.value.status == 401


def test_another_certificate_gets_no_password(cluster: ClusterUnderTest) -> None:
    good = cluster.target
    with pytest.raises(DependencyUnavailable) as failure:
        RapiCluster(Target(good.host, good.port, good.username, good.password, "ab" * 32)).info()
    assert "not the pinned one" in str(failure.value.context["reason"])


def test_nobody_listening(cluster: ClusterUnderTest) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        with pytest.raises(DependencyUnavailable):
            RapiCluster(Target("127.0.0.1", port, "u", "p", cluster.target.trust)).startup_instance("x", reason="r")


@pytest.mark.parametrize(("method", "path", "options", "status"), [
    ("GET", "/2/nowhere", {}, 404),
    ("GET", "/2/jobs/abc", {}, 404),
    ("PATCH", "/2/info", {}, 501),
    ("POST", "/2/info", {"json": {}}, 501),
    ("GET", "/2/info", {"auth": ("nobody", "x")}, 401),
    ("POST", "/2/instances", {"content": b"{}", "headers": {"Content-Type": "text/plain"}}, 415),
    ("POST", "/2/instances", {"content": b"{", "headers": {"Content-Type": "application/json"}}, 400),
    ("POST", "/2/instances", {"json": {"name": "x"}}, 400),
    ("POST", "/2/instances", {"json": [1]}, 400),
    ("PUT", "/2/instances/x/modify", {"json": {"bogus": 1}}, 400),
    ("PUT", "/2/instances/x/modify", {"json": {"beparams": "x"}}, 400),
    ("PUT", "/2/query/instance", {"json": {}}, 400),
    ("PUT", "/2/query/instance", {"json": {"fields": ["name"], "qfilter": ["=", "name", "nobody"]}}, 500),
    ("PUT", "/2/query/instance", {"json": {"fields": ["name"], "qfilter": ["odd"]}}, 502),
])
def test_refused_requests(cluster: ClusterUnderTest, method: str, path: str, options: dict[str, object], status: int) -> None:
    answer = cluster.raw(method, path, **options)
    assert answer.status_code == status, answer.text
    assert {"code", "message", "explain"} <= set(answer.json())
    assert answer.json()["code"] == status


def test_error_texts_are_escaped_on_the_wire_and_plain_for_us(cluster: ClusterUnderTest) -> None:
    body = {"__version__": 1, "mode": "create", "name": "x", "disks": [], "nics": [], "bogus": 1}
    assert "&#x27;bogus&#x27;" in cluster.raw("POST", "/2/instances", json=body).json()["message"]


def test_unknown_job_is_all_nulls(cluster: ClusterUnderTest) -> None:
    answer = cluster.raw("GET", "/2/jobs/999999999")
    assert answer.status_code == 200
    assert answer.json() == {"id": 999999999, "ops": None, "status": None, "summary": None, "opstatus": None, "received_ts": None,
                             "start_ts": None, "end_ts": None, "oplog": None, "opresult": None}


def test_unknown_field_is_marked(cluster: ClusterUnderTest) -> None:
    answer = cluster.raw("PUT", "/2/query/node", json={"fields": ["name", "no_such_field"], "qfilter": None}).json()
    assert [cell[0] for cell in answer["data"][0]] == [0, 1]
