"""The stock OpenStack command line against the network API, unmodified."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pytest_django.live_server_helper import LiveServer

from synnefo.common import ports as common_ports
from tests.support import accounts
from tests.support.networks import mac_prefix_pool, public_network

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]
CLIENT = Path(sys.executable).parent / "openstack"


@pytest.fixture
def openstack(live_server: LiveServer) -> Iterator[Callable[..., Any]]:
    """Run the client; the decoded JSON it prints. Fails the test when the client does."""
    before = dict(common_ports._providers)
    accounts.provide(accounts.caller("ann"), limit=10)
    mac_prefix_pool()
    login = ["--os-auth-type", "admin_token", "--os-token", "ann", "--os-endpoint", f"{live_server.url}/cyclades/network"]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("OS_")}

    def run(*arguments: str, shows: bool = True) -> Any:
        command = [str(CLIENT), *login, *arguments, *(["-f", "json"] if shows else [])]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=environment, check=False)
        assert done.returncode == 0, f"{arguments}: {done.stderr}"
        return json.loads(done.stdout) if shows else None

    yield run
    common_ports._providers.clear()
    common_ports._providers.update(before)


def test_networks_subnets_ports_and_floating_ips(openstack: Callable[..., Any]) -> None:
    public_network("192.0.2.0/28")
    network = openstack("network", "create", "lab", "--description", "mine")
    assert (network["name"], network["status"], network["description"]) == ("lab", "ACTIVE", "mine")
    subnet = openstack("subnet", "create", "lan", "--network", "lab", "--subnet-range", "10.9.0.0/24", "--dns-nameserver",
                       "10.9.0.1", "--allocation-pool", "start=10.9.0.10,end=10.9.0.20")
    assert (subnet["cidr"], subnet["gateway_ip"]) == ("10.9.0.0/24", "10.9.0.1")
    port = openstack("port", "create", "nic", "--network", "lab")
    assert port["fixed_ips"][0]["ip_address"] == "10.9.0.10"
    assert {item["Name"] for item in openstack("network", "list")} == {"lab", "public"}
    assert [item["Name"] for item in openstack("network", "list", "--external")] == ["public"]
    assert openstack("network", "show", "lab")["subnets"] == [subnet["id"]]
    openstack("network", "set", "lab", "--name", "den", shows=False)
    openstack("subnet", "set", "lan", "--name", "net", shows=False)
    openstack("port", "set", "nic", "--name", "eth", shows=False)
    assert [item["Name"] for item in openstack("port", "list", "--network", "den")] == ["eth"]
    assert [item["Subnet"] for item in openstack("subnet", "list")][-1] == "10.9.0.0/24"
    floating = openstack("floating", "ip", "create", "public")
    assert floating["floating_ip_address"] == "192.0.2.2"
    assert len(openstack("floating", "ip", "list")) == 1
    assert openstack("ip", "availability", "list")
    assert openstack("extension", "list", "--network")
    openstack("floating", "ip", "delete", "192.0.2.2", shows=False)
    openstack("port", "delete", "eth", shows=False)
    openstack("subnet", "delete", "net", shows=False)
    openstack("network", "delete", "den", shows=False)
    assert [item["Name"] for item in openstack("network", "list")] == ["public"]
