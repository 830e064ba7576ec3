"""The keys that sign ID tokens. Private halves are stored encrypted; public ones can be fetched by anybody."""

from __future__ import annotations

import datetime
import json
import secrets
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from django.utils import timezone
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from synnefo.astakos.models import SigningKey
from synnefo.astakos.services import audit
from synnefo.common.crypto import decrypt, encrypt
from synnefo.common.db import transactional
from synnefo.common.settings import conf


def published() -> list[dict[str, Any]]:
    """The public keys by which tokens that are still good can be verified, as JWKs. Makes the first key."""
    if not SigningKey.objects.filter(retired_at=None).exists():
        _make()
    return [key.public_jwk for key in SigningKey.objects.exclude(retired_at__lt=_overlap_start())]


def _overlap_start() -> datetime.datetime:
    return timezone.now() - datetime.timedelta(hours=conf.OAUTH2_KEY_OVERLAP_HOURS)


def sign(claims: dict[str, Any]) -> str:
    """A JWT of the claims, by the present key."""
    key = SigningKey.objects.filter(retired_at=None).first() or _make()
    return jwt.encode(claims, decrypt(key.private_encrypted), algorithm=key.algorithm, headers={"kid": key.kid})


def _make() -> SigningKey:
    """Two processes at once make two keys, which does no harm: both are published."""
    algorithm = conf.OAUTH2_ID_TOKEN_ALGORITHM
    private: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
    if algorithm == "ES256":
        private = ec.generate_private_key(ec.SECP256R1())
        public = json.loads(ECAlgorithm.to_jwk(private.public_key()))
    else:
        private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        public = json.loads(RSAAlgorithm.to_jwk(private.public_key()))
    kid = secrets.token_hex(8)
    pem = private.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    public |= {"kid": kid, "use": "sig", "alg": algorithm}
    return SigningKey.objects.create(kid=kid, algorithm=algorithm, private_encrypted=encrypt(pem.decode()), public_jwk=public)


@transactional()
def rotate() -> SigningKey:
    """Sign with a new key from now on. The old ones are published until what they signed has expired."""
    SigningKey.objects.filter(retired_at=None).update(retired_at=timezone.now())
    key = _make()
    audit.record("oauth2.keys.rotated", actor=audit.OPERATOR, target=key.kid, algorithm=key.algorithm)
    return key


def forget_old() -> int:
    """Delete keys that nothing needs any more; returns how many."""
    return SigningKey.objects.filter(retired_at__lt=_overlap_start()).delete()[0]
