"""Block and root hashes against the published test vectors."""

import io

import pytest

from kamaki.hashing import hash_block, hash_blocks, root_hash

VECTORS = [
    (b"", 1024, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
    (b"a", 1024, "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"),
    (b"a\0\0", 1024, "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"),
    (b"a" * 1024 + b"b", 1024, "b52fb94ef5a3b37762793633b1a353a1beba109b015a201191898da01de5cf6d"),
    (b"a" * 1024 + b"b" * 1024 + b"c", 1024, "736d76ea31831fe4db58d53c49d6328e55370cf35e4cd8d9a60a9252935aa88d"),
    (bytes(2048), 1024, "2dba5dbc339e7316aea2683faf839c1b7b1ee2313db792112588118df066aa35"),
    (b"a" * 4194304 + b"b", 4194304, "565546ad93383e225e7cf808fb4d527a54dec54826a5c34a24c1f19a03c62583"),
]


@pytest.mark.parametrize(("content", "block_size", "expected"), VECTORS)
def test_root_hash_follows_the_published_vectors(content: bytes, block_size: int, expected: str) -> None:
    assert root_hash(list(hash_blocks(io.BytesIO(content), block_size))) == expected


def test_a_block_of_zeros_is_the_empty_block() -> None:
    assert hash_block(bytes(4096)) == hash_block(b"")
