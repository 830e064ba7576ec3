"""Settings of pithos, declared in the registry."""

from typing import Any, Literal

from synnefo.common.settings import conf


def _declare(name: str, type_: Any, default: Any, help_: str, **extra: Any) -> None:
    conf.declare("pithos", name, type_, default, help_, **extra)


_declare("PITHOS_BACKEND_STORAGE", Literal["nfs"], "nfs", "Where blocks lie: nfs (any shared file system).")
_declare("PITHOS_BACKEND_BLOCK_PATH", str, "/srv/pithos/data", "Directory of blocks and maps.")
_declare("PITHOS_BACKEND_BLOCK_UMASK", int, 0o022, "Umask of block files and directories.")
_declare("PITHOS_BACKEND_BLOCK_SIZE", int, 4 * 2**20, "Size of a block. Never change it once there is data.", unit="bytes")
_declare("PITHOS_BACKEND_HASH_ALGORITHM", Literal["sha256"], "sha256", "Hash of blocks. Never change it once there is data.")
_declare("PITHOS_BACKEND_MAPFILE_PREFIX", str, "snf_file_", "What names of block maps begin with. Never change it once there is data.")
_declare("PITHOS_BACKEND_VERSIONING", Literal["auto", "none"], "auto", "Whether new containers keep versions: auto or none.")
_declare("PITHOS_BACKEND_FREE_VERSIONING", bool, True, "Old versions do not count in the quota.")
_declare("PITHOS_BACKEND_CONTAINER_QUOTA", int, 0, "Most that a new container holds; 0 is no limit.", unit="bytes")
_declare("PITHOS_MAX_UPLOAD_SIZE", int, 5 * 2**30, "Largest body of one upload.", unit="bytes")
_declare("PITHOS_MAX_HASHMAP_BODY", int, 64 * 2**20, "Largest list of block hashes.", unit="bytes")
_declare("PITHOS_MD5_SYNC_MAX", int, 256 * 2**20, "Objects made from hashes get their MD5 at once up to this size.", unit="bytes")
_declare("PITHOS_LISTING_LIMIT", int, 10000, "Entries of a listing at most.")
_declare("PITHOS_DEDUP_SCOPE", Literal["account", "global"], "account", "Whose blocks count as present for an upload by hashes: account or global.")
_declare("PITHOS_BLOCK_LEASE_SECONDS", int, 86400, "How long an uploaded block counts as present before an object uses it.", unit="seconds")
