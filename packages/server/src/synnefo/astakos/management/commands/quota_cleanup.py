from __future__ import annotations

from typing import Any

from synnefo.astakos.quotaholder import services as ledger
from synnefo.common.commands import BaseCommand
from synnefo.common.settings import conf


class Command(BaseCommand):
    help = "Forget request ids that are too old to be repeated, and the log of commissions beyond ASTAKOS_PROVISION_LOG_DAYS."

    def handle(self, *args: Any, **options: Any) -> None:
        self.note(f"{ledger.forget_old_requests()} request ids and "
                  f"{ledger.forget_old_logs(conf.ASTAKOS_PROVISION_LOG_DAYS)} lines of the log are gone.")
