"""Pithos+: object storage whose objects are maps of content-addressed 4 MiB blocks, with versions and sharing."""
