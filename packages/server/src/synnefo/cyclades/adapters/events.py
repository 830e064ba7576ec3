"""Which transport carries the events here."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from synnefo.common.errors import BrokenInvariant
from synnefo.common.settings import conf
from synnefo.cyclades.ports import EventBus


def configured_bus() -> EventBus:
    """The bus of EVENTS_URL, or of AMQP_HOSTS when that is set. Raises `BrokenInvariant` for unknown addresses."""
    urls = list(conf.AMQP_HOSTS or conf.EVENTS_URL)
    schemes = {urlsplit(url).scheme for url in urls}
    if schemes == {"spool"} and len(urls) == 1:
        from synnefo.cyclades.adapters.events_spool import SpoolBus

        return SpoolBus(Path(urlsplit(urls[0]).path))
    if schemes and schemes <= {"amqp", "amqps"}:
        from synnefo.cyclades.adapters.events_amqp import AmqpBus

        return AmqpBus(urls)
    raise BrokenInvariant("The events cannot be read.",
                          reason="EVENTS_URL must be one spool:///directory or a list of amqp:// addresses")
