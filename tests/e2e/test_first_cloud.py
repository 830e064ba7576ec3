"""What a newcomer sees: one command, and a machine that answers ssh."""

from __future__ import annotations

import json
import subprocess
import time

import pytest

from tests.support.clouds import Cloud, wait_for

pytestmark = [pytest.mark.ganeti, pytest.mark.slow, pytest.mark.timeout(1800)]


def test_the_first_machine_answers_ssh_with_the_printed_key(real_cloud: Cloud) -> None:
    command = real_cloud.status["server"]["ssh"].split()
    answer = subprocess.run([*command, "-o", "BatchMode=yes", "hostname"], capture_output=True, text=True, check=True, timeout=60)
    assert answer.stdout.strip() == f"snf-{real_cloud.status['server']['id']}"


def test_ganeti_knows_the_machine(real_cloud: Cloud) -> None:
    assert f"snf-{real_cloud.status['server']['id']}" in real_cloud.in_cluster("gnt-instance", "list", "--no-headers", "-o", "name")


def test_a_second_up_takes_seconds_and_changes_nothing(real_cloud: Cloud) -> None:
    before = real_cloud.fresh_status()
    started = time.monotonic()
    real_cloud.up()
    assert time.monotonic() - started < 30
    after = real_cloud.fresh_status()
    for key in ("urls", "users", "image", "server"):
        assert after[key] == before[key]
    assert {name: item["pid"] for name, item in after["processes"].items()} == {
        name: item["pid"] for name, item in before["processes"].items()}


def test_a_killed_process_comes_back(real_cloud: Cloud) -> None:
    old = real_cloud.fresh_status()["processes"]["dispatcher"]["pid"]
    real_cloud.kill("dispatcher")
    wait_for(lambda: real_cloud.fresh_status()["processes"]["dispatcher"]["pid"] not in {old, None}, "a new dispatcher")


def test_deleting_a_machine_leaves_nothing_behind(real_cloud: Cloud) -> None:
    def usage() -> dict[str, int]:
        quotas = real_cloud.client.identity.quotas()
        return {name: numbers["usage"] for name, numbers in next(iter(quotas.values())).items() if name.startswith("cyclades.")}

    before = usage()
    disks_before = set(real_cloud.in_cluster("find", "/srv/ganeti/file-storage", "-type", "f").split())
    created = json.loads(real_cloud.run(
        "kamaki", "server", "create", "--name", "short-lived", "--flavor-id", smallest_flavor(real_cloud), "--image-id",
        real_cloud.status["image"]["id"], "--wait", "--output-format", "json"))
    address = next(nic["ipv4"] for nic in created["attachments"] if nic["ipv4"])
    assert usage()["cyclades.vm"] == before["cyclades.vm"] + 1

    real_cloud.run("kamaki", "server", "delete", str(created["id"]), "--wait")

    assert f"snf-{created['id']}" not in real_cloud.in_cluster("gnt-instance", "list", "--no-headers", "-o", "name").split()
    assert usage() == before
    assert address not in {nic["ipv4"] for server in real_cloud.client.compute.list_servers() for nic in server["attachments"]}
    assert set(real_cloud.in_cluster("find", "/srv/ganeti/file-storage", "-type", "f").split()) == disks_before
    again = real_cloud.client.compute.create_server("again", smallest_flavor(real_cloud), real_cloud.status["image"]["id"])
    again = real_cloud.client.compute.wait_server(again["id"], until=("ACTIVE",))
    assert address in {nic["ipv4"] for nic in again["attachments"]}, "the lowest free address is given out again"
    real_cloud.run("kamaki", "server", "delete", str(again["id"]), "--wait")


def smallest_flavor(cloud: Cloud) -> str:
    return str(min(cloud.client.compute.list_flavors(), key=lambda item: (item["ram"], item["vcpus"], item["disk"]))["id"])
