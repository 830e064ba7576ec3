"""The transport-free errors of the domain.

Services raise these; `synnefo.common.faults` alone knows what they become in HTTP. The public text goes to the client
and says what to do next; `context` goes to the log only. Subclass a kind only where some caller must tell it apart.
"""

from __future__ import annotations

from typing import Any


class DomainError(Exception):
    """Base of all errors a service may raise. `retryable` says whether the same call may succeed later."""

    retryable = False

    def __init__(self, public: str, *, details: str = "", data: dict[str, Any] | None = None, **context: Any) -> None:
        super().__init__(public)
        self.public = public
        self.details = details
        self.data = data
        self.context = context


class InvalidInput(DomainError):
    """The request cannot mean anything: wrong shape, type, range or combination. Names the field where it can."""

    def __init__(self, public: str, *, field: str | None = None, **kwargs: Any) -> None:
        super().__init__(public, **kwargs)
        self.field = field


class Unauthenticated(DomainError):
    """No credentials, or credentials nobody vouches for."""


class Forbidden(DomainError):
    """The caller may know of the object but not do this to it. For objects he may not know of: `NotFound`."""


class NotFound(DomainError):
    """There is no such object for this caller."""


class FeatureNotEnabled(NotFound):
    """The operator has switched this feature off."""


class MethodNotAllowed(DomainError):
    """The path exists, the method does not. `allowed` lists the methods that do."""

    def __init__(self, allowed: tuple[str, ...]) -> None:
        super().__init__("Method not allowed. Use one of: " + ", ".join(allowed))
        self.allowed = allowed


class StateConflict(DomainError):
    """The object exists, but its present state forbids the call (also: the version named is not the current one)."""


class Busy(StateConflict):
    """Another operation on the object has not finished."""

    retryable = True


class AlreadyExists(StateConflict):
    """The name or address is taken."""


class PreconditionFailed(DomainError):
    """A condition the client named (If-Match and its kin) does not hold."""


class LengthRequired(DomainError):
    """The body's length must be known beforehand."""


class UnprocessableEntity(DomainError):
    """Well-formed, but its checksum or contents do not agree with what was declared."""


class RangeNotSatisfiable(DomainError):
    """The range lies outside the object."""


class UnsupportedMediaType(DomainError):
    """The body is of a type this call does not read."""


class RequestTooLarge(DomainError):
    """The request itself (body, header, name, list) is larger than the published limit."""


class RateLimited(DomainError):
    """Too many tries in a short time. `retry_after_s` says when the next one is looked at."""

    retryable = True

    def __init__(self, public: str, *, retry_after_s: int, **kwargs: Any) -> None:
        super().__init__(public, **kwargs)
        self.retry_after_s = retry_after_s


class QuotaExceeded(DomainError):
    """A holding's limit would be passed. `data` names the provision, limit and usage."""


class NoCapacity(DomainError):
    """The cloud has no room: no backend fits, an address pool is empty. Not the user's quota."""

    retryable = True


class DependencyUnavailable(DomainError):
    """Something outside this process is down and the call certainly had no effect."""

    retryable = True


class OutcomeUnknown(DependencyUnavailable):
    """An outside call was cut off: it may or may not have had effect. Look it up before repeating it."""

    retryable = False


class NotSupported(DomainError):
    """Part of the API that this cloud does not offer."""


class BrokenInvariant(DomainError):
    """Stored data contradicts itself. Always a bug or a damaged database; the public text stays general."""
