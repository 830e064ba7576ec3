"""Synnefo: identity, storage, compute and web services of an IaaS cloud on Google Ganeti."""

__version__ = "0.1.0"
