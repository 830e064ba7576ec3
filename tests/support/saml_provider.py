"""A real SAML identity provider for tests: pysaml2 in a process of its own, on loopback, with a password form.

Run as a program it serves; `saml_provider` starts it and `answer_of` is the person who signs in there.
"""

from __future__ import annotations

import contextlib
import html
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlparse

if __name__ != "__main__":
    import httpx

    from tests.support.directory_server import free_port
    from tests.support.sign_in import form_fields

START_S = 30.0
REDIRECT, POST = (f"urn:oasis:names:tc:SAML:2.0:bindings:HTTP-{kind}" for kind in ("Redirect", "POST"))
OTHER_SERVICE = "https://other.example/sp"
PERSISTENT = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"


@dataclass(frozen=True)
class Person:
    """Somebody at the provider: `name_id` is what it calls him to others."""

    name: str
    password: str
    name_id: str
    attributes: dict[str, list[str]]


@dataclass(frozen=True)
class SamlProvider:
    entity: str
    metadata: str
    """A file."""
    url: str


def answer_of(address: str, person: Person, **lies: str) -> dict[str, str]:
    """Sign in at the provider; returns the form that its page posts to us. `lies` name what it does wrong."""
    with httpx.Client(timeout=20) as browser:
        page = browser.get(address)
        assert page.status_code == 200, page.text
        fields = form_fields(page.text) | {"username": person.name, "password": person.password, **lies}
        answer = browser.post(address.partition("?")[0], data=fields)
        assert answer.status_code == 200, answer.text
        return {name: value for name, value in form_fields(answer.text).items() if name in {"SAMLResponse", "RelayState"}}


@contextlib.contextmanager
def saml_provider(our_metadata: str, *people: Person) -> Iterator[SamlProvider]:
    """A running provider that trusts the service of this metadata document."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with tempfile.TemporaryDirectory(prefix="snf-saml-") as name:
        place = Path(name)
        for pair in ("idp", "wrong"):
            subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=idp", "-keyout",
                            str(place / f"{pair}.key"), "-out", str(place / f"{pair}.pem")], check=True, capture_output=True)
        (place / "sp.xml").write_text(our_metadata)
        (place / "other.xml").write_text(re.sub(r'entityID="[^"]*"', f'entityID="{OTHER_SERVICE}"', our_metadata))
        log = (place / "log").open("wb")
        clean = {key: value for key, value in os.environ.items() if key not in {"DJANGO_SETTINGS_MODULE", "PYTHONPATH"}}
        process = subprocess.Popen([sys.executable, __file__], stdin=subprocess.PIPE, stdout=log, stderr=log, env=clean)
        log.close()
        assert process.stdin is not None
        process.stdin.write(json.dumps({"port": port, "url": url, "place": name, "people": [vars(person) for person in people]}).encode())
        process.stdin.close()
        try:
            (place / "idp.xml").write_bytes(_metadata(process, url, place / "log"))
            yield SamlProvider(f"{url}/metadata", str(place / "idp.xml"), url)
        finally:
            process.terminate()
            process.wait(20)


def _metadata(process: subprocess.Popen[bytes], url: str, log: Path) -> bytes:
    deadline = time.monotonic() + START_S
    while True:
        with contextlib.suppress(httpx.HTTPError):
            return httpx.get(f"{url}/metadata", timeout=5).raise_for_status().content
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError("the SAML provider did not start: " + log.read_text("utf-8", "replace")[-3000:])
        time.sleep(0.1)


# The program


def _server(order: dict[str, Any], pair: str) -> Any:
    from saml2.config import IdPConfig
    from saml2.server import Server

    place = order["place"]
    return Server(config=IdPConfig().load({
        "entityid": f"{order['url']}/metadata", "xmlsec_binary": "/usr/bin/xmlsec1", "key_file": f"{place}/{pair}.key",
        "cert_file": f"{place}/{pair}.pem", "metadata": {"local": [f"{place}/sp.xml", f"{place}/other.xml"]},
        "service": {"idp": {"endpoints": {"single_sign_on_service": [(f"{order['url']}/sso", REDIRECT)]},
                            "policy": {"default": {"lifetime": {"minutes": 5}, "name_form": "urn:oasis:names:tc:SAML:2.0:attrname-format:uri"}},
                            "want_authn_requests_signed": False}}}))


def _serve() -> None:
    from saml2.metadata import entity_descriptor
    from saml2.saml import NameID

    order = json.loads(sys.stdin.buffer.read())
    servers = {pair: _server(order, pair) for pair in ("idp", "wrong")}
    people = {person["name"]: person for person in order["people"]}

    def respond(form: dict[str, str]) -> str:
        person = people.get(form["username"])
        if person is None or person["password"] != form["password"]:
            return "wrong password"
        server = servers["wrong" if "key" in form else "idp"]
        request = server.parse_authn_request(form["SAMLRequest"], REDIRECT).message
        unsigned = form.get("unsigned", "")
        answer = server.create_authn_response(
            person["attributes"], in_response_to=form.get("in_response_to", request.id), destination=request.assertion_consumer_service_url,
            sp_entity_id=form.get("audience", request.issuer.text), name_id=NameID(format=PERSISTENT, text=person["name_id"]),
            authn={"class_ref": "urn:oasis:names:tc:SAML:2.0:ac:classes:Password"}, sign_assertion="assertion" not in unsigned,
            sign_response="response" not in unsigned,
            sign_alg="http://www.w3.org/2000/09/xmldsig#rsa-sha1" if "weak" in form else "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
            digest_alg="http://www.w3.org/2001/04/xmlenc#sha256", **({"session_not_on_or_after": form["until"]} if "until" in form else {}))
        packed = server.apply_binding(POST, str(answer), request.assertion_consumer_service_url, form.get("RelayState", ""), response=True)
        return str(packed["data"])

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            query = {name: values[0] for name, values in parse_qs(urlparse(self.path).query).items()}
            if self.path == "/metadata":
                self._send(str(entity_descriptor(servers["idp"].config)))
                return
            hidden = "".join(f'<input name="{name}" value="{html.escape(value)}">' for name, value in query.items())
            self._send(f'<form method="post">{hidden}<input name="username"><input name="password"><button>Go</button></form>')

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            self._send(respond({name: values[0] for name, values in parse_qs(body).items()}))

        def _send(self, text: str) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "application/xml" if self.path == "/metadata" else "text/html")
            self.end_headers()
            self.wfile.write(text.encode())

    ThreadingHTTPServer(("127.0.0.1", order["port"]), Handler).serve_forever()


if __name__ == "__main__":
    _serve()
