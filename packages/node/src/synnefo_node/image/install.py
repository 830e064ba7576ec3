"""`python -m synnefo_node.image.install DIRECTORY`: write the OS definition, interface version 20, for this Python environment."""

from __future__ import annotations

import sys
from pathlib import Path

PARAMETERS = """\
config_url Address from which the parameters are fetched, once
img_id Where the image is: pithosmap://MAP/SIZE, http(s)://, local://NAME or null
img_format Format of the image: diskdump
img_passwd Password of the users in the image
img_passwd_hash Hash of that password
auth_keys SSH public keys of the users in the image
img_properties Properties of the image, a JSON object
inst_properties Properties of the instance, a JSON object
img_personality Files to put into the image, a JSON list
cloud_userdata User data for cloud-init, base64
os_product_key Product key
os_answer_file Answer file
"""
SCRIPT = """\
#!/bin/sh
# Written by synnefo_node.image.install
exec {python} -m synnefo_node.image.cli {name} "$@"
"""
SCRIPTS = ("create", "import", "export", "rename", "verify")


def install(directory: Path) -> None:
    """Write or renew the definition. Repeatable; each file is replaced in one step."""
    directory.mkdir(parents=True, exist_ok=True)
    files = {"ganeti_api_version": "20\n", "variants.list": "default\n", "parameters.list": PARAMETERS}
    for name, content in files.items():
        _replace(directory / name, content, 0o644)
    for name in SCRIPTS:
        _replace(directory / name, SCRIPT.format(python=sys.executable, name=name), 0o755)


def _replace(path: Path, content: str, mode: int) -> None:
    temporary = path.with_name(f".{path.name}.new")
    temporary.write_text(content, "utf-8")
    temporary.chmod(mode)
    temporary.replace(path)


if __name__ == "__main__":
    install(Path(sys.argv[1]))
