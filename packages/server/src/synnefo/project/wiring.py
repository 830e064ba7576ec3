"""Plugs the services together: direct adapters for those in this process, HTTP clients for those elsewhere."""

from __future__ import annotations


def connect() -> None:
    """Provide every port that the enabled services ask for."""
