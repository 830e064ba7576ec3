"""A stand-in for sign-in providers that cannot be run here, and for ones that lie: it answers what a test tells it to."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from jwt.algorithms import RSAAlgorithm


def new_key() -> str:
    """A PEM key for signatures."""
    return rsa.generate_private_key(65537, 2048).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


@dataclass
class StandIn:
    """Answers by path; `requests` are the (path, form, headers) that came."""

    issuer: str
    key: str = field(default_factory=new_key)
    answers: dict[str, tuple[int, Any]] = field(default_factory=dict)
    requests: list[tuple[str, dict[str, str], dict[str, str]]] = field(default_factory=list)

    def describe(self, **changes: Any) -> None:
        """The description of an OpenID Connect provider, and its key."""
        document: dict[str, Any] = {
            "issuer": self.issuer, "authorization_endpoint": f"{self.issuer}/authorize", "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys", "id_token_signing_alg_values_supported": ["RS256"],
            "token_endpoint_auth_methods_supported": ["client_secret_post"]}
        found = {name: value for name, value in {**document, **changes}.items() if value is not None}
        self.answers["/.well-known/openid-configuration"] = 200, found
        self.answers["/keys"] = 200, {"keys": [self.public(self.key, "one")]}

    @staticmethod
    def public(key: str, kid: str) -> dict[str, Any]:
        public = RSAAlgorithm(RSAAlgorithm.SHA256).prepare_key(key).public_key()  # type: ignore[union-attr]
        return {**RSAAlgorithm.to_jwk(public, as_dict=True), "kid": kid, "use": "sig", "alg": "RS256"}

    def tell(self, nonce: str | None, *, key: str | None = None, algorithm: str = "RS256", kid: str = "one", **changes: Any) -> None:
        """The ID token that the next code is worth."""
        now = int(time.time())
        claims: dict[str, Any] = {"iss": self.issuer, "aud": "cloud-1", "sub": "4711", "iat": now, "exp": now + 300, "nonce": nonce,
                                  "email": "ann@example.org", "email_verified": True, "given_name": "Ann", "family_name": "Lee"}
        kept = {name: value for name, value in {**claims, **changes}.items() if value is not None}
        token = jwt.encode(kept, key or self.key, algorithm, headers={"kid": kid})
        self.answers["/token"] = 200, {"access_token": "access", "token_type": "Bearer", "id_token": token}

    def forms(self, path: str) -> list[dict[str, str]]:
        return [form for asked, form, _ in self.requests if asked == path]


@contextlib.contextmanager
def stand_in() -> Iterator[StandIn]:
    """A stand-in that answers on loopback."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer({})

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0"))).decode()
            self._answer({name: values[0] for name, values in parse_qs(body).items()})

        def _answer(self, form: dict[str, str]) -> None:
            path = self.path.partition("?")[0]
            found.requests.append((path, form, dict(self.headers)))
            status, body = found.answers.get(path, (404, {}))
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: Any) -> None:
            """The test looks at `requests`."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found = StandIn(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        thread.join(10)
        server.server_close()
