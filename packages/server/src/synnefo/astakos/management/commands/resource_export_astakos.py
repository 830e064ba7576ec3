from __future__ import annotations

from synnefo.common.registration import ResourceExportCommand


class Command(ResourceExportCommand):
    help = "Print the resources of astakos, for resource-import."
    component = "astakos"
