"""`./synnefo status`: for people, and as a stable JSON document for scripts (docs/reference/status.md)."""

from __future__ import annotations

import json
from typing import Any

from onebox import supervisor
from onebox.progress import bold, colour
from onebox.state import State

FORMAT = 1


def document(state: State) -> dict[str, Any]:
    """The JSON document. Keys are only ever added; `format` grows when one must change."""
    facts = state.facts()
    running = supervisor.running_pid(state) is not None
    processes = supervisor.status(state).get("processes", {}) if running else {}
    return {
        "format": FORMAT,
        "state_dir": str(state.directory),
        "running": running,
        "backend": facts.get("backend"),
        "urls": facts.get("urls", {}),
        "users": facts.get("users", {}),
        "cluster": facts.get("cluster", {}),
        "image": facts.get("image"),
        "server": facts.get("server"),
        "processes": processes,
    }


def show(state: State, *, as_json: bool) -> int:
    """Print the state. Exit code 0 when everything runs, 3 when something does not."""
    found = document(state)
    healthy = found["running"] and all(item["running"] for item in found["processes"].values())
    print(json.dumps(found, indent=2) if as_json else "\n".join(_lines(found)))
    return 0 if healthy else 3


def _lines(found: dict[str, Any]) -> list[str]:
    if not found["urls"]:
        return ["There is no cloud here yet. `./synnefo up` makes one."]
    lines = [bold("Addresses"), *(f"  {name:<10} {url}" for name, url in found["urls"].items())]
    lines += [bold("Users"), *(f"  {name:<10} {user['email']}  password {user['password']}"
                               for name, user in found["users"].items())]
    server = found["server"]
    if server:
        lines += [bold("First machine"), f"  {server['name']}  {server['address']}", f"  {server['ssh']}"]
    lines += [bold("Processes")]
    if not found["running"]:
        return [*lines, "  stopped (./synnefo up starts them)"]
    for name, item in found["processes"].items():
        mark = colour("running", 32) if item["running"] else colour("stopped", 31)
        again = f", restarted {item['restarts']} times" if item["restarts"] else ""
        lines.append(f"  {name:<14} {mark} (pid {item['pid']}{again})")
    return lines
