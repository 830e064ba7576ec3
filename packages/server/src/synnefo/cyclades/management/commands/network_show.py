"""The name by which `network-inspect` is known too."""

from synnefo.cyclades.management.commands.network_inspect import Command

__all__ = ["Command"]
