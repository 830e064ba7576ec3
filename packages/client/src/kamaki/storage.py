"""Pithos+: containers and objects, with transfers that send and fetch only the blocks that are missing."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any
from urllib.parse import quote

from kamaki import errors
from kamaki.hashing import BLOCK_SIZE, hash_block, hash_blocks
from kamaki.transport import Transport

THREADS = 5
ROUNDS_WITHOUT_PROGRESS = 7
PAGE = 1000
type_progress = Callable[[int], None]
"""Called with the number of bytes that were just done."""


class Storage:
    """The object store as one account sees it. `account` may be another user's, for what he shares."""

    def __init__(self, transport: Transport, account: str) -> None:
        self.api = transport
        self.account = account

    def _path(self, container: str = "", name: str = "") -> str:
        parts = [quote(self.account, safe="")]
        if container:
            parts.append(quote(container, safe=""))
        if name:
            parts.append(quote(name, safe="/"))
        return "/" + "/".join(parts)

    # Containers

    def list_containers(self) -> list[dict[str, Any]]:
        return list(self._pages(self._path(), {}))

    def create_container(self, name: str, *, versioning: str | None = None, quota_bytes: int | None = None,
                         project: str | None = None) -> bool:
        """Returns whether it is new."""
        headers = {}
        if versioning:
            headers["X-Container-Policy-Versioning"] = versioning
        if quota_bytes is not None:
            headers["X-Container-Policy-Quota"] = str(quota_bytes)
        if project:
            headers["X-Container-Policy-Project"] = project
        return self.api.request("PUT", self._path(name), headers=headers).status_code == 201

    def get_container(self, name: str) -> dict[str, str]:
        """The container's headers, lower case. Raises `NotFound`."""
        return dict(self.api.request("HEAD", self._path(name)).headers)

    def delete_container(self, name: str, *, contents: bool = False) -> None:
        """Delete an empty container; with `contents` empty it first."""
        if contents:
            self.api.request("DELETE", self._path(name), params={"delimiter": "/"})
        self.api.request("DELETE", self._path(name))

    # Objects

    def list_objects(self, container: str, *, prefix: str = "", delimiter: str = "") -> Iterator[dict[str, Any]]:
        """Object descriptions in name order, fetched page by page; `{"subdir": ...}` entries with a delimiter."""
        params = {key: value for key, value in (("prefix", prefix), ("delimiter", delimiter)) if value}
        return self._pages(self._path(container), params)

    def _pages(self, path: str, params: Mapping[str, str]) -> Iterator[dict[str, Any]]:
        marker = ""
        while True:
            query = {"format": "json", "limit": str(PAGE), **params, **({"marker": marker} if marker else {})}
            response = self.api.request("GET", path, params=query)
            page = response.json() if response.status_code == 200 else []
            yield from page
            if len(page) < PAGE:
                return
            marker = page[-1].get("name") or page[-1]["subdir"]

    def get_object(self, container: str, name: str) -> dict[str, str]:
        """The object's headers, lower case. Raises `NotFound`."""
        return dict(self.api.request("HEAD", self._path(container, name)).headers)

    def delete_object(self, container: str, name: str) -> None:
        self.api.request("DELETE", self._path(container, name))

    def read_object(self, container: str, name: str) -> Iterator[bytes]:
        """The content, piece by piece."""
        with self.api.stream("GET", self._path(container, name)) as response:
            yield from response.iter_bytes(2**20)

    def get_hashmap(self, container: str, name: str) -> dict[str, Any]:
        """{bytes, block_size, block_hash, hashes}."""
        params = {"hashmap": "", "format": "json"}
        return dict(self.api.json("GET", self._path(container, name), params=params))

    # Upload

    def upload(self, source: Path, container: str, name: str, *, overwrite: bool = False, content_type: str | None = None,
               threads: int = THREADS, on_hash: type_progress | None = None,
               on_block: type_progress | None = None) -> dict[str, str]:
        """Upload a file: hash it, name its blocks, send the missing ones side by side, name them again.

        An interrupted upload resumes by itself, because blocks that arrived are no longer missing. Memory: `threads`
        blocks. Raises `Conflict` when the object exists and `overwrite` is false.
        """
        block_size = self._block_size(container)
        size = source.stat().st_size
        hashes = []
        with source.open("rb") as stream:
            for digest in hash_blocks(stream, block_size):
                hashes.append(digest.hex())
                _tell(on_hash, min(block_size, size - (len(hashes) - 1) * block_size))
        headers = {"Content-Type": content_type or "application/octet-stream"}
        if not overwrite:
            headers["If-None-Match"] = "*"
        body = {"bytes": size, "hashes": hashes, "block_size": block_size, "block_hash": "sha256"}
        missing = self._put_hashmap(container, name, body, headers)
        _tell(on_block, size - _bytes_of(missing, hashes, size, block_size))
        self._send_until_complete(source, container, name, body, headers, missing, threads, on_block)
        return self.get_object(container, name)

    def _block_size(self, container: str) -> int:
        try:
            return int(self.get_container(container).get("x-container-block-size", BLOCK_SIZE))
        except errors.NotFound as error:
            raise errors.NotFound(f"There is no container {container!r}.", status=404,
                                  hints=(f"To create it: kamaki container create {container}",)) from error

    def _put_hashmap(self, container: str, name: str, body: dict[str, Any], headers: dict[str, str]) -> list[str]:
        """Returns the hashes of blocks the store lacks; empty when the object has been written."""
        try:
            response = self.api.request("PUT", self._path(container, name), params={"hashmap": "", "format": "json"},
                                        json=body, headers=headers, ok=(201, 409))
        except errors.RequestFailed as error:
            if error.status != 412:
                raise
            raise errors.Conflict(f"The object {name!r} exists already.", status=412,
                                  hints=("Use -f/--force to overwrite it",)) from error
        if response.status_code == 201:
            return []
        missing = response.json()
        if not isinstance(missing, list):
            raise errors.from_response(409, missing)
        return [str(item) for item in missing]

    def _send_until_complete(self, source: Path, container: str, name: str, body: dict[str, Any],
                             headers: dict[str, str], missing: list[str], threads: int,
                             on_block: type_progress | None) -> None:
        stuck = 0
        while missing:
            failure = self._send_blocks(source, container, body, missing, threads, on_block)
            left = self._put_hashmap(container, name, body, headers)
            stuck = 0 if len(left) < len(missing) else stuck + 1
            if stuck >= ROUNDS_WITHOUT_PROGRESS:
                raise failure or errors.RequestFailed("The store keeps asking for the same blocks.", status=409)
            missing = left

    def _send_blocks(self, source: Path, container: str, body: dict[str, Any], missing: Iterable[str], threads: int,
                     on_block: type_progress | None) -> errors.KamakiError | None:
        """Send blocks, at most `threads` at a time. Returns the last failure: the caller decides whether it matters."""
        position = {digest: index for index, digest in reversed(list(enumerate(body["hashes"])))}
        failure = None
        block_size = body["block_size"]
        with source.open("rb") as stream, ThreadPoolExecutor(threads) as pool:
            for future in _bounded(pool, threads, (
                (self._post_block, container, os.pread(stream.fileno(), block_size, position[digest] * block_size), digest)
                for digest in missing
            )):
                error = future.exception()
                if error is None:
                    _tell(on_block, future.result())
                elif isinstance(error, errors.KamakiError):
                    failure = error
                else:
                    raise error
        return failure

    def _post_block(self, container: str, block: bytes, digest: str) -> int:
        response = self.api.request("POST", self._path(container), params={"update": ""}, content=block,
                                    headers={"Content-Type": "application/octet-stream"})
        if response.text.strip() not in {"", digest}:
            raise errors.RequestFailed("The file changed while it was being uploaded.", status=200,
                                       hints=("Upload it again",))
        return len(block)

    # Download

    def download(self, container: str, name: str, target: Path, *, resume: bool = False, threads: int = THREADS,
                 on_block: type_progress | None = None) -> int:
        """Download to a file, distinct blocks once and side by side. Returns the size.

        With `resume`, blocks that lie in the target already are kept. Every range is asked under the version's ETag, so
        that a change on the server cannot mix contents: it raises `RequestFailed` (412).
        """
        head = self.get_object(container, name)
        hashmap = self.get_hashmap(container, name)
        size, block_size = hashmap["bytes"], hashmap["block_size"]
        wanted: dict[str, list[int]] = {}
        with target.open("r+b" if resume and target.exists() else "w+b") as stream:
            for index, digest in enumerate(hashmap["hashes"] if size else []):
                length = min(block_size, size - index * block_size)
                if resume and hash_block(os.pread(stream.fileno(), length, index * block_size)).hex() == digest:
                    _tell(on_block, length)
                else:
                    wanted.setdefault(digest, []).append(index)
            stream.truncate(size)
            with ThreadPoolExecutor(threads) as pool:
                jobs = ((self._fetch_block, container, name, indexes, stream.fileno(), size, block_size, head["etag"])
                        for indexes in wanted.values())
                for future in _bounded(pool, threads, jobs):
                    _tell(on_block, future.result())
        return int(size)

    def _fetch_block(self, container: str, name: str, indexes: list[int], descriptor: int, size: int, block_size: int,
                     etag: str) -> int:
        # The last block may be shorter; asking for the first place of a repeated one gives its longest form.
        start = indexes[0] * block_size
        end = min(start + block_size, size)
        headers = {"Range": f"bytes={start}-{end - 1}", "If-Match": etag}
        block = self.api.request("GET", self._path(container, name), headers=headers, ok=(200, 206)).content
        done = 0
        for index in indexes:
            piece = block[: min(block_size, size - index * block_size)]
            os.pwrite(descriptor, piece, index * block_size)
            done += len(piece)
        return done


def _bounded(pool: ThreadPoolExecutor, limit: int, jobs: Iterable[tuple[Any, ...]]) -> Iterator[Future[int]]:
    """Run jobs (function, *arguments) with at most `limit` of them, and of their arguments, in memory."""
    running: set[Future[int]] = set()
    for function, *arguments in jobs:
        running.add(pool.submit(function, *arguments))
        if len(running) >= limit:
            done, running = wait(running, return_when=FIRST_COMPLETED)
            yield from done
    yield from wait(running).done


def _bytes_of(missing: Iterable[str], hashes: list[str], size: int, block_size: int) -> int:
    """How many bytes of the file will be sent: each missing block once."""
    position = {digest: index for index, digest in reversed(list(enumerate(hashes)))}
    return sum(min(block_size, size - position[digest] * block_size) for digest in missing)


def _tell(callback: type_progress | None, amount: int) -> None:
    if callback is not None and amount:
        callback(amount)
