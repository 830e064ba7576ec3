"""`snf-manage`: the command line of operators. Commands are found in the enabled services."""

import os
import sys

from django.core.management import execute_from_command_line


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "synnefo.project.settings")
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
