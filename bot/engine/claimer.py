"""Claims: choose queued jobs for the free slots, in one transaction."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from sqlalchemy import Connection

from bot.domain.attachments import is_fetchable
from bot.domain.catalogue import Catalogue
from bot.domain.jobs import Attempt, Job, Outcome, State
from bot.domain.models import Offer
from bot.domain.requests import images_by_call, offers_for
from bot.engine.config import EngineConfig
from bot.engine.guild_key_offers import usable_keys
from bot.engine.lease import Lease
from bot.engine.retry_policy import is_webhook_refused, next_retry_at, ready_offers, remaining_offers
from bot.engine.slots import KeyLimits, Slots
from db.attempts import AttemptRepository
from db.fair_share import FairShareRepository
from db.inputs import InputImageRepository
from db.job_batch import JobBatch
from db.locks import CLAIMING, advisory_lock
from db.pauses import PauseRepository
from db.queue import QueueRepository

# Cards further back would hardly be watched: their queue position is not refreshed.
_QUEUE_SHOWN: Final = 20
# The queue is read past skipped jobs, but not to its end: it may be long and blocks other writes meanwhile.
_PAGES: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class CallbackUrl:
    """A URL for a provider, and the hash to recognize it.

    The provider calls it (webhook) or downloads from it (input image).
    """

    url: str = field(repr=False)
    hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimedCall:
    """A call to send: its attempt and its webhook URL, if any."""

    attempt: Attempt
    callback_url: CallbackUrl | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A job with a slot, the chosen offer and the calls to send.

    The job's inputs have the URLs from which the provider downloads them.
    """

    job: Job
    offer: Offer
    calls: tuple[ClaimedCall, ...]

    @property
    def key_id(self) -> str | None:
        """The guild's key of all its calls; None is the operator's."""
        return self.calls[0].attempt.key_id


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimResult:
    """The result of one claim transaction.

    `claims` are in SUBMITTING now. `queue` has the first of this worker's jobs in the queue, if requested.
    `next_retry_in` is the number of seconds until the next job may be tried again. `has_waiting`: any job still
    waits, of any worker. `is_paused`: a pause may be the reason. `keyless` are this worker's waiting jobs whose guild
    has no usable key for them any more.
    """

    claims: tuple[Claim, ...] = ()
    queue: tuple[str, ...] = ()
    next_retry_in: float | None = None
    has_waiting: bool = False
    is_paused: bool = False
    keyless: tuple[str, ...] = ()


def has_input_urls(job: Job, until: datetime) -> bool:
    """Return whether providers can fetch all inputs of the job until then."""
    return all(is_fetchable(image.provider_url, until) for image in job.request.inputs)


def takes_urls(_: str) -> bool:
    """Return True: a provider downloads its inputs."""
    return True


def no_callback_url(_: str) -> CallbackUrl | None:
    """Return no webhook URL: providers cannot call this installation."""
    return None


def no_input_url() -> CallbackUrl | None:
    """Return no input URL: each job publishes its inputs instead."""
    return None


class JobClaimer:
    """Fills free slots on a given connection. It keeps no state."""

    def __init__(
        self,
        *,
        config: EngineConfig,
        lease: Lease,
        catalogue: Catalogue,
        new_callback_url: Callable[[str], CallbackUrl | None],
        new_input_url: Callable[[], CallbackUrl | None],
        takes_urls: Callable[[str], bool],
    ) -> None:
        self._takes_urls = takes_urls
        self._config = config
        self._lease = lease
        self._catalogue = catalogue
        self._new_callback_url = new_callback_url
        self._new_input_url = new_input_url

    def claim_batch(
        self,
        connection: Connection,
        now: datetime,
        limit: int,
        available_submits: Mapping[str, int],
        offer_limits: Mapping[tuple[str, str], int],
        *,
        key_limits: KeyLimits,
        with_queue: bool,
    ) -> ClaimResult:
        """Claim up to `limit` jobs; see `JobStore.claim_batch`."""
        advisory_lock(connection, CLAIMING)
        queue = QueueRepository(connection)
        if not queue.has_waiting():
            return ClaimResult()
        pauses = PauseRepository(connection).list()
        slots = Slots(connection, self._config, self._catalogue, available_submits, offer_limits, pauses, key_limits)
        keyless: list[str] = []
        claims, retries = self._claim_jobs(connection, slots, now, limit, keyless)
        waiting = queue.list_first(_QUEUE_SHOWN + limit) if with_queue else ()
        if (next_due := queue.next_due(now)) is not None:
            retries.append(next_due)
        return ClaimResult(
            claims=tuple(claims),
            queue=tuple(job_id for job_id, owner in waiting if owner == self._lease.worker_id)[:_QUEUE_SHOWN],
            next_retry_in=(min(retries) - now).total_seconds() if retries else None,
            has_waiting=queue.has_waiting(),
            is_paused=bool(pauses),
            keyless=tuple(keyless),
        )

    def _claim_jobs(
        self, connection: Connection, slots: Slots, now: datetime, limit: int, keyless: list[str]
    ) -> tuple[list[Claim], list[datetime]]:
        """Return the claims, and the retry times of the skipped jobs.

        Jobs without a usable key are added to `keyless`.
        """
        attempts = AttemptRepository(connection)
        claims: list[Claim] = []
        retries: list[datetime] = []
        new: list[Attempt] = []
        for job in self._list_claimable(QueueRepository(connection), slots, now, limit):
            earlier = attempts.list_for(job.id) if job.tries else ()
            offers = remaining_offers(offers_for(job.request, self._catalogue), earlier)
            keys = usable_keys(connection, job)
            if keys is not None and offers and not any(offer.provider in keys for offer in offers):
                keyless += [job.id] if job.owner == self._lease.worker_id else []
                continue
            if not self._has_input_urls(job, now):
                # If none is left, the job's next step publishes its inputs again.
                offers = tuple(offer for offer in offers if not self._takes_urls(offer.provider))
            offer = slots.take(job.place.guild_id, ready_offers(offers, earlier, now), job.request.images, keys)
            if offer is None:
                if (retry := next_retry_at(offers, earlier, now)) is not None:
                    retries.append(retry)
                continue
            calls = self._plan_calls(job, offer, earlier, now, key_id=None if keys is None else keys[offer.provider])
            addressed = self._with_input_urls(connection, job) if self._takes_urls(offer.provider) else job
            claims.append(Claim(job=addressed, offer=offer, calls=calls))
            new.extend(call.attempt for call in calls)
            if len(claims) == limit or not slots.has_free:
                break
        if new:
            attempts.add_all(new)
            FairShareRepository(connection).record_served((claim.job for claim in claims), now)
        jobs = JobBatch(connection, [claim.job for claim in claims])
        claims = [replace(claim, job=self._mark_submitting(jobs, claim, now)) for claim in claims]
        jobs.write()
        return claims, retries

    def _plan_calls(
        self, job: Job, offer: Offer, earlier: Sequence[Attempt], now: datetime, *, key_id: str | None
    ) -> tuple[ClaimedCall, ...]:
        """Return the calls for a job at an offer, enough for its images."""
        with_callback = not is_webhook_refused(offer.provider, earlier)
        first = earlier[-1].number + 1 if earlier else 1
        calls = []
        for part, images in enumerate(images_by_call(job.request.images, offer)):
            url = self._new_callback_url(offer.provider) if with_callback else None
            attempt = Attempt(
                job_id=job.id,
                number=first + part,
                provider=offer.provider,
                outcome=Outcome.OPEN,
                started_at=now,
                batch=first,
                part=part,
                images=images,
                webhook_hash=None if url is None else url.hash,
                key_id=key_id,
            )
            calls.append(ClaimedCall(attempt=attempt, callback_url=url))
        return tuple(calls)

    def _has_input_urls(self, job: Job, now: datetime) -> bool:
        """Return whether providers can download all inputs of a job."""
        return has_input_urls(job, now) or self._new_input_url() is not None

    def _with_input_urls(self, connection: Connection, job: Job) -> Job:
        """Return the job with new input URLs for this submit; older ones expire.

        Unchanged if providers cannot download from us: the job has published its inputs.
        """
        inputs = []
        for position, image in enumerate(job.request.inputs):
            input_url = self._new_input_url()
            if input_url is not None:
                InputImageRepository(connection).set_token_hash(job.id, position, input_url.hash)
            inputs.append(image if input_url is None else replace(image, provider_url=input_url.url))
        return replace(job, request=replace(job.request, inputs=tuple(inputs))) if inputs else job

    def _list_claimable(self, queue: QueueRepository, slots: Slots, now: datetime, limit: int) -> Iterator[Job]:
        """Yield claimable jobs, best first, while a slot is free for any.

        Skipped jobs must not hide those behind them: the queue is read on past jobs without a free slot.
        """
        seen: set[str] = set()
        skipped = 0
        for _ in range(_PAGES if slots.has_free else 0):
            wanted = slots.models, slots.own_models, slots.full_guilds
            models, own_models, full = wanted
            page = queue.list_claimable(
                now,
                self._config.active_per_member,
                limit,
                skipped,
                models=models,
                own_models=own_models,
                full=full,
            )
            yield from (job for job in page if job.id not in seen)
            seen.update(job.id for job in page)
            if wanted != (slots.models, slots.own_models, slots.full_guilds):
                skipped = 0  # fewer models or guilds have a free slot now: the offset counts other rows
            elif len(page) < limit:
                return
            else:
                skipped += len(page)

    def _mark_submitting(self, jobs: JobBatch, claim: Claim, now: datetime) -> Job:
        """Move a claimed job to SUBMITTING and to this worker.

        The job may belong to another worker: nothing has been sent for it yet. The fence rises with every claim, so
        that a late write about an earlier submit is rejected.
        """
        job = claim.job
        return jobs.advance(
            job,
            State.SUBMITTING,
            owner=self._lease.worker_id,
            fence=job.fence + 1,
            provider=claim.offer.provider,
            submitted_at=now,
        )
