"""The object store against a model of it: a dictionary of names, the versions of each, and the sum of their sizes."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from synnefo.common.settings import conf
from tests.support.pithos import Account, assert_sums_are_right, register_resources, usage

SIZE = 8
NAMES = st.sampled_from(["a", "A", "a/", "a/b", "a/b/c", "a0", "b", "B/x", "\u00e9", "\U0001f600", "~"])
CONTAINERS = st.sampled_from(["one", "two"])
CONTENTS = st.binary(max_size=3 * SIZE + 1) | st.sampled_from([b"", bytes(SIZE), b"x" * SIZE, b"x" * SIZE * 2, b"y" + bytes(SIZE)])
pytestmark = [pytest.mark.django_db(transaction=True)]


class Namespace(RuleBasedStateMachine):
    """Contents by (container, name), and every version that was ever written by its number."""

    def __init__(self) -> None:
        super().__init__()
        self.objects: dict[tuple[str, str], bytes] = {}
        self.history: dict[tuple[str, str], dict[str, bytes]] = {}
        self.account = Account()
        for container in ("one", "two"):
            assert self.account("PUT", f"/{container}").status_code == 201

    @initialize(versioning=st.sampled_from(["auto", "none"]))
    def choose_versioning(self, versioning: str) -> None:
        self.versioning = versioning
        for container in ("one", "two"):
            self.account("POST", f"/{container}?update", x_container_policy_versioning=versioning)

    def path(self, container: str, name: str) -> str:

        return f"/{container}/{quote(name)}"

    def written(self, key: tuple[str, str], data: bytes, answer: Any) -> None:
        assert answer.status_code in {201, 204}, answer.content
        self.objects[key] = data
        versions = self.history.setdefault(key, {})
        if self.versioning == "none":
            versions.clear()
        versions[answer["X-Object-Version"]] = data

    def gone(self, key: tuple[str, str]) -> None:
        del self.objects[key]
        if self.versioning == "none":
            self.history.pop(key)

    @rule(container=CONTAINERS, name=NAMES, data=CONTENTS)
    def put(self, container: str, name: str, data: bytes) -> None:
        self.written((container, name), data, self.account("PUT", self.path(container, name), data))

    @rule(container=CONTAINERS, name=NAMES, data=CONTENTS, start=st.integers(0, 4 * SIZE))
    def overwrite(self, container: str, name: str, data: bytes, start: int) -> None:
        old = self.objects.get((container, name))
        answer = self.account("POST", self.path(container, name) + "?update", data, content_type="application/octet-stream",
                              content_range=f"bytes {start}-/*")
        if old is None:
            assert answer.status_code == 404
        elif start > len(old):
            assert answer.status_code == 416
        else:
            self.written((container, name), old[:start] + data + old[start + len(data):], answer)

    @rule(container=CONTAINERS, name=NAMES)
    def delete(self, container: str, name: str) -> None:
        answer = self.account("DELETE", self.path(container, name))
        if (container, name) in self.objects:
            assert answer.status_code == 204
            self.gone((container, name))
        else:
            assert answer.status_code == 404

    @rule(container=CONTAINERS, name=NAMES, to_container=CONTAINERS, to_name=NAMES, is_move=st.booleans())
    def transfer(self, container: str, name: str, to_container: str, to_name: str, is_move: bool) -> None:
        source, target = (container, name), (to_container, to_name)
        answer = self.account("MOVE" if is_move else "COPY", self.path(*source), destination=self.path(*target))
        if source not in self.objects:
            assert answer.status_code == 404
            return
        self.written(target, self.objects[source], answer)
        if is_move and source != target:
            self.gone(source)

    @rule(container=CONTAINERS)
    def empty(self, container: str) -> None:
        assert self.account("DELETE", f"/{container}?delimiter=/").status_code == 204
        for key in [key for key in self.objects if key[0] == container]:
            self.gone(key)

    @rule(container=CONTAINERS, name=NAMES, data=st.data())
    def read_an_old_version(self, container: str, name: str, data: st.DataObject) -> None:
        versions = self.history.get((container, name))
        if versions:
            number = data.draw(st.sampled_from(sorted(versions)))
            assert self.account.read(self.path(container, name) + f"?version={number}") == versions[number]

    @rule(container=CONTAINERS, prefix=st.sampled_from(["", "a", "A", "a/", "B/", "\u00e9"]), delimiter=st.sampled_from(["", "/"]),
          limit=st.integers(1, 4))
    def list_in_pages(self, container: str, prefix: str, delimiter: str, limit: int) -> None:
        expected: list[str] = []
        for name in sorted(name for where, name in self.objects if where == container and name.startswith(prefix)):
            cut = name.find(delimiter, len(prefix)) if delimiter else -1
            entry = name if cut < 0 else name[: cut + 1]
            if entry not in expected:
                expected.append(entry)
        found: list[str] = []
        while True:
            marker = quote(found[-1]) if found else ""
            query = f"format=json&limit={limit}&marker={marker}&delimiter={delimiter}&prefix={quote(prefix)}"
            page = [row.get("name") or row["subdir"] for row in self.account.swift("GET", f"/{container}?{query}").json()]
            if not page:
                break
            assert len(page) <= limit
            found += page
        assert found == expected

    @invariant()
    def every_object_is_what_was_written(self) -> None:
        for key, data in self.objects.items():
            assert self.account.read(self.path(*key)) == data

    @invariant()
    def the_ledger_knows_the_sum(self) -> None:
        assert usage(self.account) == sum(map(len, self.objects.values()))
        assert_sums_are_right()


@pytest.fixture
def small_blocks(tmp_path: Path, settings_override: Any) -> Iterator[None]:
    with tempfile.TemporaryDirectory(dir="/dev/shm") as directory:  # flushing is tested elsewhere
        settings_override(PITHOS_BACKEND_BLOCK_PATH=directory, PITHOS_BACKEND_BLOCK_SIZE=SIZE)
        register_resources()
        assert conf.PITHOS_BACKEND_BLOCK_SIZE == SIZE
        yield


@pytest.mark.usefixtures("small_blocks")
def test_the_namespace_is_its_model() -> None:
    run_state_machine_as_test(Namespace, settings=settings(
        max_examples=12, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)))
