"""Signatures of requests by EC2-style keys: what a component saw of a request, signed again with the secret."""

from __future__ import annotations

import base64
import binascii
import datetime
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote

from synnefo.common.errors import InvalidInput

V4 = "AWS4-HMAC-SHA256"


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """A request as the component received it. `headers` are looked at by lower-case names."""

    verb: str
    host: str
    path: str
    params: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body_hash: str = ""


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode("utf-8", "surrogatepass"), hashlib.sha256).digest()


def signing_key(secret: str, date: str, region: str, service: str) -> bytes:
    """The key of version 4 for a day, a region and a service; nobody can get back to the secret from it."""
    key = f"AWS4{secret}".encode()
    for part in (date, region, service, "aws4_request"):
        key = _hmac(key, part)
    return key


def is_right_text(secret: str, text: str, signature: str) -> bool:
    """Whether a string to sign, as the S3 API makes it, has this signature. Raises `InvalidInput` for a malformed one."""
    if text.startswith(V4):
        parts = text.split("\n")
        if len(parts) != 4:
            raise InvalidInput("The string to sign is malformed.")
        scope = _scope(parts[2])
        expected = _hmac(signing_key(secret, *scope), text).hex()
    else:
        digest = hmac.new(secret.encode(), text.encode("utf-8", "surrogatepass"), hashlib.sha1).digest()
        expected = base64.b64encode(digest).decode()
    return hmac.compare_digest(expected.encode(), signature.encode("utf-8", "surrogatepass"))


def decoded(text: str) -> str:
    """The string to sign from its base64 form. Raises `InvalidInput`."""
    try:
        return base64.b64decode(text.replace("-", "+").replace("_", "/"), validate=True).decode()
    except (binascii.Error, ValueError):
        raise InvalidInput("The string to sign is not base64 of text.") from None


def _scope(text: str) -> tuple[str, str, str]:
    parts = text.split("/")
    if len(parts) != 4 or parts[3] != "aws4_request":
        raise InvalidInput("The scope of the signature is malformed.")
    return parts[0], parts[1], parts[2]


def time_of(request: SignedRequest) -> datetime.datetime | None:
    """When a request says that it was signed, if it does. Raises `InvalidInput`."""
    headers = {name.lower().strip(): value.strip() for name, value in request.headers.items()}
    text = headers.get("x-amz-date") or request.params.get("X-Amz-Date") or request.params.get("Timestamp")
    if text is None:
        return None
    try:
        return datetime.datetime.fromisoformat(text).replace(tzinfo=datetime.UTC)
    except ValueError:
        raise InvalidInput("The time of the signature is malformed.") from None


def is_right_request(secret: str, request: SignedRequest, signature: str) -> bool:
    """Whether a request has this signature, of version 2 or 4. Raises `InvalidInput` for other versions."""
    headers = {name.lower().strip(): value.strip() for name, value in request.headers.items()}
    if headers.get("authorization", "").startswith(V4) or request.params.get("X-Amz-Algorithm") == V4:
        expected = _version_4(secret, request, headers)
    elif request.params.get("SignatureVersion") == "2":
        expected = _version_2(secret, request)
    else:
        raise InvalidInput("Only signatures of version 2 and 4 are known.")
    return hmac.compare_digest(expected.encode(), signature.encode("utf-8", "surrogatepass"))


def _version_2(secret: str, request: SignedRequest) -> str:
    method = request.params.get("SignatureMethod", "HmacSHA256")
    algorithms = {"HmacSHA256": hashlib.sha256, "HmacSHA1": hashlib.sha1}
    if method not in algorithms:
        raise InvalidInput("SignatureMethod is not one of HmacSHA256 and HmacSHA1.")
    query = _query({name: value for name, value in request.params.items() if name != "Signature"})
    text = f"{request.verb}\n{request.host}\n{request.path}\n{query}"
    return base64.b64encode(hmac.new(secret.encode(), text.encode("utf-8", "surrogatepass"), algorithms[method]).digest()).decode()


def _version_4(secret: str, request: SignedRequest, headers: Mapping[str, str]) -> str:
    signed, credential = _stated(request, headers, "SignedHeaders"), _stated(request, headers, "Credential")
    scope = _scope(credential.partition("/")[2])
    moment = headers.get("x-amz-date") or request.params.get("X-Amz-Date", "")
    if not moment.startswith(scope[0]):
        raise InvalidInput("The date of the request is not that of its signature.")
    lines = "".join(f"{name}:{headers[name]}\n" for name in signed.split(";") if name in headers)
    query = "" if request.verb.upper() == "POST" else _query(
        {name: value for name, value in request.params.items() if name != "X-Amz-Signature"})
    canonical = f"{request.verb.upper()}\n{request.path}\n{query}\n{lines}\n{signed}\n{request.body_hash}"
    digest = hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()
    text = "\n".join((V4, moment, credential.partition("/")[2], digest))
    return _hmac(signing_key(secret, *scope), text).hex()


def _stated(request: SignedRequest, headers: Mapping[str, str], name: str) -> str:
    """A part of the Authorization header, or of the query in its place."""
    header = headers.get("authorization", "")
    value = header.partition(f"{name}=")[2].split(",")[0].strip() if header else request.params.get(f"X-Amz-{name}", "")
    if not value:
        raise InvalidInput(f"The signature does not state its {name}.")
    return value


def _query(params: Mapping[str, str]) -> str:
    return "&".join(f"{quote(name, safe='-_.~')}={quote(params[name], safe='-_.~')}" for name in sorted(params))
