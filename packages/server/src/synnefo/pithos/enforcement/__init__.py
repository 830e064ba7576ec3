"""Bringing stored bytes back below limits: what to do (`plan`, no database), what there is (`inventory`), doing it (`execution`)."""
