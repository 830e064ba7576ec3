"""Tables of astakos."""

from synnefo.astakos.models.components import Component, Endpoint, Service
from synnefo.astakos.models.tokens import ApiToken, TokenKind
from synnefo.astakos.models.users import Group, User

__all__ = ["ApiToken", "Component", "Endpoint", "Group", "Service", "TokenKind", "User"]
