"""What several commands on servers and backends print and parse."""

from __future__ import annotations

from pathlib import Path

from synnefo.common.errors import InvalidInput

MAX_PEM = 64 * 1024


def trust(text: str) -> str:
    """The value of `--rapi-ca`: a SHA-256 fingerprint as it is, or the PEM text in the file that is named. Raises `InvalidInput`."""
    digits = text.replace(":", "")
    if len(digits) == 64 and all(digit in "0123456789abcdefABCDEF" for digit in digits):
        return text
    path = Path(text)
    if not path.is_file():
        raise InvalidInput(f"{text!r} is neither a SHA-256 fingerprint (64 hexadecimal digits) nor a file.", field="rapi-ca")
    if path.stat().st_size > MAX_PEM:
        raise InvalidInput(f"{text} is too large for a certificate.", field="rapi-ca")
    found = path.read_text("utf-8", errors="replace")
    if "BEGIN CERTIFICATE" not in found:
        raise InvalidInput(f"{text} holds no PEM certificate.", field="rapi-ca")
    return found
