"""Comparing what should be with what is, and making them agree."""
