"""Base quota: the capacities of users' system projects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from synnefo.astakos.models import Resource, User
from synnefo.astakos.services import projects
from synnefo.common.db import transactional

BATCH = 100


@transactional()
def set_for_users(users: Sequence[User], quotas: Mapping[str, int]) -> None:
    """Set resources (by name, which must exist) to capacities, in one transaction. Raises `NotFound` for users without
    a system project.
    """
    resources = {item.name: item for item in Resource.objects.filter(name__in=quotas)}
    for user in users:
        for name, capacity in sorted(quotas.items()):
            projects.set_base_quota(user, resources[name], capacity)


def set_for_all(quotas: Mapping[str, int], excluded: Sequence[int]) -> int:
    """As `set_for_users` for every accepted user but the excluded (primary keys), a hundred users a transaction;
    returns how many. Repeating it is safe.
    """
    count, last = 0, 0
    accepted = User.objects.filter(moderated=True, is_rejected=False).exclude(pk__in=excluded).order_by("pk")
    while batch := list(accepted.filter(pk__gt=last)[:BATCH]):
        set_for_users(batch, quotas)
        count, last = count + len(batch), batch[-1].pk
    return count
