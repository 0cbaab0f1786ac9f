"""Creation of jobs, many in one transaction."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final, TypeAlias

from sqlalchemy import Connection

from bot.domain.age_restriction import may_show
from bot.domain.errors import (
    AgeRestrictedError,
    AlreadyBegunError,
    AtelierError,
    DuplicateInteractionError,
    ImageGoneError,
    PictureTakenDownError,
    QueueFullError,
)
from bot.domain.images import InputImage
from bot.domain.jobs import InteractionContext, Job, Origin, Snapshot
from bot.domain.options import DEFAULT_RATIO
from bot.domain.requests import GenerationRequest
from bot.engine.config import EngineConfig
from bot.engine.holds import HoldBatch
from bot.engine.ledger import Ledger
from bot.engine.storage_gate import StorageGate
from bot.services.job_snapshots import JobSnapshotService
from bot.services.job_sources import check_source
from bot.services.request_facts import RequestFacts
from bot.services.request_gate import GateResult, RequestGate
from bot.services.request_resolver import RequestResolver, ResolvedRequest, read_resolver_facts
from db.accounts import AccountKey
from db.age_restriction import comes_from_restricted
from db.batches import AloneError, Batch, ItemOutcome
from db.database import Database
from db.file_references import referenced_hashes
from db.jobs import JobRepository
from db.prompt_rules import PromptBlock, PromptBlockRepository
from db.takedowns import TakedownRepository

DEDUP_WINDOW: Final = timedelta(seconds=3)
"""Within this time, the same request of the same member for the same image counts as a double press."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobOrder:
    """An order of a job from a place.

    `job_of` returns the job. It may only write to the database if the order is not `is_plain`.
    """

    place: InteractionContext
    job_of: Callable[[Connection], Job]
    is_plain: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedOrder:
    """An order of a job with a request still to be resolved.

    `job_of` returns the job, or the request if its member is to be asked first.
    """

    place: InteractionContext
    resolver: RequestResolver
    job_of: Callable[[ResolvedRequest], Job | ResolvedRequest]
    is_plain: bool = True


Order: TypeAlias = JobOrder | ResolvedOrder

Created: TypeAlias = Snapshot | ResolvedRequest
"""A job's first snapshot, or the request that its member is asked about."""


class JobCreator:
    """Creates jobs; waiting orders share a transaction."""

    def __init__(
        self,
        *,
        database: Database,
        ledger: Ledger,
        gate: RequestGate,
        config: EngineConfig,
        storage_gate: StorageGate,
        snapshots: JobSnapshotService,
    ) -> None:
        self._database = database
        self._ledger = ledger
        self._gate = gate
        self._config = config
        self._storage_gate = storage_gate
        self._snapshots = snapshots
        self._batch: Batch[Order, Created] = Batch(database, self._create_all)

    async def create(self, order: Order) -> Created:
        """Create an order's job; raises as `JobService.create` does."""
        run = self._batch.run if order.is_plain else self._batch.run_alone
        return await self._gate.record(order.place, run(order))

    async def create_together(
        self, place: InteractionContext, jobs: Sequence[Job], prepare: Callable[[Connection, Sequence[Job]], None]
    ) -> tuple[Snapshot, ...]:
        """Create all jobs of a member or none, after `prepare`."""

        def write(connection: Connection) -> tuple[Snapshot, ...]:
            self._storage_gate.check_space()
            prepare(connection, jobs)
            facts = self._gate.facts(connection, [each.place for each in jobs], is_alone=True)
            checked = [self._check(connection, job, facts[at], is_alone=True) for at, job in enumerate(jobs)]
            batch = _NewJobs(self._ledger, connection, checked, self._config.waiting_per_member, is_alone=True)
            for each in checked:
                batch.add(each)
            batch.write()
            snapshots = self._snapshots.first(connection, batch.created)
            batch.reserve()
            return tuple(snapshots)

        return await self._gate.record(place, self._database.write(write))

    def _create_all(self, connection: Connection, orders: Sequence[Order]) -> Sequence[ItemOutcome[Created]]:
        """Create jobs and return the outcome of each order.

        Nothing is written for those with an error, unless the order is the only one.
        """
        is_alone = len(orders) == 1
        self._storage_gate.check_space()
        outcomes: dict[int, ItemOutcome[Created]] = {}
        jobs: dict[int, Job] = {}
        resolvers = {at: each.resolver for at, each in enumerate(orders) if isinstance(each, ResolvedOrder)}
        resolved = dict(zip(resolvers, read_resolver_facts(connection, list(resolvers.values())), strict=True))
        for at, order in enumerate(orders):
            made: Job | ResolvedRequest
            try:
                if isinstance(order, ResolvedOrder):
                    made = order.job_of(order.resolver.resolve(connection, resolved[at]))
                else:
                    made = order.job_of(connection)
            except AtelierError as error:
                outcomes[at] = error
            else:
                if isinstance(made, Job):
                    jobs[at] = made
                else:
                    outcomes[at] = made
        checked: dict[int, _CheckedJob] = {}
        facts = self._gate.facts(connection, [each.place for each in jobs.values()], is_alone=is_alone)
        for (at, job), of_job in zip(jobs.items(), facts, strict=True):
            try:
                checked[at] = self._check(connection, job, of_job, is_alone=is_alone)
            except (AtelierError, AloneError) as error:
                outcomes[at] = error
        batch = _NewJobs(self._ledger, connection, checked.values(), self._config.waiting_per_member, is_alone=is_alone)
        created = []
        for at, each in checked.items():
            try:
                batch.add(each)
                created.append(at)
            except (AtelierError, AloneError) as error:
                outcomes[at] = error
        batch.write()
        outcomes.update(zip(created, self._snapshots.first(connection, batch.created), strict=True))
        batch.reserve()
        return [outcomes[at] for at in range(len(orders))]

    def _check(self, connection: Connection, job: Job, facts: RequestFacts, *, is_alone: bool) -> "_CheckedJob":
        """Check that a job is possible, apart from its credits."""
        if not is_alone and (job.origin is not None or job.request.inputs):
            raise AloneError  # its checks lock rows, and must see what others write
        result = self._gate.check(connection, job.place, job.request, facts)
        check_source(connection, job)
        job = replace(
            job,
            own_key=self._gate.uses_own_keys(connection, job.place.guild_id),
            age_restricted=_age_restricted(connection, job),
        )
        self._storage_gate.check_room(connection, job.place.member_id, self._config.member_megabytes)
        require_files(connection, job.request.inputs)
        check_takedowns(connection, job)
        return _CheckedJob(job=job, result=result)


@dataclass(frozen=True, slots=True, kw_only=True)
class _CheckedJob:
    """A possible job, and the gate's word on it."""

    job: Job
    result: GateResult

    @property
    def account(self) -> AccountKey:
        return self.job.place.guild_id, self.job.place.member_id


class _NewJobs:
    """New jobs of one transaction with their holds.

    The members' accounts are locked, so simultaneous presses are seen here.
    """

    def __init__(
        self,
        ledger: Ledger,
        connection: Connection,
        jobs: Collection[_CheckedJob],
        most_waiting: int,
        *,
        is_alone: bool,
    ) -> None:
        self._connection = connection
        self._most_waiting = most_waiting
        self._holds = HoldBatch(ledger, connection, [each.job for each in jobs], is_alone=is_alone)
        repository = JobRepository(connection)
        self._waiting = Counter(repository.count_waiting({each.account for each in jobs}) if jobs else {})
        interactions = {each.job.place.interaction_id for each in jobs}
        # A single job is inserted with a check.
        self._known = set(repository.list_known_interactions(interactions)) if jobs and not is_alone else set()
        self._dry_matches: list[PromptBlock] = []

    def add(self, checked: _CheckedJob) -> None:
        """Add a job to those to be written; raises as `JobCreator.create` does."""
        job, place = checked.job, checked.job.place
        decision = self._holds.decide(job, checked.result.rules)
        if place.interaction_id in self._known:
            raise DuplicateInteractionError
        if job.origin is not None and _has_recent_twin(JobRepository(self._connection), job, job.origin):
            raise AlreadyBegunError
        if self._waiting[checked.account] >= self._most_waiting:
            raise QueueFullError(self._most_waiting)
        self._holds.add(decision)
        self._known.add(place.interaction_id)
        self._waiting[checked.account] += 1
        self._dry_matches += checked.result.dry_matches

    def write(self) -> None:
        """Write the jobs; raises as `HoldBatch.write` does."""
        self._holds.write()
        for each in self._dry_matches:
            PromptBlockRepository(self._connection).add(each)

    def reserve(self) -> None:
        """Reserve the prices at the end, as `HoldBatch.reserve` does."""
        self._holds.reserve()

    @property
    def created(self) -> list[tuple[Job, int | None]]:
        """The written jobs, with their members' remaining credits."""
        return [(each.job, each.account.available) for each in self._holds.decided]


def require_files(connection: Connection, inputs: Iterable[InputImage]) -> None:
    """Raise `ImageGoneError` if an input's file was deleted after its look-up.

    The transaction locks the rows of the others until its end, so none is deleted before the job refers to it.
    """
    wanted = {each.file.sha256 for each in inputs if each.file is not None}
    if wanted and referenced_hashes(connection, wanted, hold=True) < wanted:
        raise ImageGoneError


def _age_restricted(connection: Connection, job: Job) -> bool:
    """Return a new job's flag, after checking that its channel may have it.

    Where the channel's flag is unknown, the pictures get the flag: they stay out of channels without it. Inputs that
    are to be downloaded are compared with age-restricted pictures only for jobs without it, so there are none there.

    Raises:
        AgeRestrictedError: the job starts from an age-restricted picture, or may do so, and its channel is not one.
    """
    place = job.place
    is_copy = comes_from_restricted(connection, job)
    if not may_show(is_age_restricted=is_copy, in_age_restricted=place.in_age_restricted):
        raise AgeRestrictedError
    if place.is_flag_unknown and any(each.file is None for each in job.request.inputs):
        raise AgeRestrictedError(is_unknown=True)
    return is_copy or place.in_age_restricted or place.is_flag_unknown


def check_takedowns(connection: Connection, job: Job) -> None:
    """Check that no stored input of a job was taken down in its guild.

    Inputs that are to be downloaded are compared then.

    Raises:
        PictureTakenDownError: one was.
    """
    hashes = {each.file.sha256 for each in job.request.inputs if each.file is not None}
    if hashes and any(TakedownRepository(connection).list_refused(job.place.guild_id, hashes)):
        raise PictureTakenDownError


def _has_recent_twin(jobs: JobRepository, job: Job, origin: Origin) -> bool:
    """Return whether an identical job was created within `DEDUP_WINDOW`.

    Identical means: by the same member, from the same origin, with the same request.
    """
    recent = jobs.list_children(origin.job_id, job.place.member_id, since=job.created_at - DEDUP_WINDOW)
    return any(each.id != job.id and each.origin == origin and _is_same(each, job) for each in recent)


def _is_same(one: Job, other: Job) -> bool:
    return _dedup_key(one) == _dedup_key(other) and one.place.guild_id == other.place.guild_id


def _dedup_key(job: Job) -> GenerationRequest:
    """Return the job's request without the parts varying between presses.

    An input's URL is signed again each time, and its aspect ratio is known only after it was fetched.
    """
    request = replace(job.request, inputs=())
    return replace(request, aspect_ratio=DEFAULT_RATIO) if request.keep_aspect_ratio else request
