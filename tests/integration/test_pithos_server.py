"""The object store behind the real web server: raw paths, streams in both directions, the stock swift client, memory."""

from __future__ import annotations

import hashlib
import http.client
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.support.gunicorn import Site, running

pytestmark = pytest.mark.slow
MIB = 2**20


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running(tmp_path_factory.mktemp("site")) as found:
        yield found


class Connection:
    """One kept-alive connection; the path is sent as it is."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.wire = http.client.HTTPConnection(urlsplit(site.url).netloc, timeout=120)

    def __call__(self, method: str, path: str, body: bytes | Iterator[bytes] = b"", **headers: str) -> tuple[int, bytes]:
        sent = {"X-Auth-Token": self.site.token, "Content-Type": "text/plain", **{key.replace("_", "-"): value for key, value in headers.items()}}
        self.wire.request(method, f"/pithos/object-store/v1/{self.site.uuid}{path}", body, sent, encode_chunked=not isinstance(body, bytes))
        answer = self.wire.getresponse()
        return answer.status, answer.read()


@pytest.fixture
def call(site: Site) -> Connection:
    found = Connection(site)
    assert found("PUT", "/box")[0] in {201, 202}
    return found


@pytest.mark.parametrize(("path", "name"), [
    ("//x", "//x"), ("a//b", "a//b"), ("..", ".."), ("a/../b", "a/../b"), ("./", "./"), ("%25", "%"), ("%2525", "%25"), ("%3F", "?"), ("%23", "#"),
    ("+", "+"), ("%F0%9F%98%80", "\U0001f600"), ("a%0Ab", "a\nb"), ("a%2Fb", "a/b"), ("%20s%20", " s "), ("x/", "x/"),
])
def test_names_pass_all_layers_verbatim(call: Connection, path: str, name: str) -> None:
    assert call("PUT", f"/names{hashlib.md5(path.encode()).hexdigest()}")[0] == 201
    container = f"/names{hashlib.md5(path.encode()).hexdigest()}"
    assert call("PUT", f"{container}/{path}", name.encode())[0] == 201
    assert call("GET", f"{container}/{path}") == (200, name.encode())
    assert call("GET", container) == (200, name.encode() + b"\n")


def test_chunks_of_any_size_become_blocks(call: Connection) -> None:
    pieces = [bytes([number % 251]) * (number * 997 % 70_000 + 1) for number in range(300)]
    status, _ = call("PUT", "/box/chunked", iter(pieces), Transfer_Encoding="chunked")
    assert status == 201
    assert call("GET", "/box/chunked") == (200, b"".join(pieces))


def test_a_connection_survives_a_refusal_with_an_unread_body(call: Connection) -> None:
    call("PUT", "/box/it", b"x")
    assert call("PUT", "/box/it", bytes(MIB), If_None_Match="*")[0] == 412
    assert call("GET", "/box/it") == (200, b"x")


def test_a_body_that_breaks_off_makes_no_version(site: Site, call: Connection) -> None:
    call("PUT", "/box/short", b"before")
    broken = Connection(site)
    broken.wire.putrequest("PUT", f"/pithos/object-store/v1/{site.uuid}/box/short")
    for name, value in (("X-Auth-Token", site.token), ("Content-Type", "text/plain"), ("Content-Length", "1000000")):
        broken.wire.putheader(name, value)
    broken.wire.endheaders(b"only a little")
    broken.wire.close()
    assert call("GET", "/box/short") == (200, b"before")


def test_the_stock_swift_client(site: Site, tmp_path: Path) -> None:
    (tmp_path / "dir" / "sub").mkdir(parents=True)
    files = {"dir/a.txt": b"hi\n", "dir/sub/big.bin": bytes(range(256)) * 40_000, "dir/empty": b""}
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    site.swift("upload", "bag", "dir", input_dir=tmp_path)
    assert site.swift("list", "bag").split() == sorted(files)
    assert site.swift("list", "bag", "--delimiter", "/", "--prefix", "dir/").split() == ["dir/a.txt", "dir/empty", "dir/sub/"]
    site.swift("download", "bag", "-D", "out", input_dir=tmp_path)
    assert {name: (tmp_path / "out" / name).read_bytes() for name in files} == files
    site.swift("upload", "-S", "3000000", "parts", "dir/sub/big.bin", input_dir=tmp_path)
    assert len(site.swift("list", "parts_segments").split()) == 4
    site.swift("download", "parts", "dir/sub/big.bin", "-o", "again", input_dir=tmp_path)
    assert (tmp_path / "again").read_bytes() == files["dir/sub/big.bin"]
    site.swift("post", "bag", "-m", "Colour:blue")
    site.swift("post", "bag", "dir/a.txt", "-m", "Age:7")
    assert re.search(r"Meta Colour: blue", site.swift("stat", "bag"))
    assert re.search(r"Meta Age: 7", site.swift("stat", "bag", "dir/a.txt"))
    site.swift("copy", "bag", "dir/a.txt", "-d", "/bag/copied")
    assert site.swift("download", "bag", "copied", "-o", "-") == "hi\n"
    for container in ("bag", "parts"):
        site.swift("delete", container)
    assert not {"bag", "parts"} & set(site.swift("list").split())


def peak_kib(site: Site) -> int:
    """The most memory that any process of the server has had."""
    return max(int(re.findall(r"VmHWM:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[0]) for pid in site.workers())


def test_memory_does_not_grow_with_the_object(site: Site, call: Connection) -> None:
    piece = bytes(range(256)) * 4096
    call("PUT", "/box/warm", piece * 8)
    call("GET", "/box/warm")
    before = peak_kib(site)
    count = 512
    status, _ = call("PUT", "/box/huge", (piece[number % 256 :] + piece[: number % 256] for number in range(count)), Transfer_Encoding="chunked")
    assert status == 201
    call.wire.request("GET", f"/pithos/object-store/v1/{site.uuid}/box/huge", headers={"X-Auth-Token": site.token})
    answer, total = call.wire.getresponse(), 0
    while data := answer.read(MIB):
        total += len(data)
    assert total == count * MIB
    assert peak_kib(site) - before < 64 * 1024
