"""The services that pithos offers, as they are registered in the catalog, and what it counts."""

from typing import Any

SERVICES: dict[str, dict[str, Any]] = {
    "pithos_object-store": {
        "component": "pithos", "type": "object-store", "prefix": "object-store", "public": True,
        "endpoints": [{"versionId": "v1", "publicURL": None, "v2": True, "OS:urlTemplate": "{publicURL}/$(user_id)s"}],
        "resources": {
            "diskspace": {"name": "pithos.diskspace", "desc": "Pithos account diskspace", "unit": "bytes", "service_type": "object-store",
                          "service_origin": "pithos_object-store"},
        },
    },
    "pithos_swift": {
        "component": "pithos", "type": "object-store", "prefix": "swift", "public": True,
        "endpoints": [{"versionId": "v1", "publicURL": None, "v3": True, "OS:urlTemplate": "{publicURL}/AUTH_$(user_id)s"}],
        "resources": {},
    },
}
