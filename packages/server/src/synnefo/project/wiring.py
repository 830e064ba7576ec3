"""Plugs the services together: direct adapters for those in this process, HTTP clients for those elsewhere."""

from __future__ import annotations

from synnefo.common import ports
from synnefo.common.settings import conf


def connect() -> None:
    """Provide every port that the enabled services ask for."""
    if "astakos" in conf.SYNNEFO_SERVICES:
        _identity()
        _quota()
        _quota_duties()
        _account_duties()
        _sign_in_providers()
    elif conf.ASTAKOS_AUTH_URL:
        _remote_astakos()
    if "pithos" in conf.SYNNEFO_SERVICES:
        _object_store()
        _object_store_duties()


def _identity() -> None:
    from synnefo.astakos.adapters.identity import LocalIdentity

    ports.provide("identity", LocalIdentity())


def _quota() -> None:
    from synnefo.astakos.adapters.quota import DirectQuota

    for component in ("astakos", "pithos", "cyclades"):
        ports.provide(f"quota:{component}", DirectQuota(component))


def _quota_duties() -> None:
    from synnefo.astakos.quotaholder import services as ledger
    from synnefo.common import duties

    duties.register("quota requests", 3600, ledger.forget_old_requests)
    duties.register("quota log", 3600, lambda: ledger.forget_old_logs(conf.ASTAKOS_PROVISION_LOG_DAYS))


def _account_duties() -> None:
    from synnefo.astakos.services import audit, mails, project_expiry
    from synnefo.common import duties

    duties.register("mail", 5, mails.deliver)
    duties.register("audit", 600, audit.forget_old)
    duties.register("project expiry", 86400, project_expiry.daily)


def _sign_in_providers() -> None:
    """Say which enabled sign-in providers cannot work; the others do."""
    import structlog

    from synnefo.astakos.services import providers

    for problem in providers.problems():
        structlog.get_logger(__name__).error("sign_in.provider.unusable", problem=problem)


def _remote_astakos() -> None:
    from synnefo.common.adapters.astakos_http import RemoteIdentity, RemoteQuota
    from synnefo.common.adapters.astakos_transport import Transport

    tokens = {"pithos": conf.PITHOS_SERVICE_TOKEN, "cyclades": conf.CYCLADES_SERVICE_TOKEN}
    services = {component: Transport(conf.ASTAKOS_AUTH_URL, token) for component, token in tokens.items() if component in conf.SYNNEFO_SERVICES}
    for component, transport in services.items():
        ports.provide(f"quota:{component}", RemoteQuota(transport))
    if services:
        ports.provide("identity", RemoteIdentity(conf.ASTAKOS_AUTH_URL, next(iter(services.values()))))


def _object_store() -> None:
    from synnefo.pithos.adapters.object_store import DirectObjectStore

    ports.provide("object_store", DirectObjectStore())


def _object_store_duties() -> None:
    from synnefo.common import duties
    from synnefo.pithos.reconcilers import quotas

    duties.register("object store commissions", 600, quotas.settle_abandoned)
