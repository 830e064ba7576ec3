"""The simulated cluster as a one-box back end: the same facts that `cluster.up` gives for a real one."""

from __future__ import annotations

import json
import socket
import subprocess
from typing import Any

from onebox import environment
from onebox.machine import Problem
from onebox.state import State

RAPI_PORT = 5080
NAME = "simulated.test"
NODE = f"node1.{NAME}"


def describe(state: State) -> dict[str, Any]:
    """Facts of the cluster that the supervisor starts. Makes its certificate and password, so that they are known now."""
    made = subprocess.run([environment.program("snf-simulated-cluster"), "--state-dir", str(state.ganeti), "--prepare"],
                          capture_output=True, text=True, timeout=60, check=False)
    if made.returncode != 0:
        raise Problem("The simulated cluster cannot be prepared.", hint=made.stderr.strip()[-500:])
    login = json.loads(made.stdout)
    config = state.settings_dir / "node.json"
    config.write_text(json.dumps(_node_config(state), indent=2), "utf-8")
    port = state.facts().get("cluster", {}).get("rapi_port") or _free_port()
    return {
        "name": NAME, "rapi_host": "127.0.0.1", "rapi_port": port, "port": port, "rapi_user": login["user"],
        "rapi_password": login["password"], "rapi_fingerprint": login["fingerprint"], "host_address": "127.0.0.1",
        "public_network": {"bridge": "pub0", "subnet": "10.89.0.0/24", "gateway": "10.89.0.1"},
        "eventd_command": [environment.program("snf-ganeti-eventd"), "--foreground", "--config", str(config)],
        "summary": f"{NAME} (simulated)",
    }


def _node_config(state: State) -> dict[str, Any]:
    """What the event daemon needs to find the simulated node's job queue and query socket."""
    ganeti = state.ganeti / "ganeti"
    return {
        "EVENTS_URL": [state.facts().get("broker") or f"spool://{state.events}"], "QUEUE_DIR": str(ganeti / "queue"),
        "LUXI_SOCKET": str(ganeti / "socket" / "ganeti-query"), "SSCONF_DIR": str(ganeti), "NODE_NAME": NODE,
        "STATE_DIR": str(state.directory / "eventd"), "PITHOS_BLOCK_PATH": str(state.blocks),
    }


def _free_port() -> int:
    """The usual port of the remote API, or any free one. Chosen once: the caller remembers it."""
    for port in (RAPI_PORT, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise Problem("No free port for the simulated cluster.")
