"""Cyclades network: networks, subnets, ports, floating IPs (Network v2.0)."""

from __future__ import annotations

from typing import Any

from kamaki.transport import Transport


class Network:
    def __init__(self, transport: Transport) -> None:
        self.api = transport

    def list_networks(self) -> list[dict[str, Any]]:
        return list(self.api.json("GET", "/networks")["networks"])

    def get_network(self, network_id: int | str) -> dict[str, Any]:
        return dict(self.api.json("GET", f"/networks/{network_id}")["network"])

    def create_network(self, name: str, kind: str = "MAC_FILTERED", *, project: str | None = None) -> dict[str, Any]:
        body: dict[str, Any] = {"name": name, "type": kind}
        if project:
            body["project"] = project
        return dict(self.api.json("POST", "/networks", json={"network": body})["network"])

    def delete_network(self, network_id: int | str) -> None:
        self.api.request("DELETE", f"/networks/{network_id}")

    def list_subnets(self) -> list[dict[str, Any]]:
        return list(self.api.json("GET", "/subnets")["subnets"])

    def list_ports(self) -> list[dict[str, Any]]:
        return list(self.api.json("GET", "/ports")["ports"])

    def list_floating_ips(self) -> list[dict[str, Any]]:
        return list(self.api.json("GET", "/floatingips")["floatingips"])
