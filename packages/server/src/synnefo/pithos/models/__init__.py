"""Tables of pithos."""

from synnefo.pithos.models.objects import (
    Account,
    Attribute,
    BlockLease,
    BlockUse,
    Container,
    PendingSerial,
    Permission,
    StoredObject,
    Version,
)

__all__ = ["Account", "Attribute", "BlockLease", "BlockUse", "Container", "PendingSerial", "Permission", "StoredObject", "Version"]
