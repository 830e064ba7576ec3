"""The jobs this cluster can do: each opcode's parameters with their kinds and defaults, as Ganeti 3.0.2 writes them."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, NamedTuple

type_input = dict[str, Any]


class Refused(Exception):
    """The request is answered with this HTTP status and message."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Parameter(NamedTuple):
    kind: type | tuple[type, ...]
    default: Any = None
    is_required: bool = False


def _default(kind: type | tuple[type, ...], value: Any) -> Parameter:
    return Parameter(kind, value)


TEXT = Parameter(str)
NAME = Parameter(str, is_required=True)
NO = _default(bool, False)
YES = _default(bool, True)
NUMBER = Parameter(int)
TABLE = Parameter(dict)
LIST = Parameter(list)
GRACE_S = _default(int, 120)

OPCODES: dict[str, dict[str, Parameter]] = {
    "OP_INSTANCE_CREATE": {
        "instance_name": NAME, "force_variant": NO, "wait_for_sync": YES, "name_check": NO, "ignore_ipolicy": NO,
        "opportunistic_locking": NO, "beparams": _default(dict, {}), "disks": Parameter(list, is_required=True),
        "disk_template": TEXT, "group_name": TEXT, "file_driver": TEXT, "file_storage_dir": TEXT,
        "hvparams": _default(dict, {}), "hypervisor": TEXT, "iallocator": TEXT, "identify_defaults": NO, "ip_check": NO,
        "conflicts_check": YES, "mode": NAME, "nics": Parameter(list, is_required=True), "no_install": Parameter(bool),
        "osparams": _default(dict, {}), "osparams_private": TABLE, "osparams_secret": TABLE, "os_type": TEXT,
        "pnode": TEXT, "pnode_uuid": TEXT, "snode": TEXT, "snode_uuid": TEXT, "source_handshake": LIST,
        "source_instance_name": TEXT, "source_shutdown_timeout": GRACE_S, "source_x509_ca": TEXT, "src_node": TEXT,
        "src_node_uuid": TEXT, "src_path": TEXT, "compress": _default(str, "none"), "start": YES, "forthcoming": NO,
        "commit": NO, "tags": _default(list, []), "instance_communication": NO,
        "helper_startup_timeout": NUMBER, "helper_shutdown_timeout": NUMBER,
    },
    "OP_INSTANCE_REMOVE": {
        "instance_name": NAME, "instance_uuid": TEXT, "shutdown_timeout": GRACE_S, "ignore_failures": NO,
    },
    "OP_INSTANCE_STARTUP": {
        "instance_name": NAME, "instance_uuid": TEXT, "force": NO, "ignore_offline_nodes": NO,
        "hvparams": _default(dict, {}), "beparams": _default(dict, {}), "no_remember": NO, "startup_paused": NO,
        "shutdown_timeout": GRACE_S,
    },
    "OP_INSTANCE_SHUTDOWN": {
        "instance_name": NAME, "instance_uuid": TEXT, "force": NO, "ignore_offline_nodes": NO, "timeout": GRACE_S,
        "no_remember": NO, "admin_state_source": TEXT,
    },
    "OP_INSTANCE_REBOOT": {
        "instance_name": NAME, "instance_uuid": TEXT, "shutdown_timeout": GRACE_S, "ignore_secondaries": NO,
        "reboot_type": _default(str, "hard"),
    },
    "OP_INSTANCE_SET_PARAMS": {
        "instance_name": NAME, "instance_uuid": TEXT, "force": NO, "force_variant": NO, "ignore_ipolicy": NO,
        "nics": _default(list, []), "disks": _default(list, []), "beparams": _default(dict, {}), "runtime_mem": NUMBER,
        "hvparams": _default(dict, {}), "disk_template": TEXT, "ext_params": _default(dict, {}), "file_driver": TEXT,
        "file_storage_dir": TEXT, "pnode": TEXT, "pnode_uuid": TEXT, "remote_node": TEXT, "remote_node_uuid": TEXT,
        "iallocator": TEXT, "os_name": TEXT, "osparams": _default(dict, {}), "osparams_private": TABLE,
        "wait_for_sync": YES, "offline": Parameter(bool), "conflicts_check": YES, "hotplug": NO,
        "hotplug_if_possible": NO, "instance_communication": Parameter(bool),
    },
    "OP_INSTANCE_GROW_DISK": {
        "instance_name": NAME, "instance_uuid": TEXT, "wait_for_sync": YES, "disk": Parameter(int, is_required=True),
        "amount": Parameter(int, is_required=True), "absolute": NO, "ignore_ipolicy": NO,
    },
    "OP_INSTANCE_RENAME": {
        "instance_name": NAME, "instance_uuid": TEXT, "new_name": NAME, "name_check": NO, "ip_check": NO,
    },
    "OP_TAGS_SET": {"kind": NAME, "tags": Parameter(list, is_required=True), "name": TEXT},
    "OP_TAGS_DEL": {"kind": NAME, "tags": Parameter(list, is_required=True), "name": TEXT},
    "OP_NETWORK_ADD": {
        "network_name": NAME, "network": NAME, "gateway": TEXT, "network6": TEXT, "gateway6": TEXT, "mac_prefix": TEXT,
        "add_reserved_ips": LIST, "conflicts_check": YES, "tags": _default(list, []),
    },
    "OP_NETWORK_REMOVE": {"network_name": NAME, "force": NO},
    "OP_NETWORK_SET_PARAMS": {
        "network_name": NAME, "gateway": TEXT, "network6": TEXT, "gateway6": TEXT, "mac_prefix": TEXT,
        "add_reserved_ips": LIST, "remove_reserved_ips": LIST,
    },
    "OP_NETWORK_CONNECT": {
        "group_name": NAME, "network_name": NAME, "network_mode": Parameter(str), "network_link": Parameter(str),
        "network_vlan": _default(str, ""), "conflicts_check": YES,
    },
    "OP_NETWORK_DISCONNECT": {"group_name": NAME, "network_name": NAME},
}
COMMON: dict[str, Parameter] = {
    "dry_run": Parameter(bool), "debug_level": _default(int, 0), "priority": _default(int, 0), "depends": LIST,
    "comment": TEXT, "reason": LIST,
}
SUMMARY_NAMES = ("instance_name", "network_name")


def build(op_id: str, body: Mapping[str, Any], fixed: Mapping[str, Any], renamed: Mapping[str, str]) -> type_input:
    """The opcode's whole input from a request. Raises `Refused` for unknown, repeated or ill-typed parameters."""
    given: type_input = {}
    for key, value in body.items():
        name = renamed.get(key, key)
        if name in fixed:
            raise Refused(400, f"Can't overwrite static parameters {{{name!r}}}")
        given[name] = value
    known = {**OPCODES[op_id], **COMMON}
    class_name = "Op" + op_id.removeprefix("OP_").title().replace("_", "")
    for name in given:
        if name not in known:
            raise Refused(400, f"Invalid body parameters: Object {class_name} doesn't support the parameter '{name}'")
    return {**_checked(op_id, {**given, **fixed}, known), "OP_ID": op_id}


def _checked(op_id: str, given: type_input, known: Mapping[str, Parameter]) -> type_input:
    result: type_input = {}
    for name, parameter in known.items():
        value = given.get(name)
        if value is None:
            if parameter.is_required:
                raise Refused(400, f"Invalid body parameters: (\"Parameter '{op_id}.{name}' fails validation\", 'wrong_input')")
            value = parameter.default
        elif not isinstance(value, parameter.kind) or (isinstance(value, bool) and parameter.kind is int):
            raise Refused(400, f"Invalid body parameters: (\"Parameter '{op_id}.{name}' fails validation\", 'wrong_input')")
        result[name] = value
    return result


def reason_trail(resource: str, text: str | None) -> list[list[Any]]:
    """As the remote API writes it: the user's reason, then its own entry."""
    trail: list[list[Any]] = [["gnt:user", text, time.time_ns()]] if text else []
    return [*trail, [f"gnt:library:rlib2:{resource}", "", time.time_ns()]]


def summary(given: Mapping[str, Any]) -> str:
    """E.g. INSTANCE_CREATE(snf-42)."""
    word = str(given["OP_ID"]).removeprefix("OP_")
    for key in SUMMARY_NAMES:
        if given.get(key) and word != "INSTANCE_RENAME":
            return f"{word}({given[key]})"
    return word


def as_listed(given: Mapping[str, Any]) -> type_input:
    """An opcode as job queries show it: parameters without a value are left out."""
    return {key: value for key, value in given.items() if value is not None or key in {"depends", "comment"}}


def without_secrets(given: Mapping[str, Any]) -> type_input:
    """What may be written to disk: names of secret and private parameters, not their values."""
    hidden = {key: dict.fromkeys(given[key]) for key in ("osparams_secret", "osparams_private") if given.get(key)}
    return {**given, **hidden}


