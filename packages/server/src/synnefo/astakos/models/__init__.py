"""Tables of astakos."""

from synnefo.astakos.models.users import Group, User

__all__ = ["Group", "User"]
