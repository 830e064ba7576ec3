"""kamaki: client library and command line for Synnefo clouds.

The library is usable alone: `kamaki.Cloud(url, token)` finds the services in the identity catalogue and hands out one
client for each: `cloud.identity`, `cloud.storage`, `cloud.compute`, `cloud.network`, `cloud.images`.
"""

from kamaki.cloud import Cloud
from kamaki.errors import (
    AuthenticationFailed,
    CloudUnreachable,
    Conflict,
    Forbidden,
    KamakiError,
    NotFound,
    QuotaExceeded,
    RequestFailed,
    TimedOut,
    UsageError,
)

__version__ = "0.1.0"
__all__ = [
    "AuthenticationFailed", "Cloud", "CloudUnreachable", "Conflict", "Forbidden", "KamakiError", "NotFound",
    "QuotaExceeded", "RequestFailed", "TimedOut", "UsageError",
]
