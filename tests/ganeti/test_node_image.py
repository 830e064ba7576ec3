"""A machine from an image on real Ganeti: deployed by our OS definition, booted, reached by ssh at the address that DHCP gave it."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from synnefo.cyclades.adapters.rapi_transport import Target
from synnefo.cyclades.ports import DiskSpec, InstanceSpec, Job, NetworkSpec, NICSpec
from tests.support import guest_images
from tests.support.clouds import CACHE, wait_for
from tests.support.ganeti_cluster import ROOT, ClusterUnderTest, reason, why_no_ganeti

pytestmark = [pytest.mark.ganeti, pytest.mark.slow, pytest.mark.timeout(1200)]
NAME, DISK_MIB = "snf-4711", 1500
PASSWORD = "Not-For-Disks-19"


@dataclass
class Node:
    """A real cluster whose node has our OS definition, a block store and an event daemon."""

    directory: Path
    facts: dict[str, Any]
    cluster: ClusterUnderTest
    image: str

    def inside(self, *command: str) -> str:
        return subprocess.run([*self.facts["enter"], *command], capture_output=True, text=True, check=True, timeout=60).stdout

    def events(self) -> list[dict[str, Any]]:
        return [json.loads(path.read_text())["message"] for path in sorted((self.directory / "events").glob("[0-9]*.json"))]

    def statuses(self, job: Job) -> list[str]:
        return [item["status"] for item in self.events() if item.get("jobId") == job.id]

    def spec(self, config_url: str) -> InstanceSpec:
        return InstanceSpec(
            NAME, os="snf-image+default", disk_template="file", vcpus=1, memory_mib=256, disks=[DiskSpec(DISK_MIB, "snf-vol-1")],
            nics=[NICSpec(name="snf-nic-1", network="snf-net-1", ip=self.address)], os_secret={"config_url": config_url}, hypervisor="kvm")

    @property
    def address(self) -> str:
        return str(self.facts["public_network"]["gateway"]).removesuffix(".1") + ".77"


@pytest.fixture(scope="module")
def node() -> Iterator[Node]:
    if why_no_ganeti():
        pytest.skip(f"real Ganeti: {why_no_ganeti()}")
    sys.path.insert(0, str(ROOT / "deploy"))
    from onebox import cluster, demo_image

    directory = Path(tempfile.mkdtemp(prefix="snf-node-", dir="/var/tmp"))
    daemon = None
    try:
        built = demo_image.build(directory / "images", CACHE, log=directory / "image.log")
        with built["path"].open("rb") as stream:
            image = guest_images.store_stream(directory / "blocks", stream)
        settings = {"EVENTS_URL": [f"spool://{directory}/events"], "PITHOS_BLOCK_PATH": str(directory / "blocks")}
        facts = cluster.up(directory / "ganeti", log=directory / "cluster.log", node_settings=settings)
        target = Target(facts["rapi_host"], facts["rapi_port"], facts["rapi_user"], facts["rapi_password"], facts["rapi_fingerprint"])
        fs = directory / "ganeti/fs/var/lib/ganeti"
        with (directory / "eventd.log").open("wb") as log:
            daemon = subprocess.Popen(facts["eventd_command"], stdout=log, stderr=log)
        made = Node(directory, facts, ClusterUnderTest(True, target, fs / "queue", Path("/nowhere"), fs), image)
        _public_network(made)
        yield made
    finally:
        if daemon is not None:
            daemon.terminate()
            daemon.wait(10)
        cluster.purge(directory / "ganeti")
        shutil.rmtree(directory, ignore_errors=True)


def _public_network(node: Node) -> None:
    public, rapi = node.facts["public_network"], node.cluster.rapi
    node.cluster.succeeded(rapi.create_network(
        NetworkSpec("snf-net-1", public["subnet"], gateway=public["gateway"], tags=["public", "nfdhcpd"]), reason=reason()))
    node.cluster.succeeded(rapi.connect_network("snf-net-1", "default", mode="bridged", link=public["bridge"], reason=reason()))


@pytest.fixture
def one_time(node: Node) -> Iterator[Callable[[dict[str, Any]], str]]:
    """Serves parameters once, on the address that the node reaches the services at."""
    waiting: dict[str, bytes] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = waiting.pop(self.path, None)
            self.send_response(404 if body is None else 200)
            self.send_header("Content-Length", str(len(body or b"")))
            self.end_headers()
            self.wfile.write(body or b"")

        def log_message(self, *_: Any) -> None:
            """Tests speak for themselves."""

    with ThreadingHTTPServer((node.facts["host_address"], 0), Handler) as server:
        def offer(content: dict[str, Any]) -> str:
            waiting["/once"] = json.dumps(content).encode()
            return f"http://{node.facts['host_address']}:{server.server_port}/once"

        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield offer
        server.shutdown()
        thread.join()


@pytest.fixture
def key(tmp_path: Path) -> Path:
    guest_images.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "key"))
    return tmp_path / "key"


def ssh(node: Node, key: Path, command: str) -> str:
    """What a command in the guest prints; empty while the guest does not answer."""
    options = ["-i", str(key), "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "BatchMode=yes", "-o", "ConnectTimeout=5"]
    done = subprocess.run(["ssh", *options, f"root@{node.address}", command], capture_output=True, text=True, check=False, timeout=60)
    return done.stdout


def test_a_machine_boots_as_its_own(node: Node, one_time: Callable[[dict[str, Any]], str], key: Path) -> None:
    url = one_time({"img_id": node.image, "img_format": "diskdump", "img_passwd": PASSWORD, "auth_keys": key.with_suffix(".pub").read_text(),
                    "img_properties": {"OSFAMILY": "linux", "ROOT_PARTITION": "1", "USERS": "root"},
                    "img_personality": [{"path": "/root/hello", "contents": base64.b64encode(b"hi\n").decode()}]})
    job = node.cluster.succeeded(node.cluster.rapi.create_instance(node.spec(url), reason=reason()))

    wait_for(lambda: ssh(node, key, "true; echo up") == "up\n", "the guest's ssh", timeout_s=240)
    told = dict(line.split("=", 1) for line in ssh(
        node, key, "echo name=$(hostname); echo hello=$(cat /root/hello); echo disk=$(df -m --output=size / | tail -1); "
                   "echo hash=$(grep ^root: /etc/shadow | cut -d: -f2); echo id=$(cat /etc/machine-id)").splitlines())
    assert (told["name"], told["hello"]) == (NAME, "hi")
    assert int(told["disk"]) > DISK_MIB * 0.9, "the file system fills the disk"
    assert len(told["id"]) == 32
    salt = told["hash"].split("$")[2]
    assert guest_images.run("openssl", "passwd", "-6", "-salt", salt, "-stdin", stdin=PASSWORD + "\n").strip() == told["hash"]

    final = next(item for item in wait_for(lambda: [item for item in node.events() if item.get("jobId") == job.id and item["status"] == "success"],
                                           "the event of the creation"))
    assert (final["instance"], final["operation"]) == (NAME, "OP_INSTANCE_CREATE")
    assert [(nic["name"], nic["ip"], nic["network"]) for nic in final["instance_nics"]] == [("snf-nic-1", node.address, "snf-net-1")]
    progress = [item for item in node.events() if item["type"] == "image-copy-progress"]
    assert (progress[-1]["instance"], progress[-1]["progress"]) == (NAME, 100.0)

    found = subprocess.run(["grep", "-rlF", "-e", PASSWORD, "-e", url, str(node.directory / "ganeti/fs/var"), str(node.directory / "events"),
                            str(node.directory / "eventd.log")], capture_output=True, text=True, check=False).stdout
    assert found == "", "secrets were written down"

    node.cluster.succeeded(node.cluster.rapi.remove_instance(NAME, reason=reason(), timeout_s=0))
    assert node.inside("find", "/srv/ganeti/file-storage", "-type", "f") == ""


def test_an_image_that_is_too_large_fails_the_job_and_says_why(node: Node, one_time: Callable[[dict[str, Any]], str]) -> None:
    url = one_time({"img_id": node.image.rpartition("/")[0] + f"/{DISK_MIB * 2**20 + 1}", "img_format": "diskdump"})
    job = node.cluster.ended(node.cluster.rapi.create_instance(node.spec(url), reason=reason()))
    assert job.status == "error"
    wait_for(lambda: "error" in node.statuses(job), "the event of the failure")
    assert any(item["type"] == "image-error" and item["instance"] == NAME for item in node.events())
    node.cluster.succeeded(node.cluster.rapi.remove_instance(NAME, reason=reason(), timeout_s=0))


def test_events_of_a_time_without_the_daemon_are_made_up_for(node: Node) -> None:
    """Jobs that end while the daemon is down are published when it comes back."""
    job = node.cluster.succeeded(node.cluster.rapi.create_network(NetworkSpec("snf-net-2", "10.99.0.0/24"), reason=reason()))
    wait_for(lambda: "success" in node.statuses(job), "the event")
    pid = node.inside("pgrep", "-f", "snf-ganeti-eventd").split()[0]
    node.inside("kill", "-9", pid)
    missed = node.cluster.succeeded(node.cluster.rapi.remove_network("snf-net-2", reason=reason()))
    assert node.statuses(missed) == []
    with (node.directory / "eventd.log").open("ab") as log:
        again = subprocess.Popen(node.facts["eventd_command"], stdout=log, stderr=log)
    try:
        wait_for(lambda: node.statuses(missed) == ["success"], "the event that was missed")
    finally:
        again.terminate()
        again.wait(10)
