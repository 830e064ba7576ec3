"""Certificate and logins of the simulated remote API, in the forms Ganeti uses."""

from __future__ import annotations

import datetime
import os
import secrets
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

USER = "synnefo"
VALID_DAYS = 3650


def prepare(directory: Path) -> dict[str, Any]:
    """Make what is missing; return {"user", "password", "fingerprint"} (SHA-256 of the certificate, hex)."""
    rapi = directory / "rapi"
    rapi.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not (rapi / "users").exists():
        _write_private(rapi / "users", f"{USER} {secrets.token_urlsafe(24)} write\n".encode())
    if not (rapi / "server.pem").exists():
        _write_private(rapi / "server.pem", _self_signed())
    certificate = x509.load_pem_x509_certificate((rapi / "server.pem").read_bytes())
    return {"user": USER, "password": users(directory)[USER][0], "fingerprint": certificate.fingerprint(hashes.SHA256()).hex()}


def users(directory: Path) -> dict[str, tuple[str, str]]:
    """{name: (password, "write" or "")} from lines of `name password [write]`."""
    lines = (directory / "rapi" / "users").read_text("utf-8").splitlines()
    parts = [line.split() for line in lines if line.strip() and not line.startswith("#")]
    return {part[0]: (part[1], part[2] if len(part) > 2 else "") for part in parts if len(part) > 1}


def _write_private(path: Path, content: bytes) -> None:
    temporary = path.with_suffix(".tmp")
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)
    temporary.rename(path)


def _self_signed() -> bytes:
    """Like Ganeti's own: self-signed, without any name of the host."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "ganeti.example.com")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=VALID_DAYS)).sign(key, hashes.SHA256())
    )
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return private + certificate.public_bytes(serialization.Encoding.PEM)
