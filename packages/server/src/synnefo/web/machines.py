"""What the machine pages show: the API's servers in the words and with the actions that people see."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.utils.dateparse import parse_datetime

TASKS = {"BUILDING": "Building", "STARTING": "Starting", "STOPPING": "Shutting down", "REBOOTING": "Rebooting", "DESTROYING": "Destroying",
         "RESIZING": "Resizing", "CONNECTING": "Connecting", "DISCONNECTING": "Disconnecting", "ATTACHING_VOLUME": "Attaching disk",
         "DETACHING_VOLUME": "Detaching disk"}
STATUSES = {"BUILD": ("Building", "busy"), "REBOOT": ("Rebooting", "busy"), "ACTIVE": ("Running", "good"), "STOPPED": ("Stopped", ""),
            "ERROR": ("Error", "bad"), "DELETED": ("Destroyed", ""), "RESIZE": ("Resizing", "busy")}
DEFAULT_USER = "root"


@dataclass(frozen=True, slots=True)
class Action:
    """One button. `reason` says why it cannot be pressed now; empty when it can."""

    name: str
    label: str
    reason: str = ""
    confirm: str = ""
    style: str = ""
    always_shown: bool = False


@dataclass(slots=True)
class Machine:
    id: int
    name: str
    state: str
    state_kind: str
    building: bool
    progress: int
    suspended: bool
    size: str
    image: str
    project: str
    created: datetime | None
    user: str
    addresses: list[str]
    ports: list[dict[str, Any]]
    actions: list[Action]
    console: bool
    message: str = ""
    diagnostics: list[dict[str, Any]] = field(default_factory=list)


def flavor_size(flavor: dict[str, Any]) -> str:
    """`2 CPUs, 1 GiB RAM, 20 GiB disk`."""
    cpus = f"{flavor['vcpus']} CPU" + ("s" if flavor["vcpus"] != 1 else "")
    ram = f"{flavor['ram'] / 1024:g} GiB" if flavor["ram"] >= 1024 else f"{flavor['ram']} MiB"
    return f"{cpus}, {ram} RAM, {flavor['disk']} GiB disk"


def actions(status: str, task: str, *, suspended: bool) -> list[Action]:
    """The actions of a machine by state: the two-step ones carry the words of their second step."""
    if suspended:
        return []
    moving = bool(task) or status in {"BUILD", "REBOOT", "RESIZE"}
    found = []
    if not moving and status == "STOPPED":
        found.append(Action("start", "Start", style="primary"))
    if not moving and status == "ACTIVE":
        found += [Action("shutdown", "Shut down", confirm="Shut down?"), Action("reboot", "Reboot", confirm="Reboot?")]
    if task != "DESTROYING" and status != "DELETED":
        found.append(Action("destroy", "Destroy", confirm="Destroy with all data?", style="danger"))
    return found


def present(server: dict[str, Any], flavors: dict[str, dict[str, Any]], images: dict[str, str]) -> Machine:
    """A server of the API as a machine of the pages. A flavor or image that is gone shows as such, never as an error."""
    status, task = server["status"], server.get("SNF:task_state") or ""
    state, kind = STATUSES.get(status, ("Unknown", ""))
    if task:
        state, kind = TASKS.get(task, state), "busy"
    flavor = flavors.get(str((server.get("flavor") or {}).get("id")))
    nics = server.get("attachments") or []
    metadata = server.get("metadata") or {}
    return Machine(
        id=server["id"], name=server["name"], state=state, state_kind=kind, building=status == "BUILD", progress=server.get("progress") or 0,
        suspended=bool(server.get("suspended")), size=flavor_size(flavor) if flavor else "(size is gone)",
        image=images.get(str((server.get("image") or {}).get("id")), "(deleted)"), project=server.get("tenant_id", ""),
        created=parse_datetime(server.get("created", "")), user=(metadata.get("users") or DEFAULT_USER).split()[0],
        addresses=[nic[family] for nic in nics for family in ("ipv4", "ipv6") if nic.get(family)],
        ports=[{"network": nic["network_id"], "addresses": [nic[family] for family in ("ipv4", "ipv6") if nic.get(family)],
                "mac": nic["mac_address"], "state": "connected"} for nic in nics],
        actions=actions(status, task, suspended=bool(server.get("suspended"))), console=status == "ACTIVE" and not server.get("suspended"),
        message=next((item["message"] for item in server.get("diagnostics") or []), ""))
