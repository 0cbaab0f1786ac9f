"""Webhooks of the fakes, posted at a job's end (seed: "4. Webhook").

Delivery is best-effort with one retry, and never for a cancelled job. Nothing leaves this machine: an address
elsewhere is accepted at submit, as the contract requires, and its delivery gets no response.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp

from sandbox.providers.faults import Endpoint, Fault, Faults, Kind
from sandbox.providers.inputs import is_loopback_host
from sandbox.providers.job_store import Job, State

RETRY_SECONDS: Final = 5.0
_RESPONSE_SECONDS: Final = 10.0
_MAX_REMEMBERED: Final = 10_000
_KINDS: Final = frozenset({Kind.LOST, Kind.TWICE, Kind.LATE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One POST of a webhook, attempt 1 or 2; `status` is None if unanswered."""

    job_id: str
    url: str
    body: dict[str, Any]
    attempt: int
    status: int | None

    @property
    def is_accepted(self) -> bool:
        """Return whether the receiver accepted it; otherwise it is retried."""
        return self.status is not None and 200 <= self.status < 300  # noqa: PLR2004 - the class of statuses

    def as_json(self) -> dict[str, Any]:
        """Return the delivery as a JSON object."""
        return asdict(self)


def is_acceptable(url: object) -> bool:
    """Return whether a submit may name this webhook.

    It must be https; http is allowed to this machine, for the sandbox.
    """
    if not isinstance(url, str):
        return False
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return False
    return bool(host) and (parts.scheme == "https" or (parts.scheme == "http" and is_loopback_host(str(host))))


class Webhooks:
    """Posts a server's webhooks and keeps the `sent` ones, as answered.

    `body` builds the posted body of an ended job. `on_change` is called after each response and each finished delivery.
    `retry_seconds` are between the attempts; None waits for `release`.
    """

    def __init__(self, faults: Faults, *, body: Callable[[Job], dict[str, Any]], on_change: Callable[[], None]) -> None:
        self.sent: deque[Delivery] = deque(maxlen=_MAX_REMEMBERED)
        self.retry_seconds: float | None = RETRY_SECONDS
        self._faults = faults
        self._body = body
        self._on_change = on_change
        self._session: aiohttp.ClientSession | None = None
        self._released = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def pending(self) -> int:
        """Return the number of unfinished deliveries, delayed ones included."""
        return len(self._tasks)

    def sent_for(self, job: Job) -> list[Delivery]:
        """Return the deliveries of a job."""
        return [each for each in self.sent if each.job_id == job.id]

    def start_delivery(self, job: Job) -> None:
        """Start the delivery of a job's webhook.

        A job without a webhook and a cancelled job have none.
        """
        if job.webhook_url is None or job.state is State.CANCELLED:
            return
        fault = self._faults.take(Endpoint.WEBHOOK, _KINDS)
        if fault is not None and fault.kind is Kind.LOST:
            return
        task = asyncio.create_task(self._deliver(job.id, job.webhook_url, self._body(job), fault, self._released))
        self._tasks.add(task)
        task.add_done_callback(self._on_delivered)

    def release(self) -> None:
        """Send delayed webhooks and waiting retries now."""
        self._released.set()
        self._released = asyncio.Event()

    async def close(self) -> None:
        """Cancel all deliveries."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _on_delivered(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._on_change()

    async def _deliver(
        self, job_id: str, url: str, body: dict[str, Any], fault: Fault | None, released: asyncio.Event
    ) -> None:
        if fault is not None and fault.kind is Kind.TWICE:
            await asyncio.gather(*(self._post(job_id, url, body, attempt=attempt) for attempt in (1, 2)))
            return
        if fault is not None and fault.kind is Kind.LATE:
            await _pause(released, fault.seconds or None)
        first = await self._post(job_id, url, body, attempt=1)
        if not first.is_accepted:
            await _pause(self._released, self.retry_seconds)
            await self._post(job_id, url, body, attempt=2)

    async def _post(self, job_id: str, url: str, body: dict[str, Any], *, attempt: int) -> Delivery:
        status: int | None = None
        if is_loopback_host(urlsplit(url).hostname or ""):
            with suppress(aiohttp.ClientError, TimeoutError):
                async with self._client().post(url, json=body, allow_redirects=False) as answer:
                    status = answer.status
        delivery = Delivery(job_id=job_id, url=url, body=body, attempt=attempt, status=status)
        self.sent.append(delivery)
        self._on_change()
        return delivery

    def _client(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_RESPONSE_SECONDS))
        return self._session


async def _pause(released: asyncio.Event, seconds: float | None) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await released.wait()
