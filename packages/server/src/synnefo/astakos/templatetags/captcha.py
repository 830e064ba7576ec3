"""The task for robots, for forms that set one."""

from __future__ import annotations

from typing import Any

from django import template

from synnefo.astakos.services import captchas
from synnefo.common.settings import conf

register = template.Library()


@register.simple_tag
def captcha_task() -> dict[str, Any] | None:
    """A new task of our own, or what the script of the service needs."""
    name = captchas.provider()
    if name == captchas.BUILTIN:
        return {"challenge": captchas.challenge(), "bits": captchas.BITS}
    if name in captchas.SERVICES:
        service = captchas.SERVICES[name]
        return {"css_class": service.css_class, "script": service.script, "key": conf.ASTAKOS_RECAPTCHA_PUBLIC_KEY}
    return None
