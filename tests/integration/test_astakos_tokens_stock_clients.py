"""Stock clients sign in at the real web server: `openstack`, openstacksdk, `swift` by v1, v2 and v3, rclone."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openstack
import pytest
from keystoneauth1.exceptions.http import Unauthorized

from tests.support.gunicorn import PASSWORD, Site, running

pytestmark = pytest.mark.slow
PROGRAMS = Path(sys.executable).parent


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running(tmp_path_factory.mktemp("site"), workers=1) as found:
        yield found


class Clients:
    """Runs stock programs with nothing of this machine's own settings."""

    def __init__(self, site: Site, home: Path) -> None:
        self.site = site
        self.v3 = f"{site.url}/astakos/identity/v3"
        clean = {key: value for key, value in os.environ.items() if not key.startswith(("OS_", "ST_", "RCLONE_", "SWIFT_"))}
        self.environment = {**clean, "HOME": str(home)}

    def run(self, *command: str, **environment: str) -> str:
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env=self.environment | environment)
        assert done.returncode == 0, f"{command}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
        return done.stdout

    def openstack(self, *arguments: str, shows: bool = True, **login: str) -> Any:
        chosen = login or {"OS_USERNAME": self.site.email, "OS_PASSWORD": PASSWORD, "OS_USER_DOMAIN_ID": "default",
                           "OS_PROJECT_ID": self.site.uuid}
        environment = {"OS_AUTH_URL": self.v3, "OS_IDENTITY_API_VERSION": "3", **chosen}
        out = self.run(str(PROGRAMS / "openstack"), *arguments, *(["-f", "json"] if shows else []), **environment)
        return json.loads(out) if shows else out

    def by_credential(self, made: dict[str, str]) -> dict[str, str]:
        return {"OS_AUTH_TYPE": "v3applicationcredential", "OS_APPLICATION_CREDENTIAL_ID": made["ID"],
                "OS_APPLICATION_CREDENTIAL_SECRET": made["Secret"]}

    def rclone(self, *arguments: str, **options: str) -> str:
        settings = {f"RCLONE_CONFIG_CLOUD_{name.upper()}": value for name, value in options.items()}
        return self.run("rclone", "--retries", "1", "--low-level-retries", "1", *arguments, RCLONE_CONFIG_CLOUD_TYPE="swift", **settings)


@pytest.fixture
def clients(site: Site, tmp_path: Path) -> Clients:
    return Clients(site, tmp_path)


def test_the_openstack_client_makes_uses_and_deletes_application_credentials(clients: Clients) -> None:
    site = clients.site
    rules = json.dumps([{"service": "identity", "method": "GET", "path": "/v3/**"}])
    made = clients.openstack("application", "credential", "create", "robot", "--role", "member", "--expiration", "2091-01-31T12:00:00",
                             "--description", "for tests")
    assert made["Expires At"].startswith("2091-01-31T12:00:00")
    assert not made["Expires At"].endswith("Z")
    held = clients.openstack("application", "credential", "create", "held", "--access-rules", rules, "--unrestricted")
    assert {"robot", "held"} <= {item["Name"] for item in clients.openstack("application", "credential", "list")}
    issued = clients.openstack("token", "issue", **clients.by_credential(made))
    assert (issued["user_id"], issued["project_id"]) == (site.uuid, site.uuid)
    assert clients.openstack("user", "show", site.uuid, **clients.by_credential(held))["name"] == site.email
    assert len(clients.openstack("access", "rule", "list")) == 1
    clients.openstack("application", "credential", "delete", "robot", shows=False)
    assert "robot" not in {item["Name"] for item in clients.openstack("application", "credential", "list")}
    refused = subprocess.run([str(PROGRAMS / "openstack"), "token", "issue"], capture_output=True, text=True, timeout=120, check=False,
                             env=clients.environment | {"OS_AUTH_URL": clients.v3, **clients.by_credential(made)})
    assert refused.returncode != 0
    assert "401" in refused.stderr


def test_the_openstack_client_signs_in_by_password_and_by_token_and_keeps_ec2_keys(clients: Clients) -> None:
    site = clients.site
    by_token = {"OS_AUTH_TYPE": "v3token", "OS_TOKEN": site.token, "OS_PROJECT_ID": site.uuid}
    assert clients.openstack("token", "issue", **by_token)["user_id"] == site.uuid
    made = clients.openstack("ec2", "credentials", "create")
    assert (len(made["access"]), made["user_id"], made["project_id"]) == (20, site.uuid, site.uuid)
    assert clients.openstack("ec2", "credentials", "list")[0]["Access"] == made["access"]
    clients.openstack("ec2", "credentials", "delete", made["access"], shows=False)
    assert clients.openstack("ec2", "credentials", "list") == []
    assert {item["Type"] for item in clients.openstack("catalog", "list")} >= {"identity", "compute", "object-store", "image", "network"}
    assert [item["ID"] for item in clients.openstack("project", "list", "--my-projects")] == [site.uuid]


@pytest.mark.filterwarnings("ignore")  # of the library about itself
def test_openstacksdk_finds_every_service(clients: Clients) -> None:
    made = clients.openstack("application", "credential", "create", "sdk", "--unrestricted")
    cloud = openstack.connection.Connection(
        auth_type="v3applicationcredential",
        auth={"auth_url": clients.v3, "application_credential_id": made["ID"], "application_credential_secret": made["Secret"]})
    assert cloud.current_user_id == clients.site.uuid
    assert cloud.current_project_id == clients.site.uuid
    cloud.object_store.create_container("sdk")
    assert "sdk" in [item.name for item in cloud.object_store.containers()]
    assert list(cloud.compute.servers()) == []
    assert [item.name for item in cloud.identity.application_credentials(user=clients.site.uuid)].count("sdk") == 1
    cloud.object_store.delete_container("sdk")
    assert cloud.identity.find_user(clients.site.email).id == clients.site.uuid
    cloud.identity.delete_application_credential(clients.site.uuid, made["ID"])
    with pytest.raises(Unauthorized):
        cloud.identity.find_user(clients.site.email)


@pytest.mark.parametrize("login", [
    ("-A", "{url}/astakos/auth/v1.0", "-U", "{email}", "-K", PASSWORD),
    ("-A", "{url}/astakos/auth/v1.0", "-U", "acct:{uuid}", "-K", "{token}"),
    ("--auth-version", "2", "--os-auth-url", "{url}/astakos/identity/v2.0", "--os-username", "{email}", "--os-password", PASSWORD,
     "--os-tenant-id", "{uuid}"),
    ("--auth-version", "3", "--os-auth-url", "{url}/astakos/identity/v3", "--os-username", "{email}", "--os-password", "{token}",
     "--os-project-id", "{uuid}", "--os-user-domain-name", "Default"),
], ids=["v1 by password", "v1 by token", "v2", "v3 by token"])
def test_the_swift_client_signs_in_by_every_version(clients: Clients, login: tuple[str, ...]) -> None:
    site = clients.site
    filled = [part.format(url=site.url, email=site.email, uuid=site.uuid, token=site.token) for part in login]
    clients.run(str(PROGRAMS / "swift"), *filled, "post", "swiftbox")
    assert "swiftbox" in clients.run(str(PROGRAMS / "swift"), *filled, "list").split()


def test_rclone_signs_in_by_v1_v2_v3_and_application_credential(clients: Clients, tmp_path: Path) -> None:
    if shutil.which("rclone") is None:
        pytest.skip("rclone is not installed (Debian: rclone)")
    site = clients.site
    made = clients.openstack("application", "credential", "create", "rclone")
    (tmp_path / "file").write_text("by rclone")
    logins = {
        "v1": {"auth": f"{site.url}/astakos/auth/v1.0", "user": site.email, "key": PASSWORD},
        "v2": {"auth": f"{site.url}/astakos/identity/v2.0", "user": site.email, "key": PASSWORD, "tenant_id": site.uuid},
        "v3": {"auth": clients.v3, "user": site.email, "key": PASSWORD, "domain": "Default", "tenant_id": site.uuid},
        "credential": {"auth": clients.v3, "application_credential_id": made["ID"], "application_credential_secret": made["Secret"]},
    }
    for name, login in logins.items():
        clients.rclone("copy", str(tmp_path / "file"), f"cloud:rclone-{name}", **login)
        assert clients.rclone("cat", f"cloud:rclone-{name}/file", **login) == "by rclone", name
