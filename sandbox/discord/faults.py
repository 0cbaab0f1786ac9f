"""Faults on demand: matching requests fail, hang or lose their connection."""

import asyncio
import re
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Literal

from sandbox.discord.encoding import Json
from sandbox.discord.errors import ApiError
from sandbox.discord.notifier import Notifier
from sandbox.discord.ratelimits import TOO_MANY_REQUESTS, too_many


@dataclass(slots=True, kw_only=True)
class Fault:
    """A fault for the next `times` requests of `method` and `path`.

    `path` is a regular expression. `status` answers with that error, `reset` cuts the connection; with `when="after"`
    the request takes effect first. `delay` is in seconds. A fault with `gate` set holds each request until `release()`.
    With `uploads` it applies only to requests that carry files.
    """

    method: str
    path: str
    times: int = 1
    status: int | None = None
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    reset: bool = False
    when: Literal["before", "after"] = "before"
    delay: float = 0.0
    uploads: bool = False
    retry_after: float = 0.05
    gate: asyncio.Event | None = None
    hits: int = 0
    hit: Notifier = field(default_factory=Notifier)
    held: int = 0
    stopped: Notifier = field(default_factory=Notifier)

    def matches(self, method: str, path: str, *, uploads: bool) -> bool:
        """Return whether the fault applies to this request."""
        if self.hits >= self.times or (self.uploads and not uploads):
            return False
        return self.method in ("*", method) and re.search(self.path, path) is not None

    def error(self) -> ApiError | None:
        """Return the error to answer with, if this fault answers at all."""
        if self.status is None:
            return None
        if self.status == TOO_MANY_REQUESTS and self.body is None:
            error = too_many(self.retry_after)
            error.headers.update(self.headers)
            return error
        phrase = HTTPStatus(self.status).phrase
        body: Json = {"message": f"{self.status}: {phrase}", "code": 0}
        return ApiError(self.status, self.body if self.body is not None else body, self.headers)

    async def wait_hit(self) -> None:
        """Return once a request has run into this fault."""
        while not self.hits:
            await self.hit.wait()

    async def wait_held(self) -> None:
        """Return once a request is held at the gate.

        The request was read by then; with `when="after"` it has taken effect.
        """
        while not self.held:
            await self.stopped.wait()

    async def hold(self) -> None:
        """Stand at the gate, if there is one, until it opens."""
        if self.gate is not None:
            self.held += 1
            self.stopped.notify()
            await self.gate.wait()

    def release(self) -> None:
        """Release the requests held at the gate."""
        if self.gate is not None:
            self.gate.set()


class Faults:
    """The active faults, oldest first."""

    def __init__(self) -> None:
        self._set: list[Fault] = []

    def add(self, method: str, path: str, **how: Any) -> Fault:
        """Set a fault; the keywords are those of `Fault`."""
        fault = Fault(method=method, path=path, **how)
        self._set.append(fault)
        return fault

    def hold(self, method: str, path: str, *, when: Literal["before", "after"] = "before") -> Fault:
        """Hold the next matching request until the fault's `release()`."""
        return self.add(method, path, gate=asyncio.Event(), when=when)

    def clear(self) -> None:
        """Remove all faults and release the requests they hold."""
        for fault in self._set:
            fault.release()
        self._set.clear()

    def take(self, method: str, path: str, *, uploads: bool) -> Fault | None:
        """Return the fault for this request, counting it."""
        for fault in self._set:
            if fault.matches(method, path, uploads=uploads):
                fault.hits += 1
                fault.hit.notify()
                return fault
        return None
