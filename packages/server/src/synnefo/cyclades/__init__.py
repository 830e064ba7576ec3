"""Cyclades: servers, networks, images and volumes on many Ganeti clusters."""
