"""Tables of pithos."""

from synnefo.pithos.models.objects import (
    Attribute,
    BlockLease,
    BlockUse,
    Container,
    PendingSerial,
    Permission,
    StoredObject,
    Version,
)

__all__ = ["Attribute", "BlockLease", "BlockUse", "Container", "PendingSerial", "Permission", "StoredObject", "Version"]
