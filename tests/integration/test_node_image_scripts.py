"""The OS definition as Ganeti runs it: its scripts, with everything in the environment, in processes of their own."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from synnefo_node.image import install, parameters
from tests.support import guest_images

MIB = guest_images.MIB
PASSWORD = "Very-Secret-Word-7"


@dataclass
class Node:
    """An OS definition, a block store, a spool of events and the disk of a new machine."""

    directory: Path
    address: str = ""
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def disk(self) -> Path:
        return self.directory / "instance" / "disk0"

    def script(self, name: str, *arguments: str, stdin: bytes = b"", prefix: tuple[str, ...] = (), **values: Any) -> subprocess.CompletedProcess[bytes]:
        environment = {"PATH": "/sbin:/bin:/usr/sbin:/usr/bin", "SYNNEFO_NODE_CONFIG": str(self.directory / "node.json"), "OS_NAME": "snf-image",
                       "OS_API_VERSION": "20", **values}
        path = self.directory / "os" / name
        return subprocess.run([*prefix, str(path), *arguments], env=environment, cwd=path.parent, input=stdin, capture_output=True, check=False, timeout=120)

    def create(self, prefix: tuple[str, ...] = (), **values: Any) -> subprocess.CompletedProcess[bytes]:
        return self.script("create", prefix=prefix, INSTANCE_NAME="snf-7", DISK_COUNT="1", DISK_0_PATH=str(self.disk), NIC_COUNT="0", **values)

    def messages(self) -> list[dict[str, Any]]:
        items = [json.loads(path.read_text()) for path in sorted((self.directory / "events").glob("*.json"))]
        assert {item["routing_key"] for item in items} <= {"ganeti.snf.event.progress"}
        return [item["message"] for item in items]

    def everything_written(self) -> bytes:
        """All files of the node but the machine's disk."""
        return b"".join(path.read_bytes() for path in self.directory.rglob("*") if path.is_file() and path != self.disk)


@pytest.fixture
def node(tmp_path: Path) -> Node:
    made = Node(tmp_path)
    install.install(tmp_path / "os")
    config = {"EVENTS_URL": [f"spool://{tmp_path}/events"], "PITHOS_BLOCK_PATH": str(tmp_path / "blocks"), "STATE_DIR": str(tmp_path / "state")}
    (tmp_path / "node.json").write_text(json.dumps(config))
    image = guest_images.disk(tmp_path / "image", guest_images.system_tree(tmp_path / "tree"))
    made.address = guest_images.store(tmp_path / "blocks", image.read_bytes())
    made.disk.parent.mkdir()
    with made.disk.open("wb") as stream:
        stream.truncate(32 * MIB)
    return made


@dataclass
class OneTime:
    """Hands its parameters out once."""

    url: str
    content: dict[str, Any] = field(default_factory=dict)
    requests: list[int] = field(default_factory=list)


@pytest.fixture
def one_time() -> Iterator[OneTime]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status = 404 if given.requests else 200
            given.requests.append(status)
            body = json.dumps(given.content).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Tests speak for themselves."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        given = OneTime(f"http://127.0.0.1:{server.server_port}/server-params/secret-token")
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield given
        server.shutdown()
        thread.join()


def test_the_definition_is_what_ganeti_expects(node: Node) -> None:
    directory = node.directory / "os"
    assert (directory / "ganeti_api_version").read_text() == "20\n"
    assert (directory / "variants.list").read_text() == "default\n"
    names = [line.split()[0] for line in (directory / "parameters.list").read_text().splitlines()]
    assert set(names) >= {"config_url", *parameters.Parameters.model_fields}
    for name in ("create", "import", "export", "rename", "verify"):
        assert os.access(directory / name, os.X_OK)
        assert sys.executable in (directory / name).read_text()


def test_installing_again_changes_nothing(node: Node) -> None:
    def state() -> dict[str, tuple[int, bytes]]:
        return {path.name: (path.stat().st_mode, path.read_bytes()) for path in (node.directory / "os").iterdir()}

    before = state()
    install.install(node.directory / "os")
    assert state() == before


def test_a_machine_is_made_from_a_one_time_address(node: Node, one_time: OneTime) -> None:
    files = [{"path": "/root/hello", "contents": base64.b64encode(b"hi").decode()}]
    one_time.content = {"IMG_ID": node.address, "img_passwd": PASSWORD, "auth_keys": "ssh-ed25519 KEY me", "img_personality": files,
                        "img_properties": {"OSFAMILY": "linux", "ROOT_PARTITION": "1"}, "added_later": "is ignored"}
    verified = node.script("verify", "parameters", OSP_CONFIG_URL=one_time.url)
    assert verified.returncode == 0, verified.stderr
    assert one_time.requests == [], "verify must leave the address for create"

    done = node.create(OSP_CONFIG_URL=one_time.url)

    assert done.returncode == 0, done.stderr
    assert one_time.requests == [200]
    assert guest_images.read(node.disk, "/etc/hostname") == "snf-7\n"
    assert guest_images.read(node.disk, "/root/hello") == "hi"
    assert guest_images.read(node.disk, "/root/.ssh/authorized_keys") == "ssh-ed25519 KEY me\n"
    assert (guest_images.read(node.disk, "/etc/shadow") or "").startswith("root:$6$")
    assert guest_images.is_clean(node.disk)
    for secret in (PASSWORD.encode(), b"secret-token"):
        assert secret not in done.stdout + done.stderr + node.everything_written() + node.disk.read_bytes()


def test_how_it_goes_is_told(node: Node) -> None:
    done = node.create(OSP_IMG_ID=node.address, OSP_IMG_FORMAT="diskdump", OSP_IMG_PROPERTIES=json.dumps({"OSFAMILY": "linux", "ROOT_PARTITION": "1"}))
    assert done.returncode == 0, done.stderr
    told = node.messages()
    assert all(item["instance"] == "snf-7" and len(item["event_time"]) == 2 and isinstance(item["timestamp"], float) for item in told)
    assert [item["progress"] for item in told if item["type"] == "image-copy-progress"][-1] == 100.0
    tasks = [(item["subtype"], item["task"]) for item in told if item["type"] == "image-helper"]
    names = ["FixPartitionTable", "FilesystemResizeUnmounted", "AssignHostname", "ChangeMachineId", "ChangePassword", "ConfigureNetwork", "DeleteSSHKeys",
             "EnforcePersonality"]
    assert tasks == [(kind, name) for name in names for kind in ("task-start", "task-end")]


@pytest.mark.parametrize(("values", "reason"), [
    ({}, "img_id"), ({"OSP_IMG_ID": "null", "OSP_IMG_FORMAT": "vmdk"}, "unknown image format"),
    ({"OSP_IMG_ID": "null", "OSP_IMG_PROPERTIES": "{not json"}, "img_properties"),
    ({"OSP_IMG_ID": "null", "OSP_IMG_PERSONALITY": '[{"path": 1}]'}, "img_personality"),
    ({"OSP_IMG_ID": "null", "OSP_IMG_PASSWD": PASSWORD, "OSP_IMG_PASSWD_HASH": "$6$x"}, "not both"),
])
def test_bad_parameters_are_refused_before_anything_is_created(node: Node, values: dict[str, Any], reason: str) -> None:
    done = node.script("verify", "parameters", **values)
    assert done.returncode == 1
    assert reason in done.stderr.decode()
    assert PASSWORD not in done.stderr.decode()
    assert "Traceback" not in done.stderr.decode()


def test_an_address_that_was_used_fails_the_creation_and_says_so(node: Node, one_time: OneTime) -> None:
    one_time.requests.append(200)
    done = node.create(OSP_CONFIG_URL=one_time.url)
    assert done.returncode == 1
    assert "used before" in done.stderr.decode()
    assert b"secret-token" not in done.stdout + done.stderr + node.everything_written()
    assert [item["type"] for item in node.messages()] == ["image-error"]
    assert node.disk.stat().st_blocks == 0


def test_a_broken_image_fails_the_creation_and_says_so(node: Node) -> None:
    done = node.create(OSP_IMG_ID="pithosmap://no-such-map/4096")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr.decode()
    [message] = node.messages()
    assert (message["type"], "block map cannot be read" in message["messages"][0]) == ("image-error", True)


def test_a_disk_that_cannot_be_written_fails_the_creation_and_says_so(node: Node) -> None:
    done = node.create(prefix=("prlimit", f"--fsize={2 * MIB}"), OSP_IMG_ID=node.address)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr.decode()
    assert [item["messages"] for item in node.messages() if item["type"] == "image-error"] == [["The node could not write the disk: File too large"]]


def test_a_dead_event_path_does_not_hold_the_creation_up(node: Node) -> None:
    config = json.loads((node.directory / "node.json").read_text())
    (node.directory / "node.json").write_text(json.dumps(config | {"EVENTS_URL": ["amqp://127.0.0.1:1/"]}))
    done = node.create(OSP_IMG_ID="pithosmap://no-such-map/4096")
    assert done.returncode == 1
    kept = [json.loads(path.read_text()) for path in (node.directory / "state/outbox").glob("*.json")]
    assert [item["message"]["type"] for item in kept] == ["image-error"], "errors wait on disk for the event daemon"


def test_a_disk_leaves_and_comes_back(node: Node) -> None:
    content = b"some" + bytes(MIB) + b"thing"
    node.disk.write_bytes(content)
    reading, writing = os.pipe()
    try:
        path = node.directory / "os" / "export"
        environment = {"PATH": os.environ["PATH"], "EXPORT_DEVICE": str(node.disk), "EXP_SIZE_FD": str(writing)}
        done = subprocess.run([str(path)], env=environment, pass_fds=[writing], capture_output=True, check=True)
        assert os.read(reading, 100) == str(len(content)).encode()
    finally:
        os.close(reading)
        os.close(writing)
    assert done.stdout == content
    other = node.directory / "other"
    other.write_bytes(bytes(len(content)))
    assert node.script("import", stdin=done.stdout, IMPORT_DEVICE=str(other)).returncode == 0
    assert other.read_bytes() == content


def test_a_new_name_changes_nothing(node: Node) -> None:
    assert node.script("rename", OLD_INSTANCE_NAME="snf-6").returncode == 0
    assert node.disk.stat().st_blocks == 0


def test_a_machine_without_a_writable_disk_is_refused(node: Node) -> None:
    done = node.script("create", INSTANCE_NAME="snf-7", OSP_IMG_ID=node.address)
    assert done.returncode == 1
    assert "no disk" in done.stderr.decode()
