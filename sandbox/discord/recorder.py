"""A record of every REST request, for tests and OpenAPI checks."""

# ruff: noqa: ASYNC109 - a deadline as an argument reads best where tests wait for something

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sandbox.discord.notifier import PATIENCE, Notifier


@dataclass(frozen=True, slots=True)
class SentFile:
    """A file in a multipart request: field name, file name, length in bytes."""

    field: str
    filename: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedRequest:
    """One request.

    `path` is the route in the spelling of Discord's description, `target` the requested path. `json` is the JSON body
    or a multipart body's `payload_json`, `answer` the JSON of the response. `status` 0 means that the connection was
    cut instead. `at` is Unix seconds.
    """

    method: str
    path: str
    target: str
    json: Any
    files: tuple[SentFile, ...]
    status: int
    at: float
    answer: Any = None


class Recorder:
    """Keeps the requests while `enabled`."""

    def __init__(self, *, enabled: bool = True) -> None:
        self.enabled = enabled
        self.requests: list[RecordedRequest] = []
        self._changed = Notifier()

    def add(self, request: RecordedRequest) -> None:
        """Keep one more."""
        self.requests.append(request)
        self._changed.notify()

    def clear(self) -> None:
        """Remove all records."""
        self.requests.clear()

    async def wait(self, matches: Callable[[RecordedRequest], bool], *, timeout: float = PATIENCE) -> RecordedRequest:
        """Return the first matching request; wait up to `timeout` seconds."""
        async with asyncio.timeout(timeout):
            while True:
                for request in self.requests:
                    if matches(request):
                        return request
                await self._changed.wait()
