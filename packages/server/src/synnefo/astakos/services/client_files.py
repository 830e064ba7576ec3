"""Configuration files of stock clients for an application credential."""

from __future__ import annotations

import json
import re
import shlex

from synnefo.astakos.models import AppCredential
from synnefo.common.settings import conf


def files_of(credential: AppCredential, secret: str) -> dict[str, str]:
    """{file name: text}. Whoever has one of them has the credential."""
    url = f"{conf.ASTAKOS_BASE_URL.rstrip('/')}/identity/v3"
    return {"clouds.yaml": _clouds(url, credential.id, secret), "openrc.sh": _openrc(url, credential.id, secret),
            "rclone.conf": _rclone(url, credential.id, secret)}


def kamakirc(secret: str) -> str:
    """The configuration of kamaki for an API token."""
    name, url = cloud_name(), f"{conf.ASTAKOS_BASE_URL.rstrip('/')}/identity/v2.0"
    return f'[global]\ndefault_cloud = {name}\n\n[cloud "{name}"]\nurl = {url}\ntoken = {secret}\n'


def cloud_name() -> str:
    """The cloud's name as one word."""
    if conf.ASTAKOS_KAMAKI_CONFIG_CLOUD_NAME:
        return str(conf.ASTAKOS_KAMAKI_CONFIG_CLOUD_NAME)
    return re.sub(r"[^a-z0-9]+", "_", str(conf.BRANDING_SERVICE_NAME).lower()).strip("_") or "cloud"


def _clouds(url: str, key: str, secret: str) -> str:
    """JSON texts are YAML too."""
    return (f"clouds:\n  {cloud_name()}:\n    auth_type: v3applicationcredential\n    auth:\n      auth_url: {json.dumps(url)}\n"
            f"      application_credential_id: {json.dumps(key)}\n      application_credential_secret: {json.dumps(secret)}\n"
            f"    region_name: {json.dumps(conf.ASTAKOS_REGION_NAME)}\n    identity_api_version: 3\n")


def _openrc(url: str, key: str, secret: str) -> str:
    values = {"OS_AUTH_TYPE": "v3applicationcredential", "OS_AUTH_URL": url, "OS_IDENTITY_API_VERSION": "3",
              "OS_REGION_NAME": conf.ASTAKOS_REGION_NAME, "OS_APPLICATION_CREDENTIAL_ID": key, "OS_APPLICATION_CREDENTIAL_SECRET": secret}
    return "".join(f"export {name}={shlex.quote(str(value))}\n" for name, value in values.items())


def _rclone(url: str, key: str, secret: str) -> str:
    return (f"[{cloud_name()}]\ntype = swift\nenv_auth = false\nauth = {url}\nauth_version = 3\napplication_credential_id = {key}\n"
            f"application_credential_secret = {secret}\n")
