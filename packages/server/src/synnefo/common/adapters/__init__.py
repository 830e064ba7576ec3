"""Implementations of the common ports for services on other hosts."""
