"""The services that astakos offers, as they are registered in the catalog."""

from typing import Any

from synnefo.common.settings import conf

SERVICES: dict[str, dict[str, Any]] = {
    "astakos_account": {
        "type": "account", "component": "astakos", "prefix": "account", "public": True,
        "endpoints": [{"versionId": "v1.0", "publicURL": None}],
        "resources": {
            "pending_app": {
                "name": "astakos.pending_app", "desc": "Number of pending project applications",
                "service_type": "account", "service_origin": "astakos_account",
                "ui_visible": False, "api_visible": False,
            },
        },
    },
    "astakos_identity": {
        "type": "identity", "component": "astakos", "prefix": "identity", "public": True,
        "endpoints": [{"versionId": "v2.0", "publicURL": None, "v2": True},
                      {"versionId": "v3", "publicURL": None, "v3": True}],
        "resources": {},
    },
    "astakos_oauth2": {
        "type": "astakos_auth", "component": "astakos", "prefix": conf.OAUTH2_ENDPOINT_PREFIX, "public": True,
        "endpoints": [{"versionId": "", "publicURL": None}],
        "resources": {},
    },
    "astakos_weblogin": {
        "type": "astakos_weblogin", "component": "astakos", "prefix": "weblogin", "public": True,
        "endpoints": [{"versionId": "", "publicURL": None}],
        "resources": {},
    },
    "astakos_ui": {
        "type": "astakos_ui", "component": "astakos", "prefix": "ui", "public": False,
        "endpoints": [{"versionId": "", "publicURL": None}],
        "resources": {},
    },
}
