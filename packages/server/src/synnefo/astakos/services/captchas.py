"""A task that costs robots more than people: our own (a sum to be found, no third party), or that of a service.

Our own: the browser looks for a number that, written behind the signed challenge, has a SHA-256 beginning with `BITS` zero
bits. Each challenge works once, for ten minutes.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass

import structlog
from django.core import signing
from django.core.cache import cache

from synnefo.astakos.handshakes import http
from synnefo.common.errors import DependencyUnavailable, InvalidInput
from synnefo.common.settings import conf

log = structlog.get_logger(__name__)
BUILTIN = "builtin"
BITS = 13
LIFE_S = 600
MAX_ANSWER = 8000
_SALT = "astakos.captcha"


@dataclass(frozen=True, slots=True)
class Service:
    """Where its script is, where answers are checked, and what its script and form field are called."""

    script: str
    check: str
    css_class: str
    field: str

    @property
    def origin(self) -> str:
        return "/".join(self.script.split("/")[:3])


SERVICES = {
    "recaptcha": Service("https://www.google.com/recaptcha/api.js", "https://www.google.com/recaptcha/api/siteverify", "g-recaptcha", "g-recaptcha-response"),
    "hcaptcha": Service("https://js.hcaptcha.com/1/api.js", "https://api.hcaptcha.com/siteverify", "h-captcha", "h-captcha-response"),
    "turnstile": Service("https://challenges.cloudflare.com/turnstile/v0/api.js", "https://challenges.cloudflare.com/turnstile/v0/siteverify",
                         "cf-turnstile", "cf-turnstile-response"),
}
FRAMES = {"recaptcha": ["https://www.google.com", "https://www.gstatic.com"], "hcaptcha": ["https://hcaptcha.com", "https://*.hcaptcha.com"],
          "turnstile": ["https://challenges.cloudflare.com"]}
"""Sites that the service's script loads from and shows frames of."""


def provider() -> str:
    """Whose task is set; empty for none. The older settings mean reCAPTCHA."""
    return str(conf.ASTAKOS_CAPTCHA_PROVIDER) or ("recaptcha" if conf.ASTAKOS_RECAPTCHA_ENABLED else "")


def challenge() -> str:
    """A new one of our own."""
    return signing.dumps(secrets.token_hex(8), salt=_SALT)


def field() -> str:
    """The form field with the answer."""
    return SERVICES[provider()].field if provider() in SERVICES else "captcha"


def check(answer: str, *, client_ip: str | None) -> None:
    """Raises `InvalidInput` for a missing or wrong answer, `DependencyUnavailable` when the service cannot be asked."""
    name = provider()
    is_right = bool(answer) and len(answer) <= MAX_ANSWER and (
        _is_right(answer) if name == BUILTIN else _is_confirmed(SERVICES[name], answer, client_ip))
    if not is_right:
        raise InvalidInput("Show that you are no robot: wait for the check below, and send again.", field="captcha")


def _is_right(answer: str) -> bool:
    text, _, number = answer.rpartition("~")
    try:
        salt = signing.loads(text, salt=_SALT, max_age=LIFE_S)
    except signing.BadSignature:
        return False
    digest = hashlib.sha256(f"{text}~{number}".encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest) >> (256 - BITS) == 0 and cache.add(f"astakos-captcha-{salt}", 1, LIFE_S)


def _is_confirmed(service: Service, answer: str, client_ip: str | None) -> bool:
    values = {"secret": conf.ASTAKOS_RECAPTCHA_PRIVATE_KEY, "response": answer} | ({"remoteip": client_ip} if client_ip else {})
    try:
        found = http.call("POST", service.check, data=values)
    except (http.Refused, DependencyUnavailable) as error:
        log.warning("captcha.unavailable", reason=str(error)[:200])
        raise DependencyUnavailable("The check for robots does not answer. Try again later.") from error
    return isinstance(found, dict) and found.get("success") is True
