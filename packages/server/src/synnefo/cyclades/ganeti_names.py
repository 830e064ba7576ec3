"""Names of our objects in Ganeti: `snf-12`, `snf-net-3`, `snf-nic-45`. The prefix marks what is ours."""

from __future__ import annotations

from synnefo.common.settings import conf


def instance_name(server_id: int) -> str:
    return f"{conf.BACKEND_PREFIX_ID}{server_id}"


def volume_name(volume_id: int) -> str:
    return f"{conf.BACKEND_PREFIX_ID}vol-{volume_id}"


def server_id_of(name: str) -> int | None:
    """None for a name that is not exactly one of ours."""
    return _number_after(name, conf.BACKEND_PREFIX_ID)


def volume_id_of(name: str) -> int | None:
    return _number_after(name, f"{conf.BACKEND_PREFIX_ID}vol-")


def network_name(network_id: int) -> str:
    return f"{conf.BACKEND_PREFIX_ID}net-{network_id}"


def nic_name(port_id: int) -> str:
    return f"{conf.BACKEND_PREFIX_ID}nic-{port_id}"


def network_id_of(name: str) -> int | None:
    """None for a name that is not exactly one of ours."""
    return _number_after(name, f"{conf.BACKEND_PREFIX_ID}net-")


def port_id_of(name: str) -> int | None:
    return _number_after(name, f"{conf.BACKEND_PREFIX_ID}nic-")


def _number_after(name: str, prefix: str) -> int | None:
    number = name.removeprefix(prefix)
    canonical = number.isascii() and number.isdigit() and len(number) <= 18 and not number.startswith("0")
    ours = name.startswith(prefix) and canonical
    return int(number) if ours else None
