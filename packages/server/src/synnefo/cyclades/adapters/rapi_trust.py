"""Which certificate a Ganeti cluster may show.

Ganeti's own certificate is self-signed, carries no host name and cannot pass the usual checks. So the certificate
itself is pinned: by its fingerprint, or by its PEM text. The text of a certificate authority works as everywhere: the
chain and the host name are checked.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import socket
import ssl
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256

from synnefo.common.errors import InvalidInput

_FINGERPRINT = re.compile(r"[0-9a-f]{64}")


class _PinnedContext(ssl.SSLContext):
    """Checks the certificate right after the handshake, before a byte (or a password) is sent."""

    pins: frozenset[str] = frozenset()

    def wrap_socket(self, sock: socket.socket, *args: Any, **kwargs: Any) -> ssl.SSLSocket:
        wrapped = super().wrap_socket(sock, *args, **kwargs)
        shown = hashlib.sha256(wrapped.getpeercert(binary_form=True) or b"").hexdigest()
        if not any(hmac.compare_digest(shown, pin) for pin in self.pins):
            wrapped.close()
            raise ssl.SSLCertVerificationError(f"the certificate shown is {shown}, which is not the pinned one")
        return wrapped


def ssl_context(trust: str, *, insecure: bool = False) -> ssl.SSLContext:
    """`trust`: SHA-256 fingerprint (hex, colons allowed), PEM text, or "" for the system's authorities.

    Raises `InvalidInput` for text that is neither. `insecure` checks nothing (GANETI_RAPI_INSECURE).
    """
    if insecure:
        return _unchecked(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
    if not trust.strip():
        return ssl.create_default_context()
    if "-----BEGIN CERTIFICATE-----" in trust:
        return _of_pem(trust)
    return _pinned(frozenset({fingerprint(trust)}))


def fingerprint(text: str) -> str:
    """The canonical form: 64 lower-case hex digits. Raises `InvalidInput`."""
    canonical = text.strip().lower().removeprefix("sha256:").replace(":", "").replace(" ", "")
    if not _FINGERPRINT.fullmatch(canonical):
        raise InvalidInput("rapi_ca must be a SHA-256 fingerprint (64 hex digits) or a certificate in PEM form.",
                           field="rapi_ca")
    return canonical


def _of_pem(text: str) -> ssl.SSLContext:
    try:
        certificates = x509.load_pem_x509_certificates(text.encode())
    except ValueError as error:
        raise InvalidInput("rapi_ca is not a certificate in PEM form.", field="rapi_ca") from error
    if any(_is_authority(certificate) for certificate in certificates):
        return ssl.create_default_context(cadata=text)
    return _pinned(frozenset(certificate.fingerprint(SHA256()).hex() for certificate in certificates))


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        return bool(certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca)
    except x509.ExtensionNotFound:
        return False


def _pinned(pins: frozenset[str]) -> ssl.SSLContext:
    context = _PinnedContext(ssl.PROTOCOL_TLS_CLIENT)
    context.pins = pins
    return _unchecked(context)


def _unchecked(context: ssl.SSLContext) -> ssl.SSLContext:
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
