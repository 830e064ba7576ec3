from __future__ import annotations

from synnefo.common.registration import ResourceExportCommand


class Command(ResourceExportCommand):
    help = "Print the resources of cyclades, for resource-import."
    component = "cyclades"
