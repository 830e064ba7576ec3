"""Permissions of users in free text, as operators name them; what a name allows is for the services to say."""

from __future__ import annotations

from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType

from synnefo.astakos.models import User
from synnefo.common.errors import InvalidInput

MAX_NAME = 100


def parse_permission(name: str) -> str:
    """A permission's name: printable, bounded. Raises `InvalidInput`."""
    name = name.strip()
    if not 0 < len(name) <= MAX_NAME or not name.isprintable():
        raise InvalidInput(f"A permission has 1 to {MAX_NAME} printable characters.", field="permission")
    return name


def grant(user: User, name: str) -> bool:
    """Give the permission, which is made when missing; False when the user had it. Raises `InvalidInput`."""
    permission, _ = Permission.objects.get_or_create(
        codename=parse_permission(name), content_type=ContentType.objects.get_for_model(User), defaults={"name": name.strip()})
    if user.user_permissions.filter(pk=permission.pk).exists():
        return False
    user.user_permissions.add(permission)
    return True


def withdraw(user: User, name: str) -> bool:
    """Take the permission; False when the user did not have it. Raises `InvalidInput`."""
    held = list(user.user_permissions.filter(codename=parse_permission(name)))
    user.user_permissions.remove(*held)
    return bool(held)


def own(user: User) -> list[str]:
    """The permissions that the user was given himself, in order."""
    return list(user.user_permissions.order_by("codename").values_list("codename", flat=True))


def of_groups(user: User) -> list[str]:
    """The permissions that come from the user's groups, in order."""
    return list(Permission.objects.filter(group__user=user).order_by("codename").values_list("codename", flat=True).distinct())
