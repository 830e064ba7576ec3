"""The compute and image APIs as users of the real identity service and object store see them."""

from __future__ import annotations

import json
from typing import Any

from django.db import transaction
from django.test import Client

from synnefo.astakos.services import tokens
from synnefo.astakos.services.resources import register_resource
from synnefo.common.ids import UserID
from synnefo.common.ports import Caller, identity
from synnefo.cyclades.models import Flavor, Server, VolumeType
from synnefo.cyclades.registration import SERVICES
from tests.support import identity as accounts
from tests.support import pithos

LEGACY, MODERN = "/cyclades/compute/v2.0", "/cyclades/compute/v2.1"
IMAGE_V1, IMAGE_V2 = "/cyclades/image/v1.0", "/cyclades/image/v2"
PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ83rAuNlwcLx1eJp5lHcRxnhCsFwzTmIZuvbkbCQ5Ft me@here"


def register_resources() -> None:
    """What cyclades and pithos count."""
    with transaction.atomic():
        for service in SERVICES.values():
            for definition in service["resources"].values():
                register_resource(definition, "cyclades")
    pithos.register_resources()


class Person:
    """A user with a token. `person("GET", "/servers")` speaks v2.0, `person.modern(...)` v2.1; answers are Django's responses."""

    def __init__(self, name: str = "ann", **options: Any) -> None:
        self.user = accounts.make_user(f"{name}@example.org", **options)
        self.token = tokens.issue_named(self.user, "test").secret
        self.client = Client(raise_request_exception=False, enforce_csrf_checks=True)

    @property
    def uuid(self) -> str:
        return str(self.user.uuid)

    @property
    def caller(self) -> Caller:
        return identity().caller_of(UserID(self.user.uuid))

    def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        return self.send(method, LEGACY + path, body, **headers)

    def modern(self, method: str, path: str, body: Any = None, version: str = "", **headers: str) -> Any:
        if version:
            headers["OpenStack_API_Version"] = f"compute {version}"
        return self.send(method, MODERN + path, body, **headers)

    def send(self, method: str, url: str, body: Any = None, **headers: str) -> Any:
        data = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        path, _, query = url.partition("?")
        sent = {"X-Auth-Token": self.token} | {key.replace("_", "-"): value for key, value in headers.items()}
        return self.client.generic(method, path, data, sent.pop("content-type", "application/json"), headers=sent, QUERY_STRING=query)

    def upload(self, name: str = "disk.img", content: bytes = b"x" * 1000) -> str:
        """Put a file into the container "images"; its location."""
        account = pithos.Account.__new__(pithos.Account)
        account.user, account.token, account.client = self.user, self.token, Client()
        account.root = f"{pithos.ROOT}/{self.uuid}"
        assert account("PUT", "/images").status_code in {201, 202}
        assert account("PUT", f"/images/{name}", content).status_code == 201
        return f"pithos://{self.uuid}/images/{name}"

    def image(self, name: str = "debian", *, public: bool = False, content: bytes = b"x" * 1000, **properties: str) -> str:
        """Upload and register an image; its id."""
        headers = {f"x-image-meta-property-{key}": value for key, value in properties.items()}
        answer = self.send("POST", f"{IMAGE_V1}/images", **{
            "x-image-meta-name": name, "x-image-meta-location": self.upload(f"{name}.img", content),
            "x-image-meta-is-public": str(public), **headers})
        assert answer.status_code == 200, answer.content
        return str(answer["x-image-meta-id"])


def flavor(cpu: int = 1, ram: int = 256, disk: int = 2, **options: Any) -> Flavor:
    volume_type, _ = VolumeType.objects.get_or_create(name="file", disk_template="file")
    return Flavor.objects.create(cpu=cpu, ram=ram, disk=disk, volume_type=volume_type, **options)


def server_row(owner: Person, **values: Any) -> Server:
    """A server's row alone, started unless told otherwise."""
    used = values.pop("flavor", None) or Flavor.objects.first() or flavor()
    return Server.objects.create(**{"name": "s", "user_id": owner.uuid, "project_id": owner.uuid, "flavor": used, "image_id": "i" * 36,
                                    "operstate": "STARTED", **values})


def fault(answer: Any) -> tuple[int, str]:
    """(status, fault name) of a refusal; checks its form."""
    body = answer.json()
    (name, inner), = body.items()
    assert inner["code"] == answer.status_code
    assert inner["message"]
    return answer.status_code, name
