"""Webhooks of the stand-ins: what was promised at submit is posted at a job's end (seed: "4. Webhook").

Delivery is best-effort with one retry, and never for a cancelled job. Nothing leaves this machine: an address
elsewhere is taken as the contract takes it, and then counts as one that did not answer.
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
from sandbox.providers.inputs import is_here
from sandbox.providers.job_store import Job, State

RETRY_SECONDS: Final = 5.0
_ANSWER_SECONDS: Final = 10.0
_REMEMBERED: Final = 10_000
_KINDS: Final = frozenset({Kind.LOST, Kind.TWICE, Kind.LATE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One POST of a webhook, the first or the second of its job; `status` is the answer's, None without an answer."""

    job_id: str
    url: str
    body: dict[str, Any]
    attempt: int
    status: int | None

    @property
    def taken(self) -> bool:
        """Return whether the receiver took it, so that it is not tried again."""
        return self.status is not None and 200 <= self.status < 300  # noqa: PLR2004 - the class of statuses

    def as_json(self) -> dict[str, Any]:
        """Return it as an object."""
        return asdict(self)


def is_acceptable(url: object) -> bool:
    """Tell whether a submit may name this webhook: https, or http on this machine, for the sandbox."""
    if not isinstance(url, str):
        return False
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return False
    return bool(host) and (parts.scheme == "https" or (parts.scheme == "http" and is_here(str(host))))


class Webhooks:
    """Posts the webhooks of a server and keeps what was `sent`, in the order of the answers.

    `body` makes what is posted for a job that has ended, `changed` is called after each answer and each end.
    `retry_seconds` are between the first try and the second; None waits for `release`.
    """

    def __init__(self, faults: Faults, *, body: Callable[[Job], dict[str, Any]], changed: Callable[[], None]) -> None:
        self.sent: deque[Delivery] = deque(maxlen=_REMEMBERED)
        self.retry_seconds: float | None = RETRY_SECONDS
        self._faults = faults
        self._body = body
        self._changed = changed
        self._session: aiohttp.ClientSession | None = None
        self._released = asyncio.Event()
        self._carrying: set[asyncio.Task[None]] = set()

    @property
    def waiting(self) -> int:
        """Return how many jobs' webhooks are under way, held back ones included."""
        return len(self._carrying)

    def sent_for(self, job: Job) -> list[Delivery]:
        """Return the deliveries of a job."""
        return [each for each in self.sent if each.job_id == job.id]

    def announce(self, job: Job) -> None:
        """Begin to deliver a job's webhook, if it named one and has ended in a way that is told."""
        if job.webhook_url is None or job.state is State.CANCELLED:
            return
        fault = self._faults.take(Endpoint.WEBHOOK, _KINDS)
        if fault is not None and fault.kind is Kind.LOST:
            return
        task = asyncio.create_task(self._carry(job.id, job.webhook_url, self._body(job), fault, self._released))
        self._carrying.add(task)
        task.add_done_callback(self._carried)

    def release(self) -> None:
        """Let go at once whatever is held back: late webhooks, and second tries that wait for their time."""
        self._released.set()
        self._released = asyncio.Event()

    async def close(self) -> None:
        """Deliver nothing more."""
        tasks = list(self._carrying)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _carried(self, task: asyncio.Task[None]) -> None:
        self._carrying.discard(task)
        self._changed()

    async def _carry(
        self, job_id: str, url: str, body: dict[str, Any], fault: Fault | None, released: asyncio.Event
    ) -> None:
        if fault is not None and fault.kind is Kind.TWICE:
            await asyncio.gather(*(self._post(job_id, url, body, attempt=attempt) for attempt in (1, 2)))
            return
        if fault is not None and fault.kind is Kind.LATE:
            await _pause(released, fault.seconds or None)
        first = await self._post(job_id, url, body, attempt=1)
        if not first.taken:
            await _pause(self._released, self.retry_seconds)
            await self._post(job_id, url, body, attempt=2)

    async def _post(self, job_id: str, url: str, body: dict[str, Any], *, attempt: int) -> Delivery:
        status: int | None = None
        if is_here(urlsplit(url).hostname or ""):
            with suppress(aiohttp.ClientError, TimeoutError):
                async with self._client().post(url, json=body, allow_redirects=False) as answer:
                    status = answer.status
        delivery = Delivery(job_id=job_id, url=url, body=body, attempt=attempt, status=status)
        self.sent.append(delivery)
        self._changed()
        return delivery

    def _client(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_ANSWER_SECONDS))
        return self._session


async def _pause(released: asyncio.Event, seconds: float | None) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await released.wait()
