"""Configuration of everything that runs on a node: one JSON file, each value also by environment variable.

The default file is `/etc/synnefo/node.json`; `SYNNEFO_NODE_CONFIG` or `--config` name another. Keys keep the guides' setting names.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

DEFAULT_PATH = Path("/etc/synnefo/node.json")


class NodeConfig(BaseModel):
    """Unknown keys are refused, so that a misspelt one is noticed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    EVENTS_URL: list[str] = Field(["spool:///var/lib/synnefo/events"], description="Where events go: spool:///DIR or amqp://...")
    EXCHANGE_GANETI: str = "ganeti"
    BACKEND_PREFIX_ID: str = Field("snf-", description="What names of our Ganeti objects begin with")
    QUEUE_DIR: Path = Field(Path("/var/lib/ganeti/queue"), description="Ganeti's job queue")
    LUXI_SOCKET: Path = Field(Path("/run/ganeti/socket/ganeti-query"), description="Ganeti's local query socket")
    SSCONF_DIR: Path = Field(Path("/var/lib/ganeti"), description="Where ssconf_master_node and ssconf_cluster_name lie")
    NODE_NAME: str = Field("", description="This node's name; empty asks the system")
    STATE_DIR: Path = Field(Path("/var/lib/synnefo-node"), description="Cursor and spool of the event daemon")
    PITHOS_BLOCK_PATH: Path = Field(Path("/srv/pithos/data"), description="The block store, for images read by files")
    IMAGE_DIR: Path = Field(Path("/srv/images"), description="Images that local:// names")
    IMAGE_MAX_BYTES: int = Field(1 << 40, description="Largest image that is fetched")

    @property
    def key_prefix(self) -> str:
        """First part of the names, which stands in the routing keys."""
        return self.BACKEND_PREFIX_ID.split("-", 1)[0]


def load(path: Path | None = None) -> NodeConfig:
    """Read the file (none is no error) and the environment (`SYNNEFO_NODE_<KEY>`, JSON or text)."""
    path = path or Path(os.environ.get("SYNNEFO_NODE_CONFIG", DEFAULT_PATH))
    values = json.loads(path.read_text("utf-8")) if path.exists() else {}
    for name in NodeConfig.model_fields:
        text = os.environ.get(f"SYNNEFO_NODE_{name}")
        if text is not None:
            values[name] = json.loads(text) if text[:1] in "[{" else text
    return NodeConfig.model_validate(values)
