"""Public SSH keys that users keep to put them into new servers."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Sequence

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_ssh_public_key,
)
from django.db import IntegrityError

from synnefo.common.db import transactional
from synnefo.common.errors import AlreadyExists, InvalidInput, NotFound, QuotaExceeded
from synnefo.common.ids import UserID
from synnefo.common.settings import conf
from synnefo.cyclades.models import KeyPair

SMALLEST_RSA = 2048


def fingerprint_of(content: str) -> str:
    """MD5 of the key's blob, in pairs, as OpenStack shows it. Raises `InvalidInput` for what is no usable public key."""
    parts = content.split()
    if len(content.strip().splitlines()) != 1:
        raise InvalidInput("A public key is one line.", field="public_key")
    try:
        key = load_ssh_public_key(content.strip().encode())
        blob = base64.b64decode(parts[1], validate=True)
    except (ValueError, IndexError, binascii.Error, UnsupportedAlgorithm, UnicodeEncodeError) as error:
        raise InvalidInput("This is no SSH public key.", field="public_key") from error
    if parts[0] == "ssh-dss" or (isinstance(key, RSAPublicKey) and key.key_size < SMALLEST_RSA):
        raise InvalidInput(f"Use ed25519, ecdsa, or RSA with at least {SMALLEST_RSA} bits.", field="public_key")
    digest = hashlib.md5(blob, usedforsecurity=False).hexdigest()
    return ":".join(digest[i : i + 2] for i in range(0, 32, 2))


def parse_name(name: str) -> str:
    if not 0 < len(name) <= 255 or not name.strip() or not name.isprintable():
        raise InvalidInput("A key name has 1 to 255 printable characters.", field="name")
    return name


def create_keypair(user_id: UserID, name: str, public_key: str | None) -> tuple[KeyPair, str | None]:
    """Store a key, or make a pair; returns it with the private key if one was made. Raises `InvalidInput`, `AlreadyExists`, `QuotaExceeded`."""
    parse_name(name)
    private = None
    if public_key is None:
        pair = Ed25519PrivateKey.generate()
        public_key = pair.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
        private = pair.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()
    if len(public_key) > conf.USERDATA_SSH_KEY_MAX_CONTENT_LENGTH:
        raise InvalidInput("The key is too long.", field="public_key")
    made = KeyPair(user_id=user_id, name=name, content=public_key.strip(), fingerprint=fingerprint_of(public_key))
    try:
        _insert(made)
    except IntegrityError as error:
        raise AlreadyExists(f"You have a key named {name} already.") from error
    return made, private


@transactional()
def _insert(made: KeyPair) -> None:
    if KeyPair.objects.filter(user_id=made.user_id).count() >= conf.USERDATA_MAX_SSH_KEYS_PER_USER:
        raise QuotaExceeded(f"Quota exceeded: at most {conf.USERDATA_MAX_SSH_KEYS_PER_USER} SSH keys.")
    made.pk = None
    made.save(force_insert=True)


def get_keypair(user_id: UserID, name: str) -> KeyPair:
    """Raises `NotFound`."""
    found = KeyPair.objects.filter(user_id=user_id, name=name).first()
    if found is None:
        raise NotFound("Key pair not found.")
    return found


def contents_of(user_id: UserID, names: Sequence[str]) -> str:
    """The keys of these names as lines of an authorized_keys file. Raises `NotFound`."""
    return "".join(get_keypair(user_id, name).content + "\n" for name in dict.fromkeys(names))
