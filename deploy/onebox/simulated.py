"""The simulated cluster as a one-box back end: the same facts that `cluster.up` gives for a real one."""

from __future__ import annotations

from typing import Any

from onebox.state import State

RAPI_PORT = 5080


def describe(state: State) -> dict[str, Any]:
    """Facts of the cluster that the supervisor starts. Its certificate is made at its first start."""
    return {}
