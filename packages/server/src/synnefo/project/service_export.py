"""`snf-service-export COMPONENT BASE_URL`: the services of a standard component as JSON, for `service-import`.

It needs neither a database nor that the component runs here.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys

from synnefo.common.registration import definitions_of
from synnefo.common.settings import SettingsError, conf

_COMPONENTS = ("astakos", "cyclades", "pithos")


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser("snf-service-export", description="Print the definitions of a component's services.")
    parser.add_argument("component", help=" or ".join(_COMPONENTS))
    parser.add_argument("base_url", help="Public root of the component's APIs.")
    options = parser.parse_args(argv)
    if options.component not in _COMPONENTS:
        sys.stderr.write(f"Unknown component {options.component!r}: there are {', '.join(_COMPONENTS)}.\n")
        return 1
    if not options.base_url.startswith(("http://", "https://")):
        sys.stderr.write("The base URL is not an http or https URL.\n")
        return 1
    importlib.import_module(f"synnefo.{options.component}.app_settings")  # some paths are settings
    try:
        conf.load()
    except SettingsError as error:
        sys.stderr.write(f"The settings are wrong:\n{error}\n")
        return 1
    sys.stdout.write(json.dumps(definitions_of(options.component, options.base_url), indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
