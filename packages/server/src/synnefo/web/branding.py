"""Images of the operator's own."""

from __future__ import annotations

from urllib.parse import urlsplit

from synnefo.common.settings import conf

FILES = {"FAVICON": "favicon.ico", "DASHBOARD_LOGO": "dashboard_logo.png", "COMPUTE_LOGO": "compute_logo.png",
         "CONSOLE_LOGO": "console_logo.png", "STORAGE_LOGO": "storage_logo.png"}


def image(name: str) -> str:
    """The address of one of `FILES`: its own setting, or the file in BRANDING_IMAGE_MEDIA_URL; empty when it is ours."""
    base = str(conf.BRANDING_IMAGE_MEDIA_URL)
    return str(getattr(conf, f"BRANDING_{name}_URL")) or (f"{base.rstrip('/')}/{FILES[name]}" if base else "")


def origins() -> list[str]:
    """Other sites that these images come from."""
    parsed = [urlsplit(image(name)) for name in FILES]
    return sorted({f"{parts.scheme}://{parts.netloc}" for parts in parsed if parts.scheme in {"http", "https"} and parts.netloc})
