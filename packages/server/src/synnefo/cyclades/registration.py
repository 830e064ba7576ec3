"""The services that cyclades offers, as they are registered in the catalog, and what it counts."""

from __future__ import annotations

from typing import Any


def _resource(name: str, desc: str, service: str, *, unit: str = "", visible: bool = True) -> dict[str, Any]:
    return {"name": f"cyclades.{name}", "desc": desc, "unit": unit, "service_type": service,
            "service_origin": f"cyclades_{service}", "ui_visible": visible, "api_visible": visible}


SERVICES: dict[str, dict[str, Any]] = {
    "cyclades_compute": {
        "component": "cyclades", "type": "compute", "prefix": "compute", "public": True,
        "endpoints": [{"versionId": "v2.0", "publicURL": None, "v2": True},
                      {"versionId": "v2.1", "publicURL": None, "v3": True}],
        "resources": {
            "vm": _resource("vm", "Number of virtual machines", "compute"),
            "total_cpu": _resource("total_cpu", "Virtual processors of all machines", "compute", visible=False),
            "cpu": _resource("cpu", "Virtual processors of active machines", "compute"),
            "total_ram": _resource("total_ram", "Memory of all machines", "compute", unit="bytes", visible=False),
            "ram": _resource("ram", "Memory of active machines", "compute", unit="bytes"),
            "disk": _resource("disk", "Size of all volumes", "compute", unit="bytes"),
        },
    },
    # Clients of images and networks append the version themselves.
    "cyclades_plankton": {
        "component": "cyclades", "type": "image", "prefix": "image", "public": True,
        "endpoints": [{"versionId": "v1.0", "publicURL": None, "SNF:exposeVersion": False}],
        "resources": {},
    },
    "cyclades_network": {
        "component": "cyclades", "type": "network", "prefix": "network", "public": True,
        "endpoints": [{"versionId": "v2.0", "publicURL": None, "SNF:exposeVersion": False}],
        "resources": {
            "network-private": _resource("network.private", "Number of private networks", "network"),
            "floating_ip": _resource("floating_ip", "Number of floating IP addresses", "network"),
        },
    },
}
