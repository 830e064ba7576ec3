"""HTTP with a token: typed errors, time-outs everywhere, bounded retries of calls that are safe to repeat."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import httpx

from kamaki import errors

IDEMPOTENT = {"GET", "HEAD", "PUT", "DELETE"}
RETRY_STATUSES = {429, 502, 503}
ATTEMPTS = 4
TIMEOUT = httpx.Timeout(60.0, connect=10.0)


class Transport:
    """Sends requests below one service URL. Thread safe, as httpx clients are."""

    def __init__(self, base_url: str, token: str | None, *, http: httpx.Client) -> None:
        self.base_url = base_url.rstrip("/")
        self.token = token
        self.http = http

    def at(self, base_url: str) -> Transport:
        """The same credentials and connections below another URL."""
        return Transport(base_url, self.token, http=self.http)

    def _headers(self, headers: Mapping[str, str] | None) -> dict[str, str]:
        own = {"X-Auth-Token": self.token} if self.token else {}
        return own | {"Accept": "application/json"} | dict(headers or {})

    def request(self, method: str, path: str, *, ok: tuple[int, ...] = (200, 201, 202, 204), json: Any = None,
                headers: Mapping[str, str] | None = None, params: Mapping[str, str] | None = None,
                content: Any = None) -> httpx.Response:
        """Send one request, repeating it after a lost connection or a 429/502/503 when that is safe.

        Raises a `RequestFailed` for every status not in `ok`, `CloudUnreachable` when no answer came.
        """
        repeatable = method in IDEMPOTENT and (content is None or isinstance(content, bytes))
        attempts = ATTEMPTS if repeatable else 1
        for attempt in range(attempts):
            last = attempt + 1 == attempts
            try:
                response = self.http.request(method, self.base_url + path, json=json, params=params, content=content,
                                             headers=self._headers(headers))
            except httpx.TransportError as error:
                if last:
                    raise _unreachable(self.base_url, error) from error
            else:
                if response.status_code in ok:
                    return response
                if response.status_code not in RETRY_STATUSES or last:
                    raise errors.from_response(response.status_code, _body(response))
            time.sleep(random.uniform(0.2, 0.6) * 2**attempt)  # noqa: S311 - jitter, not a secret
        raise AssertionError("unreachable")

    def json(self, method: str, path: str, **kwargs: Any) -> Any:
        """As `request`, decoded."""
        response = self.request(method, path, **kwargs)
        try:
            return response.json()
        except ValueError as error:
            raise errors.RequestFailed(f"{self.base_url}{path} did not answer with JSON: is this a Synnefo cloud?",
                                       status=response.status_code) from error

    @contextmanager
    def stream(self, method: str, path: str, *, ok: tuple[int, ...] = (200, 206),
               headers: Mapping[str, str] | None = None,
               params: Mapping[str, str] | None = None) -> Iterator[httpx.Response]:
        """A response whose body is read piece by piece."""
        try:
            with self.http.stream(method, self.base_url + path, headers=self._headers(headers), params=params) as response:
                if response.status_code not in ok:
                    response.read()
                    raise errors.from_response(response.status_code, _body(response))
                yield response
        except httpx.TransportError as error:
            raise _unreachable(self.base_url, error) from error


def _unreachable(url: str, error: Exception) -> errors.CloudUnreachable:
    return errors.CloudUnreachable(f"No answer from {url}: {error}",
                                   hints=("Check the address (kamaki config get cloud) and the network",))


def _body(response: httpx.Response) -> Any:
    try:
        return response.json()
    except ValueError:
        return response.text
