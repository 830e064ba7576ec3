"""Clients that nobody changed for us: python-openstackclient and python-swiftclient."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.clouds import Cloud

pytestmark = [pytest.mark.ganeti, pytest.mark.slow, pytest.mark.timeout(1200)]


def openstack(cloud: Cloud, *arguments: str) -> Any:
    output = cloud.run("openstack", *arguments, "-f", "json")
    # While it waits the client writes dots and empty lines in front of the result.
    start = min((place for place in (output.find("{"), output.find("[")) if place >= 0), default=None)
    return None if start is None else json.loads(output[start:])


def test_openstack_client_reads_the_cloud(real_cloud: Cloud) -> None:
    token = openstack(real_cloud, "token", "issue")
    assert token["project_id"] == real_cloud.status["users"]["demo"]["uuid"]
    types = {item["Type"] for item in openstack(real_cloud, "catalog", "list")}
    assert {"identity", "compute", "image", "network", "object-store"} <= types
    assert real_cloud.status["image"]["name"] in {item["Name"] for item in openstack(real_cloud, "image", "list")}
    assert openstack(real_cloud, "flavor", "list")
    assert "public" in {item["Name"] for item in openstack(real_cloud, "network", "list")}


def test_openstack_client_makes_and_deletes_a_server(real_cloud: Cloud) -> None:
    flavor = min(openstack(real_cloud, "flavor", "list"), key=lambda item: (item["RAM"], item["Disk"]))
    image = real_cloud.status["image"]["id"]
    server = openstack(real_cloud, "server", "create", "--flavor", flavor["Name"], "--image", image, "--wait", "by-openstack")
    assert server["status"] == "ACTIVE"
    assert "by-openstack" in {item["Name"] for item in openstack(real_cloud, "server", "list")}
    console = openstack(real_cloud, "console", "url", "show", "by-openstack")
    assert console["url"].startswith(real_cloud.status["urls"]["web"])
    real_cloud.run("openstack", "server", "delete", "--wait", "by-openstack")
    assert "by-openstack" not in {item["Name"] for item in openstack(real_cloud, "server", "list")}


def test_swift_client_uploads_lists_downloads_and_deletes(real_cloud: Cloud, tmp_path: Path) -> None:
    demo = real_cloud.status["users"]["demo"]
    login = ("--auth-version", "3", "--os-auth-url", real_cloud.status["urls"]["identity"], "--os-username", demo["email"],
             "--os-password", demo["password"], "--os-project-id", demo["uuid"], "--os-user-domain-id", "default")
    content = bytes(range(256)) * 40_000
    (tmp_path / "data.bin").write_bytes(content)
    real_cloud.run("swift", *login, "upload", "by-swift", str(tmp_path / "data.bin"), "--object-name", "folder/data.bin")
    assert real_cloud.run("swift", *login, "list", "by-swift").split() == ["folder/data.bin"]
    real_cloud.run("swift", *login, "download", "by-swift", "folder/data.bin", "-o", str(tmp_path / "again.bin"))
    assert (tmp_path / "again.bin").read_bytes() == content
    real_cloud.run("swift", *login, "delete", "by-swift")
    assert "by-swift" not in real_cloud.run("swift", *login, "list").split()
