"""The remote API over HTTPS, with Ganeti's paths, statuses and error bodies."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hmac
import html
import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Any

from aiohttp import web

from synnefo_node.simulator import opcodes, queries
from synnefo_node.simulator.faults import CallFault, Control, Malformed
from synnefo_node.simulator.jobs import FINAL, JobQueue
from synnefo_node.simulator.model import Cluster
from synnefo_node.simulator.opcodes import Refused

EXPLANATIONS = {
    400: ("Bad Request", "Bad request syntax or unsupported method"),
    401: ("Unauthorized", "No permission -- see authorization schemes"),
    404: ("Not Found", "Nothing matches the given URI"),
    415: ("Unsupported Media Type", "Entity body in unsupported format"),
    500: ("Internal Server Error", "Server got itself in trouble"),
    501: ("Not Implemented", "Server does not support this operation"),
    502: ("Bad Gateway", "Invalid responses from another server/proxy"),
    503: ("Service Unavailable", "The server cannot process the request due to a high load"),
    504: ("Gateway Timeout", "The gateway server did not receive a timely response"),
}
MAX_BODY = 4 * 1024 * 1024
FEATURES = ["node-evac-res1", "instance-reinstall-reqv1", "instance-create-reqv1", "node-migrate-reqv1"]
WAIT_S = 10.0

type_answer = Callable[["Api", "Call"], Any | Awaitable[Any]]


class Call:
    """One request, parsed."""

    def __init__(self, request: web.Request, parts: tuple[str, ...], body: Any) -> None:
        self.request = request
        self.parts = parts
        self.body = body

    def flag(self, name: str) -> bool:
        value = self.request.query.get(name, "0")
        try:
            return bool(int(value))
        except ValueError:
            raise Refused(400, f"Invalid value for the '{name}' parameter") from None

    @property
    def table(self) -> dict[str, Any]:
        if self.body is None:
            return {}
        if not isinstance(self.body, dict):
            raise Refused(400, f"Body contents: Type is '{type(self.body).__name__}', but 'dict' is expected")
        return self.body


class Api:
    """The web application of one cluster."""

    def __init__(self, cluster: Cluster, queue: JobQueue, control: Control, users: dict[str, tuple[str, str]],
                 operating_systems: dict[str, tuple[str, ...] | None]) -> None:
        self.cluster, self.queue, self.control = cluster, queue, control
        self._users = users
        self.operating_systems = operating_systems

    def application(self) -> web.Application:
        application = web.Application(client_max_size=MAX_BODY)
        application.router.add_route("*", "/{path:.*}", self._answer)
        return application

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        try:
            may_write = self._log_in(request)
            if request.path == "/control":
                return web.json_response(await self._control(request), headers={"Connection": "close"})
            fault = self.control.call_fault(request.method, request.path)
            answer = await self._struck(request, fault, may_write)
            return _response(200, answer)
        except Refused as refusal:
            return _error(refusal.status, str(refusal))

    async def _struck(self, request: web.Request, fault: CallFault | None, may_write: bool) -> Any:
        if fault and fault.action == "delay":
            await asyncio.sleep(fault.seconds)
        if fault and fault.action == "refuse":
            raise Refused(fault.status, fault.message)
        if fault and fault.action == "drop_before":
            _cut(request)
        answer = await self._routed(request, may_write)
        if fault and fault.action == "drop_after":
            _cut(request)
        return answer

    def _log_in(self, request: web.Request) -> bool:
        """Whether the user may write. Raises `Refused`."""
        scheme, _, credentials = request.headers.get("Authorization", "").partition(" ")
        try:
            name, _, password = base64.b64decode(credentials).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            name, password = "", ""
        known, rights = self._users.get(name, ("", ""))
        if scheme.lower() != "basic" or not known or not hmac.compare_digest(known.encode(), password.encode()):
            raise Refused(401, "Unauthorized")
        return rights == "write"

    async def _routed(self, request: web.Request, may_write: bool) -> Any:
        path = request.rel_url.raw_path.rstrip("/") or "/"  # as Ganeti does: escapes are not undone
        for pattern, methods in ROUTES:
            match = pattern.fullmatch(path)
            if match is None:
                continue
            if request.method not in methods:
                raise Refused(501, f"Method {request.method} is unsupported for path {path}")
            changes = request.method != "GET" or path.endswith("/wait")
            if changes and not may_write and not path.startswith("/2/query"):
                raise Refused(403, "Forbidden")
            answer = methods[request.method](self, Call(request, match.groups(), await _body(request)))
            return await answer if isinstance(answer, Awaitable) else answer
        raise Refused(404, "Not Found")

    async def _control(self, request: web.Request) -> dict[str, Any]:
        """What tests order: POST changes, DELETE goes back to normal, all answer with the present state."""
        try:
            if request.method == "POST":
                order = await _body(request)
                self.control.change(order)
                self._order_nodes(order)
            elif request.method == "DELETE":
                self.control.change({**asdict(Control()), "calls": [], "jobs": []})
        except (Malformed, AttributeError, TypeError) as error:
            raise Refused(400, str(error)) from error
        return {**asdict(self.control), "instances": len(self.cluster.instances)}

    def _order_nodes(self, order: dict[str, Any]) -> None:
        """{"nodes": {name: {"offline"|"drained"|"is_answering": bool, "mtotal"|"dtotal": MiB}},
        "instances": {name: {"is_running": bool}}}: what happens to machines without any job."""
        for name, values in order.get("nodes", {}).items():
            node = self.cluster.nodes[name]
            for key in ("offline", "drained", "is_answering", "mtotal", "dtotal"):
                setattr(node, key, values.get(key, getattr(node, key)))
            self.cluster.save_node(node)
        for name, values in order.get("instances", {}).items():
            instance = self.cluster.instances[name]
            instance.is_running = bool(values["is_running"])
            self.cluster.save(instance)

    # Reads

    def info(self, call: Call) -> Any:
        return queries.cluster_info(self.cluster)

    def instances(self, call: Call) -> Any:
        if not call.flag("bulk"):
            return [{"id": name, "uri": f"/2/instances/{name}"} for name in sorted(self.cluster.instances)]
        return [self._instance(name) for name in sorted(self.cluster.instances)]

    def _instance(self, name: str) -> dict[str, Any]:
        item = self.cluster.instances[name]
        return _fields(queries.I_FIELDS, lambda field: queries.instance_field(self.cluster, item, field))

    def instance(self, call: Call) -> Any:
        if call.parts[0] not in self.cluster.instances:
            raise Refused(404, "Not Found")
        return self._instance(call.parts[0])

    def networks(self, call: Call) -> Any:
        if not call.flag("bulk"):
            return [{"name": name, "uri": f"/2/networks/{name}"} for name in sorted(self.cluster.networks)]
        return [self._network(name) for name in sorted(self.cluster.networks)]

    def _network(self, name: str) -> dict[str, Any]:
        item = self.cluster.networks[name]
        return _fields(queries.NET_FIELDS, lambda field: queries.network_field(self.cluster, item, field))

    def network(self, call: Call) -> Any:
        if call.parts[0] not in self.cluster.networks:
            raise Refused(404, "Not Found")
        return self._network(call.parts[0])

    def nodes(self, call: Call) -> Any:
        if not call.flag("bulk"):
            return [{"id": name, "uri": f"/2/nodes/{name}"} for name in sorted(self.cluster.nodes)]
        return [_fields(queries.N_FIELDS, lambda field, n=node: queries.node_field(self.cluster, n, field))  # type: ignore[misc]
                for node in self.cluster.nodes.values()]

    def groups(self, call: Call) -> Any:
        names = sorted({node.group for node in self.cluster.nodes.values()})
        return [{"name": name, "uri": f"/2/groups/{name}"} for name in names]

    def os_names(self, call: Call) -> Any:
        return [f"{name}+default" for name in sorted(self.operating_systems)]

    def jobs(self, call: Call) -> Any:
        listed = self.queue.listed()
        if not call.flag("bulk"):
            return [{"id": job.id, "uri": f"/2/jobs/{job.id}"} for job in listed]
        return [{name: queries.job_field(job, name) for name in queries.J_FIELDS_BULK} for job in listed]

    def job(self, call: Call) -> Any:
        number = int(call.parts[0])
        job = self.queue.get(number)
        if job is None:
            return {name: number if name == "id" else None for name in queries.J_FIELDS}
        return {name: queries.job_field(job, name) for name in queries.J_FIELDS}

    async def wait(self, call: Call) -> Any:
        """Answers when the fields differ from those the caller knew, or null after ten seconds."""
        fields, known = call.table.get("fields") or ["status"], call.table.get("previous_job_info")
        job = self.queue.get(int(call.parts[0]))
        if job is None:
            raise Refused(404, "Not Found")
        end = asyncio.get_running_loop().time() + WAIT_S
        while (left := end - asyncio.get_running_loop().time()) > 0:
            info = [queries.job_field(job, name) for name in fields]
            if info != known:
                return {"job_info": info, "log_entries": [entry for op in job.ops for entry in op.log]}
            if job.status in FINAL:
                return None
            await self.queue.wait_for_change(left)
        return None

    def cancel(self, call: Call) -> Any:
        return list(self.queue.cancel(int(call.parts[0])))

    def query(self, call: Call) -> Any:
        fields = call.table.get("fields")
        if not isinstance(fields, list):
            raise Refused(400, "Missing 'fields' query argument")
        qfilter = call.table.get("qfilter")
        self._as_ganeti_looks_up(call.parts[0], qfilter)
        try:
            return queries.query(self.cluster, self.queue, call.parts[0], fields, qfilter)
        except queries.BadQuery as error:
            raise Refused(502, f"Failed to parse request: {error}") from error

    def _as_ganeti_looks_up(self, resource: str, qfilter: object) -> None:
        """Ganeti 3.0 fails on a filter that is nothing but names it does not know."""
        for name in _only_names(qfilter):
            if resource == "instance" and name not in self.cluster.instances:
                raise Refused(500, f"('Instance name {name} not found', 'unknown_entity')")

    def tags(self, call: Call) -> Any:
        kind, name = _tagged(call)
        if kind == "cluster":
            return list(self.cluster.facts["tags"])
        owner = (self.cluster.instances if kind == "instance" else self.cluster.networks).get(name)
        if owner is None:
            raise Refused(404, "Not Found")
        return list(owner.tags)

    # Jobs

    def submit(self, call: Call, op_id: str, resource: str, fixed: dict[str, Any],
               renamed: dict[str, str] | None = None, body: dict[str, Any] | None = None) -> int:
        """Queue one opcode made of the request's body and of what its path says."""
        given = opcodes.build(op_id, call.table if body is None else body, fixed, renamed or {})
        if given["dry_run"] is None:
            given["dry_run"] = call.flag("dry-run")
        given["reason"] = opcodes.reason_trail(resource, call.request.query.get("reason"))
        secrets = {key: given[key] for key in ("osparams_secret", "osparams_private") if given.get(key)}
        return self.queue.submit([opcodes.without_secrets(given)], [secrets])

    def create(self, call: Call) -> Any:
        body = dict(call.table)
        version = body.pop("__version__", 0)
        if version != 1:
            raise Refused(400, f"Instance creation request version {version} is no longer supported")
        body["nics"] = [{k: v for k, v in nic.items() if v is not None} for nic in _tables(body.get("nics"))]
        body["disks"] = _tables(body.get("disks"))
        return self.submit(call, "OP_INSTANCE_CREATE", "instances", {"dry_run": call.flag("dry-run")},
                           {"name": "instance_name", "os": "os_type"}, body)

    def change_tags(self, call: Call) -> Any:
        tags = call.request.query.getall("tag", [])
        if not tags:
            raise Refused(400, "Please specify tag(s) to modify using the 'tag' parameter")
        kind, name = _tagged(call)
        op_id = "OP_TAGS_SET" if call.request.method == "PUT" else "OP_TAGS_DEL"
        resource = "tags" if kind == "cluster" else f"{kind}s_name_tags"
        fixed = {"kind": kind, "name": name or None, "tags": tags, "dry_run": call.flag("dry-run")}
        return self.submit(call, op_id, resource, fixed, body={})


def _tables(value: object) -> list[dict[str, Any]]:
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise Refused(400, "Invalid body parameters: ('nics and disks are lists of objects', 'wrong_input')")
    return value


def _only_names(qfilter: object) -> list[str]:
    if isinstance(qfilter, list) and len(qfilter) == 3 and qfilter[0] in {"=", "=="} and qfilter[1] == "name":
        return [qfilter[2]]
    if isinstance(qfilter, list) and qfilter[:1] == ["|"]:
        inner = [_only_names(item) for item in qfilter[1:]]
        return [name for names in inner for name in names] if all(inner) else []
    return []


def _tagged(call: Call) -> tuple[str, str]:
    kind = {"instances": "instance", "networks": "network"}.get(call.parts[0] if call.parts else "", "cluster")
    return kind, call.parts[1] if kind != "cluster" else ""


def _fields(names: tuple[str, ...], read: Callable[[str], Any]) -> dict[str, Any]:
    return {name: queries.value_of(read, name) for name in names}


async def _body(request: web.Request) -> Any:
    raw = await request.read()
    if not raw:
        return None
    if request.content_type != "application/json":
        raise Refused(415, "Unsupported Media Type")
    try:
        return json.loads(raw)
    except ValueError:
        raise Refused(400, "Unable to parse JSON data") from None


def _response(status: int, answer: Any) -> web.Response:
    text = json.dumps(answer) + "\n"
    return web.Response(status=status, text=text, content_type="application/json", headers={"Connection": "close"})


def _error(status: int, message: str) -> web.Response:
    default, explain = EXPLANATIONS.get(status, ("Error", ""))
    response = _response(status, {"code": status, "message": html.escape(message or default), "explain": explain})
    if status == 401:
        response.headers["WWW-Authenticate"] = 'Basic realm="Ganeti Remote API"'
    return response


def _cut(request: web.Request) -> None:
    """Close the connection without an answer."""
    if request.transport is not None:
        request.transport.abort()
    raise ConnectionResetError("cut off by order of the test")


def _instance_job(op_id: str, resource: str, **more: Any) -> type_answer:
    def answer(api: Api, call: Call) -> Any:
        fixed = {"instance_name": call.parts[0], **more}
        if op_id not in {"OP_INSTANCE_SET_PARAMS", "OP_INSTANCE_RENAME", "OP_INSTANCE_GROW_DISK"}:
            fixed["dry_run"] = call.flag("dry-run")
        if op_id == "OP_INSTANCE_GROW_DISK":
            fixed["disk"] = int(call.parts[1])
        if op_id == "OP_INSTANCE_REBOOT":
            fixed["reboot_type"] = call.request.query.get("type", "hard")
        return api.submit(call, op_id, resource, fixed)

    return answer


def _network_job(op_id: str, resource: str) -> type_answer:
    def answer(api: Api, call: Call) -> Any:
        fixed: dict[str, Any] = {"network_name": call.parts[0]} if call.parts else {}
        if op_id != "OP_NETWORK_SET_PARAMS":
            fixed["dry_run"] = call.flag("dry-run")
        return api.submit(call, op_id, resource, fixed)

    return answer


_N = r"([\w._-]+)"
_INSTANCE = f"/2/instances/{_N}"
_NETWORK = f"/2/networks/{_N}"
_TAGS: dict[str, type_answer] = {"GET": Api.tags, "PUT": Api.change_tags, "DELETE": Api.change_tags}
_TABLE: dict[str, dict[str, type_answer]] = {
    "/version": {"GET": lambda api, call: 2},
    "/2/info": {"GET": Api.info},
    "/2/features": {"GET": lambda api, call: FEATURES},
    "/2/os": {"GET": Api.os_names},
    "/2/groups": {"GET": Api.groups},
    "/2/nodes": {"GET": Api.nodes},
    "/2/jobs": {"GET": Api.jobs},
    r"/2/jobs/(\d+)": {"GET": Api.job, "DELETE": Api.cancel},
    r"/2/jobs/(\d+)/wait": {"GET": Api.wait},
    r"/2/query/(\w+)": {"PUT": Api.query},
    "/2/tags": _TAGS,
    f"/2/(instances)/{_N}/tags": _TAGS,
    f"/2/(networks)/{_N}/tags": _TAGS,
    "/2/instances": {"GET": Api.instances, "POST": Api.create},
    _INSTANCE: {"GET": Api.instance, "DELETE": _instance_job("OP_INSTANCE_REMOVE", "instances_name", ignore_failures=False)},
    f"{_INSTANCE}/startup": {"PUT": _instance_job("OP_INSTANCE_STARTUP", "instances_name_startup")},
    f"{_INSTANCE}/shutdown": {"PUT": _instance_job("OP_INSTANCE_SHUTDOWN", "instances_name_shutdown")},
    f"{_INSTANCE}/reboot": {"POST": _instance_job("OP_INSTANCE_REBOOT", "instances_name_reboot")},
    f"{_INSTANCE}/modify": {"PUT": _instance_job("OP_INSTANCE_SET_PARAMS", "instances_name_modify")},
    f"{_INSTANCE}/rename": {"PUT": _instance_job("OP_INSTANCE_RENAME", "instances_name_rename")},
    rf"{_INSTANCE}/disk/(\d+)/grow": {"POST": _instance_job("OP_INSTANCE_GROW_DISK", "instances_name_disk_grow")},
    "/2/networks": {"GET": Api.networks, "POST": _network_job("OP_NETWORK_ADD", "networks")},
    _NETWORK: {"GET": Api.network, "DELETE": _network_job("OP_NETWORK_REMOVE", "networks_name")},
    f"{_NETWORK}/connect": {"PUT": _network_job("OP_NETWORK_CONNECT", "networks_name_connect")},
    f"{_NETWORK}/disconnect": {"PUT": _network_job("OP_NETWORK_DISCONNECT", "networks_name_disconnect")},
    f"{_NETWORK}/modify": {"PUT": _network_job("OP_NETWORK_SET_PARAMS", "networks_name_modify")},
}
ROUTES = [(re.compile(path), methods) for path, methods in _TABLE.items()]
