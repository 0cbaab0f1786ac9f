"""Signed webhooks: each attempt has the same raw body and its signature."""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp

from sandbox.providers.faults import Endpoint, Faults, Kind
from sandbox.providers.inputs import is_loopback_host
from sandbox.providers.job_store import Job, State
from sandbox.providers.webhooks import Delivery, Webhooks

_KINDS: Final = frozenset({Kind.LOST, Kind.TWICE, Kind.LATE, Kind.CASE})

Body = Callable[[Job, str], dict[str, Any]]
Sign = Callable[[Job, bytes, str], Mapping[str, str]]


class SignedWebhooks(Webhooks):
    """Posts signed webhooks and repeats refused ones.

    `build` returns the body of an ended job and `sign` the headers of its bytes; both get the named case, or an empty
    text. The delays before repetitions are `retry_delays` in seconds; None instead of the sequence waits for
    `release`. With `ends_on_redirect`, a redirect is not repeated.
    """

    def __init__(
        self,
        faults: Faults,
        *,
        build: Body,
        sign: Sign,
        retry_delays: Sequence[float],
        answer_seconds: float,
        on_change: Callable[[], None],
        ends_on_redirect: bool = False,
    ) -> None:
        super().__init__(faults, body=lambda job: build(job, ""), on_change=on_change)
        self.retry_delays = tuple(retry_delays)
        self.waits_for_release = False
        self._build = build
        self._sign = sign
        self._answer_seconds = answer_seconds
        self._ends_on_redirect = ends_on_redirect

    def start_delivery(self, job: Job) -> None:
        """Start the delivery of a job's webhook.

        A job without a webhook and a cancelled job have none.
        """
        if job.webhook_url is None or job.state is State.CANCELLED:
            return
        fault = self._faults.take(Endpoint.WEBHOOK, _KINDS)
        kind = None if fault is None else fault.kind
        if kind is Kind.LOST:
            return
        case = fault.case if fault is not None and kind is Kind.CASE else ""
        body = self._build(job, case)
        delay = fault.seconds if fault is not None and kind is Kind.LATE else None
        task = asyncio.create_task(
            self._deliver_signed(
                job, job.webhook_url, body, case, self._released, twice=kind is Kind.TWICE, delay=delay
            )
        )
        self._tasks.add(task)
        task.add_done_callback(self._on_delivered)

    async def _deliver_signed(
        self,
        job: Job,
        url: str,
        body: dict[str, Any],
        case: str,
        released: asyncio.Event,
        *,
        twice: bool,
        delay: float | None,
    ) -> None:
        raw = json.dumps(body).encode()
        if delay is not None:
            await _pause(released, delay or None)
        if twice:
            await asyncio.gather(*(self._post_signed(job, url, body, raw, case, attempt=at) for at in (1, 2)))
            return
        for attempt in range(1, len(self.retry_delays) + 2):
            delivery = await self._post_signed(job, url, body, raw, case, attempt=attempt)
            if delivery.is_accepted or (self._ends_on_redirect and (delivery.status or 0) // 100 == 3):  # noqa: PLR2004 - the class of statuses
                return
            if attempt <= len(self.retry_delays):
                await _pause(self._released, None if self.waits_for_release else self.retry_delays[attempt - 1])

    async def _post_signed(
        self, job: Job, url: str, body: dict[str, Any], raw: bytes, case: str, *, attempt: int
    ) -> Delivery:
        status: int | None = None
        if is_loopback_host(urlsplit(url).hostname or ""):
            headers = {"Content-Type": "application/json", **self._sign(job, raw, case)}
            timeout = aiohttp.ClientTimeout(total=self._answer_seconds)
            with suppress(aiohttp.ClientError, TimeoutError, ValueError):  # an odd URL is a ValueError
                async with self._client().post(
                    url, data=raw, headers=headers, allow_redirects=False, timeout=timeout
                ) as answer:
                    status = answer.status
        delivery = Delivery(job_id=job.id, url=url, body=body, attempt=attempt, status=status)
        self.sent.append(delivery)
        self._on_change()
        return delivery


async def _pause(released: asyncio.Event, seconds: float | None) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await released.wait()
