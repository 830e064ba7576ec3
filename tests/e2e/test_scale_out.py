"""The same cloud on PostgreSQL and RabbitMQ, by settings alone."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.clouds import ROOT, Cloud, cloud
from tests.support.rabbitmq import rabbitmq

sys.path.insert(0, str(ROOT / "deploy"))

from onebox import postgresql

pytestmark = [pytest.mark.slow, pytest.mark.rabbitmq, pytest.mark.postgresql, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def scaled_cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    directory: Path = tmp_path_factory.mktemp("scaled")
    with (postgresql.server(directory / "postgresql.log") as database, rabbitmq() as broker,
          cloud(directory / "cloud", "simulated", "--no-vm", "--database", database, "--broker", broker.url) as made):
        yield made


def test_nothing_runs_on_the_embedded_parts(scaled_cloud: Cloud) -> None:
    assert not (scaled_cloud.directory / "db" / "synnefo.sqlite3").exists()
    assert not list((scaled_cloud.directory / "events").glob("*.json"))


def test_a_server_lives_and_dies(scaled_cloud: Cloud) -> None:
    flavor = str(min(scaled_cloud.client.compute.list_flavors(), key=lambda item: item["ram"])["id"])
    made = json.loads(scaled_cloud.run("kamaki", "server", "create", "--name", "scaled", "--flavor-id", flavor, "--image-id",
                                       scaled_cloud.status["image"]["id"], "--wait", "--output-format", "json"))
    assert made["status"] == "ACTIVE"
    scaled_cloud.run("kamaki", "server", "shutdown", str(made["id"]), "--wait")
    scaled_cloud.run("kamaki", "server", "start", str(made["id"]), "--wait")
    scaled_cloud.run("kamaki", "server", "delete", str(made["id"]), "--wait")
    for numbers in scaled_cloud.client.identity.quotas().values():
        assert numbers["cyclades.vm"]["usage"] == 0
    scaled_cloud.run("snf-manage", "reconcile-resources-cyclades")
    scaled_cloud.run("snf-manage", "quota-verify")


def test_a_file_comes_back(scaled_cloud: Cloud, tmp_path: Path) -> None:
    content = bytes(range(256)) * 50_000
    (tmp_path / "in").write_bytes(content)
    scaled_cloud.run("kamaki", "container", "create", "pithos")
    scaled_cloud.run("kamaki", "file", "upload", str(tmp_path / "in"), "/pithos/a/file", "-f")
    scaled_cloud.run("kamaki", "file", "download", "/pithos/a/file", str(tmp_path / "out"))
    assert (tmp_path / "out").read_bytes() == content
