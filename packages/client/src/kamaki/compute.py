"""Cyclades compute: servers and flavors (Compute v2.0 with Synnefo's extensions)."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from kamaki import errors
from kamaki.transport import Transport

POLL_S = 1.0


class Compute:
    def __init__(self, transport: Transport) -> None:
        self.api = transport

    def list_flavors(self, *, detail: bool = True) -> list[dict[str, Any]]:
        return list(self.api.json("GET", "/flavors/detail" if detail else "/flavors")["flavors"])

    def get_flavor(self, flavor_id: int | str) -> dict[str, Any]:
        return dict(self.api.json("GET", f"/flavors/{flavor_id}")["flavor"])

    def list_servers(self, *, detail: bool = True, changes_since: str | None = None) -> list[dict[str, Any]]:
        params = {"changes-since": changes_since} if changes_since else None
        response = self.api.request("GET", "/servers/detail" if detail else "/servers", params=params, ok=(200, 304))
        return list(response.json()["servers"]) if response.status_code == 200 else []

    def get_server(self, server_id: int | str) -> dict[str, Any]:
        return dict(self.api.json("GET", f"/servers/{server_id}")["server"])

    def create_server(self, name: str, flavor_id: int | str, image_id: str, *, networks: Sequence[dict[str, Any]] | None = None,
                      personality: Sequence[dict[str, Any]] = (), metadata: dict[str, str] | None = None,
                      key_names: Sequence[str] = (), user_data: str | None = None, project: str | None = None) -> dict[str, Any]:
        """Start to build a server. The answer holds `adminPass`, which is never shown again."""
        server: dict[str, Any] = {"name": name, "flavorRef": flavor_id, "imageRef": image_id}
        optional = {"networks": None if networks is None else list(networks), "personality": list(personality) or None,
                    "metadata": metadata or None, "SNF:key_names": list(key_names) or None, "user_data": user_data,
                    "project": project}
        server.update({key: value for key, value in optional.items() if value is not None})
        return dict(self.api.json("POST", "/servers", json={"server": server})["server"])

    def rename_server(self, server_id: int | str, name: str) -> None:
        self.api.request("PUT", f"/servers/{server_id}", json={"server": {"name": name}})

    def delete_server(self, server_id: int | str) -> None:
        self.api.request("DELETE", f"/servers/{server_id}")

    def action(self, server_id: int | str, name: str, **arguments: Any) -> Any:
        response = self.api.request("POST", f"/servers/{server_id}/action", json={name: arguments})
        return response.json() if response.content else None

    def start_server(self, server_id: int | str) -> None:
        self.action(server_id, "start")

    def shutdown_server(self, server_id: int | str) -> None:
        self.action(server_id, "shutdown")

    def reboot_server(self, server_id: int | str, *, hard: bool = False) -> None:
        self.action(server_id, "reboot", type="HARD" if hard else "SOFT")

    def get_console(self, server_id: int | str, kind: str = "novnc") -> dict[str, Any]:
        """`novnc` gives {type, url} for a browser; `vnc`, `vnc-ws`, `vnc-wss` give {type, host, port, password}."""
        name = "os-getVNCConsole" if kind == "novnc" else "console"
        return dict(self.action(server_id, name, type=kind)["console"])

    def get_diagnostics(self, server_id: int | str) -> list[dict[str, Any]]:
        """Messages of the build and of failures, newest first."""
        return list(self.api.json("GET", f"/servers/{server_id}/diagnostics"))

    def wait_server(self, server_id: int | str, *, until: Sequence[str], timeout_s: float = 600,
                    on_progress: Callable[[dict[str, Any]], None] | None = None) -> dict[str, Any]:
        """Wait until the status is one of `until` (`DELETED` includes a 404). Raises `TimedOut`, or `RequestFailed`
        when the server ends in ERROR instead.
        """
        deadline = time.monotonic() + timeout_s
        while True:
            server = self._find_server(server_id)
            if on_progress is not None:
                on_progress(server)
            if server["status"] in until:
                return server
            if server["status"] == "ERROR":
                raise errors.RequestFailed(f"Server {server_id} is in status ERROR.", status=200,
                                           hints=(f"See why: kamaki server info {server_id} --diagnostics",))
            if time.monotonic() > deadline:
                raise errors.TimedOut(f"Server {server_id} is still {server['status']} after {timeout_s:.0f} s.")
            time.sleep(POLL_S)

    def _find_server(self, server_id: int | str) -> dict[str, Any]:
        try:
            return self.get_server(server_id)
        except errors.NotFound:
            return {"id": server_id, "status": "DELETED", "progress": 100}
