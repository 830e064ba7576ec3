"""Questions to Ganeti's local query socket: JSON ended by byte 3, a few milliseconds for static fields."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

END = b"\x03"
VERSION = 3000000
TIMEOUT_S = 10.0
INSTANCE_FIELDS = ["nic.names", "nic.networks.names", "nic.ips", "nic.macs", "nic.modes", "nic.links", "nic.uuids", "tags",
                   "disk.names", "disk.sizes", "disk.uuids", "hv/boot_order", "hv/cdrom_image_path"]
FIREWALL_MODES = {"protected": "ENABLED", "unprotected": "DISABLED", "limited": "PROTECTED"}


class LuxiError(Exception):
    """Ganeti did not answer, or refused."""


def call(path: Path, method: str, args: list[Any]) -> Any:
    """One call. Raises `LuxiError`."""
    request = json.dumps({"method": method, "args": args, "version": VERSION}).encode() + END
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(TIMEOUT_S)
            connection.connect(str(path))
            connection.sendall(request)
            answer = bytearray()
            while not answer.endswith(END):
                piece = connection.recv(65536)
                if not piece:
                    raise LuxiError("the query daemon closed the connection")
                answer += piece
        decoded = json.loads(answer[:-1])
    except (OSError, ValueError) as error:
        raise LuxiError(str(error)) from error
    if not decoded.get("success"):
        raise LuxiError(str(decoded.get("result")))
    return decoded["result"]


def instance_configuration(path: Path, name: str) -> dict[str, Any] | None:
    """`instance_nics`, `instance_disks` and `instance_hvparams` of an instance as it is now, or None when it is gone."""
    rows = call(path, "QueryInstances", [[name], INSTANCE_FIELDS, False])
    if not rows:
        return None
    row = dict(zip(INSTANCE_FIELDS, rows[0], strict=True))
    firewalls = _firewalls(row["tags"] or [])
    nics = [
        {"name": nic, "network": network, "ip": ip, "mac": mac, "mode": mode, "link": link, "uuid": uuid}
        | ({"firewall": firewalls[nic]} if nic in firewalls else {})
        for nic, network, ip, mac, mode, link, uuid in zip(
            *(row[f"nic.{key}"] or [] for key in ("names", "networks.names", "ips", "macs", "modes", "links", "uuids")), strict=True)
    ]
    disks = [{"name": disk, "size": size, "uuid": uuid} for disk, size, uuid in zip(
        *(row[f"disk.{key}"] or [] for key in ("names", "sizes", "uuids")), strict=True)]
    hvparams = {"boot_order": row["hv/boot_order"], "cdrom_image_path": row["hv/cdrom_image_path"]}
    return {"instance_nics": nics, "instance_disks": disks, "instance_hvparams": hvparams}


def _firewalls(tags: list[str]) -> dict[str, str]:
    """Firewall profile by NIC name, from tags `synnefo:network:<nic>:<mode>`; others are none of ours."""
    found = {}
    for tag in tags:
        parts = tag.split(":")
        if len(parts) == 4 and parts[:2] == ["synnefo", "network"] and parts[3] in FIREWALL_MODES:
            found[parts[2]] = FIREWALL_MODES[parts[3]]
    return found
