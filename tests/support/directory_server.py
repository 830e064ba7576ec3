"""A private OpenLDAP for tests: its own schema with Active Directory's objectGUID, on loopback, plain with StartTLS and by TLS."""

from __future__ import annotations

import base64
import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SLAPD = "/usr/sbin/slapd"
BASE = "dc=example,dc=org"
ADMIN, ADMIN_PASSWORD = f"cn=admin,{BASE}", "directory admin"
SERVICE, SERVICE_PASSWORD = f"cn=cloud,{BASE}", "service entry"
START_S = 30.0

_CONFIG = """
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
attributetype ( 1.2.840.113556.1.4.2 NAME 'objectGUID' EQUALITY octetStringMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.40 SINGLE-VALUE )
objectclass ( 1.2.840.113556.1.5.9999 NAME 'guidObject' SUP top AUXILIARY MAY ( objectGUID ) )
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile {directory}/slapd.pid
TLSCertificateFile {directory}/server.pem
TLSCertificateKeyFile {directory}/server.key
allow bind_anon_cred
database mdb
suffix "{base}"
rootdn "{admin}"
rootpw "{admin_password}"
directory {directory}/data
access to attrs=userPassword by anonymous auth by * none
access to * by dn.exact="{service}" read by self read by anonymous auth by * none
"""


@dataclass(frozen=True)
class Directory:
    """`uri` is plain on loopback, `secure_uri` speaks TLS with a certificate by `ca_file`."""

    uri: str
    secure_uri: str
    ca_file: str

    def add(self, name: str, password: str, *, mail: str = "", first: str = "", last: str = "-", guid: uuid.UUID | None = None) -> None:
        """A person below ou=people; `name` may be any text."""
        lines = [f"dn:: {_b64(f'cn={_escaped(name)},ou=people,{BASE}')}", "objectClass: inetOrgPerson", "objectClass: guidObject",
                 f"cn:: {_b64(name)}", f"uid:: {_b64(name)}", f"sn:: {_b64(last)}", f"userPassword:: {_b64(password)}"]
        lines += [f"mail:: {_b64(mail)}"] if mail else []
        lines += [f"givenName:: {_b64(first)}"] if first else []
        lines += [f"objectGUID:: {base64.b64encode(guid.bytes_le).decode()}"] if guid else []
        self._ldapadd("\n".join(lines))

    def add_group(self, name: str, *members: str) -> None:
        lines = [f"dn: cn={name},ou=groups,{BASE}", "objectClass: groupOfNames", f"cn: {name}"]
        self._ldapadd("\n".join(lines + [f"member:: {_b64(f'cn={_escaped(member)},ou=people,{BASE}')}" for member in members]))

    def remove_group(self, name: str) -> None:
        subprocess.run(["ldapdelete", "-x", "-H", self.uri, "-D", ADMIN, "-w", ADMIN_PASSWORD, f"cn={name},ou=groups,{BASE}"],
                       check=True, capture_output=True)

    def _ldapadd(self, ldif: str) -> None:
        done = subprocess.run(["ldapadd", "-x", "-H", self.uri, "-D", ADMIN, "-w", ADMIN_PASSWORD], input=ldif + "\n", text=True,
                              capture_output=True, check=False)
        assert done.returncode == 0, done.stderr + ldif


def _b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _escaped(text: str) -> str:
    return "".join(f"\\{char}" if char in ',+"\\<>;=#' else char for char in text)


def is_installed() -> bool:
    return Path(SLAPD).exists() and shutil.which("ldapadd") is not None


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def directory_server() -> Iterator[Directory]:
    """A running directory with its service entry and two empty branches."""
    with tempfile.TemporaryDirectory(prefix="snf-ldap-") as name:
        place = Path(name)
        (place / "data").mkdir()
        _certificate(place)
        (place / "slapd.conf").write_text(_CONFIG.format(directory=place, base=BASE, admin=ADMIN, admin_password=ADMIN_PASSWORD, service=SERVICE))
        plain, secure = free_port(), free_port()
        log = (place / "log").open("wb")
        process = subprocess.Popen([SLAPD, "-d", "0", "-f", str(place / "slapd.conf"), "-h",
                                    f"ldap://127.0.0.1:{plain}/ ldaps://127.0.0.1:{secure}/"], stdout=log, stderr=log,
                                   env=os.environ | {"LDAPNOINIT": "1"})
        log.close()
        try:
            found = Directory(f"ldap://127.0.0.1:{plain}", f"ldaps://127.0.0.1:{secure}", str(place / "server.pem"))
            _wait(process, plain, place / "log")
            _populate(found)
            yield found
        finally:
            process.terminate()
            process.wait(20)


def _wait(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + START_S
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError("slapd did not start: " + log.read_text("utf-8", "replace")[-2000:])
        time.sleep(0.02)


def _populate(found: Directory) -> None:
    found._ldapadd("\n".join([
        f"dn: {BASE}", "objectClass: dcObject", "objectClass: organization", "o: Example", "dc: example", "",
        f"dn: ou=people,{BASE}", "objectClass: organizationalUnit", "ou: people", "",
        f"dn: ou=groups,{BASE}", "objectClass: organizationalUnit", "ou: groups", "",
        f"dn: {SERVICE}", "objectClass: person", "cn: cloud", "sn: -", f"userPassword: {SERVICE_PASSWORD}"]))


def _certificate(place: Path) -> None:
    """A certificate for 127.0.0.1 that signs itself."""
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                    "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(place / "server.key"),
                    "-out", str(place / "server.pem")], check=True, capture_output=True)
