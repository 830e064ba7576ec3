"""Tags that users put on networks, subnets, ports and floating IPs."""

from __future__ import annotations

from collections.abc import Callable

from synnefo.common.db import transactional
from synnefo.common.errors import Forbidden, NotFound
from synnefo.common.ports import Caller
from synnefo.cyclades.models.networks import Described, IPAddress, Network, Port, Subnet

type_tagged = Network | Subnet | Port | IPAddress


@transactional()
def change_tags(caller: Caller, row: type_tagged, change: Callable[[list[str]], list[str]]) -> list[str]:
    """Replace an object's tags by what `change` makes of them. Raises `Forbidden` for public and foreign objects."""
    if row.user_id != caller.user_id or getattr(row, "public", False):
        raise Forbidden("Only the owner may change the tags of an object.")
    locked = _locked(row)
    locked.tags = change(list(locked.tags))
    locked.store("tags")
    return list(locked.tags)


def _locked(row: type_tagged) -> Described:
    found: Described | None = type(row)._default_manager.select_for_update(of=("self",)).filter(pk=row.pk).first()
    if found is None:
        raise NotFound("The object is gone.")
    return found
