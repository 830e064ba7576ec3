"""Users of the object store, speaking HTTP in this process."""

from __future__ import annotations

import uuid
from typing import Any

from django.db import transaction
from django.test import Client

from synnefo.astakos.services import resources, tokens, users
from synnefo.common import ports
from synnefo.pithos.models import Container, StoredObject
from synnefo.pithos.registration import SERVICES

ROOT = "/pithos/object-store/v1"
SWIFT = "/pithos/swift/v1"


def register_resources() -> None:
    """What the object store counts."""
    with transaction.atomic():
        for definition in SERVICES["pithos_object-store"]["resources"].values():
            resources.register_resource(definition, "pithos")


class Account:
    """A user and his token. Calls are `account("PUT", "/container/object", b"...", x_object_meta_a="1")`."""

    def __init__(self) -> None:
        self.user = users.create_user(f"{uuid.uuid4().hex[:8]}@example.org", first_name="A", last_name="B")
        self.token = tokens.issue_named(self.user, "test").secret
        self.client = Client(enforce_csrf_checks=True)
        self.root = f"{ROOT}/{self.user.uuid}"
        self.swift_root = f"{SWIFT}/AUTH_{self.user.uuid}"

    def __call__(self, method: str, path: str, body: bytes = b"", **headers: str) -> Any:
        return self.send(method, self.root + path, body, **headers)

    def swift(self, method: str, path: str, body: bytes = b"", **headers: str) -> Any:
        """The same in the Swift dialect."""
        return self.send(method, self.swift_root + path, body, **headers)

    def send(self, method: str, path: str, body: bytes = b"", **headers: str) -> Any:
        extra = {"HTTP_" + key.upper(): value for key, value in headers.items() if key != "content_type"}
        extra |= {"CONTENT_TYPE": headers.get("content_type", "text/plain"), "CONTENT_LENGTH": str(len(body)), "HTTP_X_AUTH_TOKEN": self.token,
                  "RAW_URI": path}  # as gunicorn gives it
        return self.client.generic(method, path, body, **extra)

    def read(self, path: str) -> bytes:
        answer = self("GET", path)
        assert answer.status_code == 200, answer.content
        return content(answer)


def content(response: Any) -> bytes:
    return b"".join(response.streaming_content) if response.streaming else bytes(response.content)


def usage(account: Account) -> int:
    """What the ledger says the account uses of its own project; nothing may be pending."""
    found = ports.quota("pithos").usages(user_ids=[account.user.user_id])
    holding = found[account.user.user_id][account.user.system_project_id]["pithos.diskspace"]
    assert holding.pending == 0
    return holding.usage


def assert_sums_are_right() -> None:
    """The containers' sums are those of what is in them."""
    for container in Container.objects.all():
        sizes = list(StoredObject.objects.filter(container=container, current__isnull=False).values_list("current__bytes", flat=True))
        assert (container.objects_count, container.bytes_used) == (len(sizes), sum(sizes))
