"""The quota ledger for services in this process: the port's charges become balanced pairs of provisions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from synnefo.astakos.quotaholder import services as ledger
from synnefo.astakos.services import quotas
from synnefo.astakos.services.limits import project_holder, user_holder
from synnefo.astakos.services.refusals import explained
from synnefo.common.ids import ProjectID, Serial, UserID
from synnefo.common.ports import CommissionInfo, QuotaUsage, ResolveResult, type_charges


class DirectQuota:
    """One component's view: its serials, its resources. Implements `synnefo.common.ports.QuotaLedger`."""

    def __init__(self, component: str) -> None:
        self.component = component

    def issue(self, user_id: UserID, charges: type_charges, *, request_id: str, name: str = "", force: bool = False,
              auto_accept: bool = False) -> Serial:
        return self.issue_many({user_id: charges}, request_id=request_id, name=name, force=force, auto_accept=auto_accept)

    def issue_many(self, charges: Mapping[UserID, type_charges], *, request_id: str, name: str = "", force: bool = False,
                   auto_accept: bool = False) -> Serial:
        lines = [line for user, entries in charges.items() for (project, resource), quantity in entries.items()
                 for line in (ledger.Charge(user_holder(user), project_holder(project), resource, quantity),
                              ledger.Charge(project_holder(project), "", resource, quantity))]
        with explained():
            return ledger.issue(self.component, lines, name=name, force=force, auto_accept=auto_accept, request_id=request_id or None)

    def resolve(self, *, accept: Sequence[Serial] = (), reject: Sequence[Serial] = ()) -> ResolveResult:
        return ledger.resolve(self.component, accept=accept, reject=reject)

    def pending(self) -> list[CommissionInfo]:
        return ledger.pending(self.component)

    def usages(self, *, user_ids: Sequence[UserID] | None = None,
               project_ids: Sequence[ProjectID] | None = None) -> dict[UserID, dict[ProjectID, dict[str, QuotaUsage]]]:
        return quotas.usages(user_ids=user_ids, project_ids=project_ids, resources=quotas.component_names(self.component))
