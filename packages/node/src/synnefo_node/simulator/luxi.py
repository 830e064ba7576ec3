"""The query socket that node daemons use: JSON requests and answers, each ended by the byte 0x03."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

from synnefo_node.simulator import queries
from synnefo_node.simulator.jobs import JobQueue
from synnefo_node.simulator.model import Cluster

END = b"\x03"
MAX_REQUEST = 4 * 1024 * 1024
VERSION = 3000000


class LuxiServer:
    """Answers QueryInstances, QueryNetworks, QueryNodes, QueryJobs, Query, QueryClusterInfo and QueryTags."""

    def __init__(self, cluster: Cluster, queue: JobQueue, path: Path) -> None:
        self._cluster, self._queue, self._path = cluster, queue, path
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._path.unlink(missing_ok=True)
        self._server = await asyncio.start_unix_server(self._serve, self._path, limit=MAX_REQUEST)

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
        self._path.unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                request = await reader.readuntil(END)
                writer.write(json.dumps(self._answer(request[:-1])).encode() + END)
                await writer.drain()
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError):
            pass  # the client is gone, or never spoke this protocol
        finally:
            writer.close()

    def _answer(self, raw: bytes) -> dict[str, Any]:
        try:
            request = json.loads(raw)
            result = self._call(str(request["method"]), request["args"])
        except (ValueError, KeyError, TypeError, IndexError) as error:
            return {"success": False, "result": ["OpPrereqError", [str(error), "wrong_input"]], "version": VERSION}
        return {"success": True, "result": result, "version": VERSION}

    def _call(self, method: str, args: list[Any]) -> Any:
        if method == "QueryInstances":
            return self._rows("instance", args[0], args[1])
        if method == "QueryNetworks":
            return self._rows("network", args[0], args[1])
        if method == "QueryNodes":
            return self._rows("node", args[0], args[1])
        if method == "QueryJobs":
            return self._jobs(args[0], args[1])
        if method == "Query":
            return queries.query(self._cluster, self._queue, args[0], args[1], args[2])
        if method == "QueryClusterInfo":
            return queries.cluster_info(self._cluster)
        if method == "QueryTags":
            return self._tags(args[0], args[1])
        raise ValueError(f"Unknown method {method}")

    def _rows(self, resource: str, names: list[str], fields: list[str]) -> list[list[Any]]:
        """Old-style queries: plain values; an unknown name is an error."""
        tables: dict[str, set[str]] = {"instance": set(self._cluster.instances), "network": set(self._cluster.networks),
                                       "node": set(self._cluster.nodes)}
        known = tables[resource]
        for name in names:
            if name not in known:
                raise ValueError(f"{resource.title()} '{name}' not known")
        wanted = ["|", *(["=", "name", name] for name in names)] if names else None
        rows = queries.query(self._cluster, self._queue, resource, fields, wanted)["data"]
        return [[value for _, value in row] for row in rows]

    def _jobs(self, ids: list[int] | None, fields: list[str]) -> list[Any]:
        jobs = [self._queue.get(int(job_id)) for job_id in ids] if ids else list(self._queue.listed())
        return [None if job is None else [queries.job_field(job, name) for name in fields] for job in jobs]

    def _tags(self, kind: str, name: str) -> list[str]:
        if kind == "cluster":
            return list(self._cluster.facts["tags"])
        return list((self._cluster.instances if kind == "instance" else self._cluster.networks)[name].tags)
