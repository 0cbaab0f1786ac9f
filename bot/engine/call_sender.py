"""One call to a provider, and its outcome for certain or not."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import date
from typing import Final, TypeVar

import structlog

from bot.domain.costs import Cost, CostSource, usd
from bot.domain.errors import FaultKind, ImageError, ProviderError
from bot.domain.jobs import Attempt, Job
from bot.domain.models import Offer
from bot.engine.claimer import ClaimedCall
from bot.engine.clock import Clock
from bot.engine.fault_attribution import attribute_failure, attribute_refusal, level_of
from bot.engine.lease import Lease
from bot.engine.provider_pool import ProviderPool
from bot.engine.provider_status import SubmitEpochs
from bot.engine.provider_statuses import ProviderStatuses
from bot.engine.submissions import SubmissionBuilder
from bot.images.fair_queue import FairQueue
from bot.providers.base import Failed, Finished, InputForm, LostCall, Pending, Provider, SubmitAnswer

_log = structlog.get_logger(__name__)

INPUT_BYTES: Final = 64 * 1024 * 1024
"""Of the input images of all open calls of a kind. As base64 in JSON, they take up to six times as much memory."""

_CALLS: Final = 10_000  # no limit: the slots of providers and members are one


@dataclass(frozen=True, slots=True)
class LostReply:
    """A call may have been accepted.

    `may_come`: a webhook may still name the job, or the provider may know it later; then it can be asked again
    (`ask_again`). `is_billed` is False if it surely costs nothing.
    """

    may_come: bool
    ask_again: bool = False
    is_billed: bool = True


_End = TypeVar("_End", bound=Finished | Failed)

CallResult = SubmitAnswer | ProviderError | LostReply
"""The result of a call; a `ProviderError` is a sure refusal."""


class CallSender:
    """Sends calls, each once, and looks for those without a reply.

    `claim_handle` records a handle for a call unless another has it: two equal inputs may be two members' calls.
    """

    def __init__(
        self,
        *,
        pool: ProviderPool,
        submissions: SubmissionBuilder,
        statuses: ProviderStatuses,
        clock: Clock,
        lease: Lease,
        claim_handle: Callable[[Attempt, str], Awaitable[bool]],
    ) -> None:
        self._claim_handle = claim_handle
        self._pool = pool
        self._submissions = submissions
        self._statuses = statuses
        self._clock = clock
        self._lease = lease
        # Apart, since synchronous calls take minutes and others seconds.
        self._turns = {kind: FairQueue(slots=_CALLS, budget=INPUT_BYTES, per_member=_CALLS) for kind in (True, False)}
        self._open_synchronous = 0
        self._no_synchronous = asyncio.Event()
        self._no_synchronous.set()

    @property
    def open_synchronous(self) -> int:
        """Number of open and waiting calls to synchronous providers."""
        return self._open_synchronous

    @property
    def waiting(self) -> int:
        """Number of calls waiting for the memory of their inputs."""
        return sum(queue.waiting for queue in self._turns.values())

    async def wait_synchronous(self, seconds: float, hurry: asyncio.Event) -> None:
        """Wait until no such call is open, until `hurry`, or `seconds`."""
        end = asyncio.Event()
        watchers = [asyncio.create_task(_forward(each, end)) for each in (self._no_synchronous, hurry)]
        try:
            await self._clock.wait(end, seconds)
        finally:
            for watcher in watchers:
                watcher.cancel()

    async def send(self, job: Job, call: ClaimedCall, offer: Offer, epochs: SubmitEpochs | None) -> CallResult:
        """Send a call once and return its result."""
        provider = await self._client_of(job, call.attempt)
        if isinstance(provider, ProviderError):
            return provider
        status = self._statuses.of(call.attempt.key_id)
        url = None if call.callback_url is None else call.callback_url.url
        try:
            answer = await self._send(job, call.attempt, offer, provider, url)
        except ProviderError as error:
            error = attribute_refusal(error, job.request, has_callback=url is not None)
            error = await self._pool.attribute(call.attempt, error)
            status.record_refusal(offer, error, epochs, member_id=job.place.member_id)
            if error.maybe_accepted:
                _log.error(
                    "submit.reply_lost", job=job.id, provider=offer.provider, fault=error.kind, status=error.status
                )
                return await self.find(job, call.attempt, offer, has_callback=url is not None)
            _log.log(
                level_of(error.kind),
                "submit.refused",
                job=job.id,
                provider=offer.provider,
                fault=error.kind,
                status=error.status,
                detail=error.detail,
            )
            return error
        except Exception:  # noqa: BLE001 - whatever it was, it may have come after the request was sent
            _log.exception("submit.broke", job=job.id, provider=offer.provider)
            status.record_lost_reply(offer, epochs)
            return await self.find(job, call.attempt, offer, has_callback=url is not None)
        answer = await self._pool.attribute(call.attempt, attribute_failure(answer, job.request))
        status.record_answer(offer, answer, epochs)
        if isinstance(answer, Finished | Failed):
            return with_list_price(answer, job, call.attempt, offer, self._clock.now().date())
        return answer

    async def find(self, job: Job, attempt: Attempt, offer: Offer | None, *, has_callback: bool) -> CallResult:
        """Ask the provider for a call without a reply.

        `offer` is None if the catalogue has it no more.
        """
        provider = None if offer is None else await self._pool.provider_of(attempt)
        if provider is None or offer is None:
            return LostReply(may_come=has_callback)
        try:
            found = await provider.find_lost(self._submissions.describe(job, attempt, offer))
        except ProviderError as error:
            await self._pool.attribute(attempt, error)
            _log.warning("submit.not_asked", job=job.id, provider=provider.name, fault=error.kind, status=error.status)
            found = LostCall.ASK_AGAIN
        except Exception:  # noqa: BLE001 - a fault of ours proves nothing about the call
            _log.exception("submit.ask_broke", job=job.id, provider=provider.name)
            found = LostCall.UNDECIDED
        match found:
            case LostCall.NOT_TAKEN:
                _log.info("submit.not_taken", job=job.id, provider=provider.name)
                return ProviderError(FaultKind.UNAVAILABLE, provider=provider.name, detail="not taken")
            case LostCall.NOT_BILLED:
                return LostReply(may_come=False, is_billed=False)
            case LostCall.ASK_AGAIN:
                return LostReply(may_come=True, ask_again=True)
            case LostCall.UNDECIDED:
                return LostReply(may_come=has_callback)
            case handle if not await self._claim_handle(attempt, handle):
                _log.warning("submit.found_another", job=job.id, provider=provider.name)
                return LostReply(may_come=has_callback)
            case handle:
                _log.info("submit.found", job=job.id, provider=provider.name)
                return Pending(handle=handle, running=False)

    async def _client_of(self, job: Job, call: Attempt) -> Provider | ProviderError:
        """Return the client of an unsent call, or why it is refused.

        Without the guild's key it is never sent with the operator's.
        """
        term = self._lease.term
        fault, detail = FaultKind.GUILD_KEY_GONE, "no key"
        try:
            provider = await self._pool.provider_of(call)
        except Exception:  # noqa: BLE001 - the database may be back in a moment, and nothing is sent
            _log.exception("submit.no_client", job=job.id)
            return ProviderError(FaultKind.UNAVAILABLE, provider=call.provider, detail="its key was not read")
        if provider is not None and (call.key_id is None or (self._lease.is_held and self._lease.term == term)):
            return provider
        if provider is not None:  # the lease ended while the key was read: another worker may own the job
            fault, detail = FaultKind.STORAGE, "not sent without a lease"
        _log.warning("submit.refused", job=job.id, provider=call.provider, fault=fault, detail=detail)
        return ProviderError(fault, provider=call.provider, detail=detail)

    async def _send(
        self, job: Job, attempt: Attempt, offer: Offer, provider: Provider, url: str | None
    ) -> SubmitAnswer:
        if not provider.is_synchronous:
            return await self._send_in_turn(job, attempt, offer, provider, url)
        self._open_synchronous += 1
        self._no_synchronous.clear()
        try:
            return await self._send_in_turn(job, attempt, offer, provider, url)
        finally:
            self._open_synchronous -= 1
            if not self._open_synchronous:
                self._no_synchronous.set()

    async def _send_in_turn(
        self, job: Job, attempt: Attempt, offer: Offer, provider: Provider, url: str | None
    ) -> SubmitAnswer:
        """Send a call once the memory for its inputs is free.

        A call without files never waits. If the lease ended during the wait, another worker may have given the job up.
        """
        size = _input_bytes(job) if provider.input_form is InputForm.FILE else 0
        if not size:
            return await self._send_now(job, attempt, offer, provider, url)
        term = self._lease.term
        async with self._turns[provider.is_synchronous].turn(job.place.member_id, size):
            if not self._lease.is_held or self._lease.term != term:
                raise ProviderError(FaultKind.STORAGE, provider=provider.name, detail="not sent without a lease")
            return await self._send_now(job, attempt, offer, provider, url)

    async def _send_now(
        self, job: Job, attempt: Attempt, offer: Offer, provider: Provider, url: str | None
    ) -> SubmitAnswer:
        try:
            submission = await self._submissions.build(job, attempt, offer, provider, webhook_url=url)
        except (ImageError, OSError) as error:
            _log.error("submit.no_input", job=job.id, error=type(error).__name__)
            fault = FaultKind.INPUT_GONE if isinstance(error, ImageError) else FaultKind.STORAGE
            raise ProviderError(fault, provider=provider.name, detail="an input cannot be read") from None
        return await provider.submit(submission)


def _input_bytes(job: Job) -> int:
    return sum(0 if each.file is None else each.file.size for each in job.request.inputs)


async def _forward(event: asyncio.Event, to: asyncio.Event) -> None:
    await event.wait()
    to.set()


def with_list_price(answer: _End, job: Job, attempt: Attempt, offer: Offer, today: date) -> _End:
    """Return the answer with the list price of its call, if none is known.

    A failure without images is not billed.
    """
    if answer.cost is not None or attempt.cost is not None or (isinstance(answer, Failed) and not answer.made_images):
        return answer
    cost = list_cost(job, attempt, offer, today)
    return answer if cost is None else replace(answer, cost=cost)


def list_cost(job: Job, attempt: Attempt, offer: Offer, today: date) -> Cost | None:
    """Return the cost of a call by the catalogue; None if it has no price."""
    price = offer.list_price(today)
    if price is None:
        return None
    request = job.request
    unit = price.of(request.mode, resolution=request.resolution, quality=request.quality)
    return usd(unit * (attempt.images or request.images), CostSource.TABLE)
