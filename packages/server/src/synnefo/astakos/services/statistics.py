"""How many users there are, how they sign in, and what they use."""

from __future__ import annotations

from typing import Any

from django.db.models import CharField, Count, F, Q, Sum, Value
from django.db.models.functions import Concat
from django.utils import timezone

from synnefo.astakos.models import LoginMethod, Resource, User
from synnefo.astakos.quotaholder.models import Holding
from synnefo.common.ports import INFINITE


def totals() -> dict[str, int]:
    return User.objects.aggregate(total=Count("pk"), active=Count("pk", filter=Q(is_active=True)))


def detailed() -> dict[str, Any]:
    """By provider and altogether; amounts in the resources' units. A fixed number of queries for each provider."""
    modules = list(LoginMethod.objects.order_by("module").values_list("module", flat=True).distinct())
    users: dict[str, dict[str, int]] = {"all": {**totals(), "verified": User.objects.filter(email_verified=True).count()}}
    resources = {"all": _amounts(Holding.objects.filter(holder__startswith="project:", source=""))}
    for module in modules:
        of_module = User.objects.filter(pk__in=LoginMethod.objects.filter(module=module, active=True).values("user"))
        users[module] = of_module.aggregate(total=Count("pk"), active=Count("pk", filter=Q(is_active=True)),
                                            verified=Count("pk", filter=Q(email_verified=True)))
        elsewhere = LoginMethod.objects.exclude(module=module).filter(active=True).values("user")
        users[module]["exclusive"] = of_module.filter(is_active=True, email_verified=True).exclude(pk__in=elsewhere).count()
        names = of_module.annotate(name=Concat(Value("project:"), F("uuid"), output_field=CharField())).values("name")
        resources[module] = _amounts(Holding.objects.filter(holder__in=names, source=""))
    return {"datetime": timezone.now().isoformat(), "providers": modules, "users": users, "resources": resources}


def _amounts(holdings: Any) -> dict[str, dict[str, Any]]:
    """Used and allocated; what has no limit is not allocated."""
    found = {row["resource"]: row for row in holdings.order_by().values("resource").annotate(
        used=Sum("usage_max"), allocated=Sum("limit", filter=Q(limit__lt=INFINITE)))}
    return {resource.name: {"used": found.get(resource.name, {}).get("used") or 0, "allocated": found.get(resource.name, {}).get("allocated") or 0,
                            "unit": resource.unit, "description": resource.desc} for resource in Resource.objects.order_by("name")}
