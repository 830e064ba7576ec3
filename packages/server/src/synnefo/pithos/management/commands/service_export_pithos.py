from __future__ import annotations

from synnefo.common.registration import ServiceExportCommand


class Command(ServiceExportCommand):
    help = "Print the definitions of the services of pithos, for service-import."
    component = "pithos"
