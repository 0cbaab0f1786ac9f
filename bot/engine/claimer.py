"""Giving slots to those whose turn it is: which jobs, at which provider, under which addresses. In one transaction."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from sqlalchemy import Connection

from bot.domain.jobs import Attempt, Job, Outcome, State
from bot.domain.models import Offer
from bot.domain.requests import offers_for
from bot.engine.config import EngineConfig
from bot.engine.lease import Lease
from bot.engine.retry_policy import remaining_offers
from bot.engine.slots import Slots
from db.attempts import AttemptRepository
from db.fair_share import FairShareRepository
from db.inputs import InputImageRepository
from db.jobs import JobRepository
from db.locks import CLAIMING, advisory_lock
from db.queue import QueueRepository

# Cards that show a place in line are refreshed as far back as a member would watch it move.
_QUEUE_SHOWN: Final = 20
# A line is read on past those that are passed over, but not to its end: it may be long, and others write too.
_PAGES: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class CallbackUrl:
    """An address at which a provider may call us, or fetch from us, and the hash by which it is known again."""

    url: str = field(repr=False)
    hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A job that got a slot, and the offer that it is to be submitted to, with what may be called about it.

    The job's inputs have the addresses from which the provider may fetch them.
    """

    job: Job
    offer: Offer
    callback_url: CallbackUrl | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimResult:
    """What came of giving slots.

    `claims` are SUBMITTING now; `queue` has, where it was wanted, the first of this worker's jobs that still wait;
    `next_retry_in` is the seconds to the next job that waits for another try; `has_waiting`: any job still waits.
    """

    claims: tuple[Claim, ...] = ()
    queue: tuple[str, ...] = ()
    next_retry_in: float | None = None
    has_waiting: bool = False


def no_callback_url(_: str) -> CallbackUrl | None:
    """Return no hook, for studios that providers cannot call."""
    return None


def no_input_url() -> CallbackUrl | None:
    """Return no address, for studios that providers cannot fetch from: Discord's own are used."""
    return None


class JobClaimer:
    """Fills free slots on somebody's connection. It keeps nothing between turns."""

    def __init__(
        self,
        *,
        config: EngineConfig,
        lease: Lease,
        providers: Sequence[str],
        new_callback_url: Callable[[str], CallbackUrl | None],
        new_input_url: Callable[[], CallbackUrl | None],
    ) -> None:
        self._config = config
        self._lease = lease
        self._providers = tuple(providers)
        self._new_callback_url = new_callback_url
        self._new_input_url = new_input_url

    def claim_batch(
        self,
        connection: Connection,
        now: datetime,
        limit: int,
        available_submits: Mapping[str, int],
        *,
        with_queue: bool,
    ) -> ClaimResult:
        """Give slots to `limit` jobs at most; see `JobStore.claim_batch`."""
        advisory_lock(connection, CLAIMING)
        queue = QueueRepository(connection)
        if not queue.has_waiting():
            return ClaimResult()
        claims = self._fill(connection, Slots(connection, self._config, available_submits), now, limit)
        first = queue.list_first(_QUEUE_SHOWN + limit) if with_queue else ()
        next_due = queue.next_due(now)
        return ClaimResult(
            claims=tuple(claims),
            queue=tuple(job_id for job_id, owner in first if owner == self._lease.worker_id)[:_QUEUE_SHOWN],
            next_retry_in=None if next_due is None else (next_due - now).total_seconds(),
            has_waiting=queue.has_waiting(),
        )

    def _fill(self, connection: Connection, slots: Slots, now: datetime, limit: int) -> list[Claim]:
        jobs = JobRepository(connection)
        attempts = AttemptRepository(connection)
        claims: list[Claim] = []
        new: list[Attempt] = []
        for job in self._list_claimable(QueueRepository(connection), slots, now, limit):
            earlier = attempts.list_for(job.id) if job.tries else ()
            offers = remaining_offers(offers_for(job.request, self._providers), earlier)
            offer = slots.take(job.place.guild_id, offers)
            if offer is None:
                continue
            callback_url = self._new_callback_url(offer.provider)
            claims.append(Claim(job=self._addressed(connection, job), offer=offer, callback_url=callback_url))
            new.append(
                Attempt(
                    job_id=job.id,
                    number=earlier[-1].number + 1 if earlier else 1,
                    provider=offer.provider,
                    outcome=Outcome.OPEN,
                    started_at=now,
                    webhook_hash=None if callback_url is None else callback_url.hash,
                )
            )
            if len(claims) == limit or not slots.any_free:
                break
        if new:
            attempts.add_all(new)
            FairShareRepository(connection).record_served((claim.job for claim in claims), now)
        return [replace(claim, job=self._submitting(jobs, claim, now)) for claim in claims]

    def _addressed(self, connection: Connection, job: Job) -> Job:
        """Return the job with addresses for this submit alone, where providers fetch from us; older ones are dead."""
        inputs = []
        for position, picture in enumerate(job.request.inputs):
            input_url = self._new_input_url()
            if input_url is not None:
                InputImageRepository(connection).set_token_hash(job.id, position, input_url.hash)
            inputs.append(picture if input_url is None else replace(picture, url=input_url.url))
        return replace(job, request=replace(job.request, inputs=tuple(inputs))) if inputs else job

    def _list_claimable(self, queue: QueueRepository, slots: Slots, now: datetime, limit: int) -> Iterator[Job]:
        """Yield those who may be served, best first, as long as there are slots for any of them.

        Who is passed over must not hide those behind: the line is read on, past whom no free slot is for.
        """
        seen: set[str] = set()
        skipped = 0
        for _ in range(_PAGES if slots.any_free else 0):
            wanted = slots.models, slots.full_guilds
            page = queue.list_claimable(
                now, self._config.active_per_member, limit, skipped, models=wanted[0], full=wanted[1]
            )
            yield from (job for job in page if job.id not in seen)
            seen.update(job.id for job in page)
            if wanted != (slots.models, slots.full_guilds):
                skipped = 0  # fewer are wanted now, so they are counted anew
            elif len(page) < limit:
                return
            else:
                skipped += len(page)

    def _submitting(self, jobs: JobRepository, claim: Claim, now: datetime) -> Job:
        """Move a claimed job on; one that another worker holds is taken from it, for nothing is under way yet.

        The fence rises with every claim: what is written late about an earlier submit must not be taken for this one's.
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
