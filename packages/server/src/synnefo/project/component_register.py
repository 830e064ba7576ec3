"""`snf-component-register ...` is `snf-manage component-register ...`."""

from __future__ import annotations

import sys

from synnefo.project import manage


def main() -> None:
    sys.argv[1:1] = ["component-register"]
    manage.main()


if __name__ == "__main__":
    main()
