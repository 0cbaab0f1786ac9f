"""Jobs asked for at the same moment end as one after another."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, event, select, text
from sqlalchemy.util import await_only

from bot.domain.allowances import AllowanceEntry, PeriodKind
from bot.domain.bans import Ban, BanScope
from bot.domain.credits import Account
from bot.domain.errors import DeletionRunningError, FaultKind, ProviderError, StaleJobError
from bot.domain.jobs import InteractionContext, Job, Outcome, Snapshot, State
from bot.domain.pauses import Pause, PauseScope
from bot.domain.preferences import NO_PREFERENCES
from bot.domain.prompt_rules import PromptRuleState
from bot.engine.batch_store import BatchStore
from bot.engine.config import EngineConfig
from bot.engine.holds import hold_job
from bot.engine.member_identity import MemberIdentity
from bot.providers.base import Finished, Pending
from bot.services.request_resolver import ResolverService
from db.accounts import AccountKey, AccountRepository
from db.allowances import AllowanceRepository
from db.attempts import AttemptRepository
from db.bans import BanRepository
from db.budgets import BudgetRepository
from db.database import Database
from db.deletions import DeletionRepository
from db.guilds import GuildRepository
from db.job_batch import JobBatch
from db.jobs import JobRepository
from db.pauses import PauseRepository
from db.preferences import PreferenceRepository
from db.tables import accounts, movements, postings
from tests.services.conftest import Open, ServiceHarness
from tests.services.test_prompt_checks import add_rules, blocks
from tests.support.catalogue import BOTH
from tests.support.factories import GUILD, MEMBER, make_attempt, make_context, make_image, make_job, make_request

TOGETHER, ONE_BY_ONE = GUILD, GUILD + 1
ROLE, WEEKLY = 501, 502


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A member's request, by the member's number."""

    member: int = 0
    roles: tuple[int, ...] = ()
    options: dict[str, Any] = field(default_factory=dict)

    def place(self, guild_id: int) -> InteractionContext:
        """Return the place of the request in a guild."""
        return make_context(guild_id=guild_id, member_id=MEMBER + self.member, roles=self.roles)


SCENARIOS: dict[str, list[Asked]] = {
    "of different members": [Asked(member=number) for number in range(20)],
    "of one member": [Asked() for _ in range(6)],
    "beyond a member's credits": [Asked(member=1, options={"images": 4, "detail": 4}) for _ in range(3)],
    "beyond a member's queue": [Asked(member=2, roles=(ROLE,)) for _ in range(13)],
    "of roles": [Asked(member=3, roles=(ROLE,)), Asked(member=3, roles=(ROLE,)), Asked(member=4), Asked(member=4)],
    "of roles with other periods": [Asked(member=3, options={"images": 4}), Asked(member=3, roles=(WEEKLY,))],
    "of a banned member": [Asked(), Asked(member=5), Asked(member=6)],
    "of a paused model": [Asked(), Asked(member=7, options={"model": "nano-banana"}), Asked(member=8)],
    "with forbidden words": [Asked(), Asked(member=9, options={"prompt": "a volcano"}), Asked(member=10)],
    "with watched words": [Asked(), Asked(member=1, options={"prompt": "lava"}), Asked(member=2)],
    "with an option that nobody has": [Asked(), Asked(member=11, options={"aspect_ratio": "21:9"}), Asked(member=12)],
    "of unequal prices": [Asked(member=number % 3, options={"images": 1 + number % 4}) for number in range(12)],
}


async def outcomes(services: ServiceHarness, guild_id: int, asked: Sequence[Asked], *, at_once: bool) -> list[object]:
    """Ask for jobs in a guild; return the answers."""

    async def create(each: Asked) -> object:
        try:
            made = await services.jobs.create(each.place(guild_id), make_request(**each.options))
        except Exception as error:  # noqa: BLE001 - compared
            return type(error), str(error).split("(rule")[0]
        return made.available, made.job.price

    if at_once:
        return list(await asyncio.gather(*map(create, asked)))
    return [await create(each) for each in asked]


async def set_up(services: ServiceHarness) -> None:
    """Give both guilds the same rules."""
    now = services.clock.now()

    def write(connection: Connection) -> None:
        for guild_id in (TOGETHER, ONE_BY_ONE):
            GuildRepository(connection).admit(guild_id, by=1, at=now)
            AllowanceRepository(connection).set(guild_id, AllowanceEntry(amount=100))
            AllowanceRepository(connection).set(guild_id, AllowanceEntry(amount=None, role_id=ROLE))
            AllowanceRepository(connection).set(
                guild_id, AllowanceEntry(amount=120, period=PeriodKind.WEEK, role_id=WEEKLY)
            )
            AllowanceRepository(connection).set(guild_id, AllowanceEntry(amount=30, member_id=MEMBER + 4))
            BanRepository(connection).set(
                Ban(guild_id=guild_id, member_id=MEMBER + 5, scope=BanScope.STUDIO, at=now, actor_id=1)
            )
        PauseRepository(connection).begin(
            Pause(scope=PauseScope.MODEL, name="nano-banana", reason="", actor_id=0, at=now)
        )

    await services.database.write(write)
    for guild_id in (TOGETHER, ONE_BY_ONE):
        await add_rules(services, "volcano", guild_id=guild_id)
        await add_rules(services, "lava", guild_id=guild_id, state=PromptRuleState.DRY)


async def books(database: Database, guild_id: int) -> tuple[object, ...]:
    """Return the accounts and the sums of the ledger of a guild."""

    def read(connection: Connection) -> tuple[object, ...]:
        of_guild = select(accounts).where(accounts.c.guild_id == guild_id).order_by(accounts.c.member_id)
        rows = [tuple(row)[1:] for row in connection.execute(of_guild)]
        statement = (
            select(movements.c.member_id, movements.c.kind, movements.c.reason, postings.c.book, postings.c.amount)
            .join(postings, postings.c.movement_id == movements.c.id)
            .where(movements.c.guild_id == guild_id)
        )
        return rows, Counter(map(tuple, connection.execute(statement)))

    return await database.read(read)


@pytest.mark.parametrize("asked", SCENARIOS.values(), ids=SCENARIOS.keys())
async def test_jobs_at_once_end_as_one_after_another(open_services: Open, asked: list[Asked]) -> None:
    services = open_services(admitted=None, allowance=100)
    await set_up(services)
    together = await outcomes(services, TOGETHER, asked, at_once=True)
    apart = await outcomes(services, ONE_BY_ONE, asked, at_once=False)
    assert together == apart
    assert await books(services.database, TOGETHER) == await books(services.database, ONE_BY_ONE)
    assert len(await blocks(services, TOGETHER)) == len(await blocks(services, ONE_BY_ONE))


async def create_all(services: ServiceHarness, places: Sequence[InteractionContext]) -> list[Snapshot | BaseException]:
    """Ask for a job from each place at the same moment."""
    return await asyncio.gather(
        *(services.jobs.create(place, make_request()) for place in places), return_exceptions=True
    )


def told(results: Sequence[object]) -> Counter[str]:
    """Count the results by their kind."""
    return Counter(type(each).__name__ for each in results)


async def test_fifty_jobs_at_once_take_few_statements(
    services: ServiceHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    executed: list[str] = []
    read = PauseRepository.lock_for_new_job

    def listen(repository: PauseRepository) -> None:
        connection = repository._connection
        if not event.contains(connection, "before_cursor_execute", note):
            event.listen(connection, "before_cursor_execute", note)
        read(repository)

    def note(*arguments: Any) -> None:
        executed.append(arguments[2])

    monkeypatch.setattr(PauseRepository, "lock_for_new_job", listen)
    results = await create_all(services, [make_context(member_id=MEMBER + number) for number in range(50)])
    assert told(results) == {"Snapshot": 50}
    assert len(executed) <= 26, executed


async def test_each_of_several_jobs_has_its_place_in_the_queue(services: ServiceHarness) -> None:
    results = await create_all(services, [make_context(member_id=MEMBER + number) for number in range(5)])
    assert [each.queue_position for each in results if isinstance(each, Snapshot)] == [1, 2, 3, 4, 5]


async def test_budget_for_ten_of_fifty_at_once_is_spent_by_ten(open_services: Open) -> None:
    services = open_services(budget=125)
    results = await create_all(services, [make_context(member_id=MEMBER + number) for number in range(50)])
    assert told(results) == {"Snapshot": 10, "BudgetSpentError": 40}
    month = services.clock.now().strftime("%Y-%m")
    assert await services.database.read(lambda connection: BudgetRepository(connection).used(month)) == 120


async def test_budget_spent_by_another_process_meanwhile_is_not_exceeded(
    open_services: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The group's reading at its start is old at its reservation."""
    services = open_services(budget=125)
    monkeypatch.setattr(BudgetRepository, "list_used", lambda *_: {})
    await services.jobs.create(make_context(), make_request())
    results = await create_all(services, [make_context(member_id=MEMBER + number) for number in range(20)])
    assert told(results) == {"Snapshot": 9, "BudgetSpentError": 11}


async def test_interaction_delivered_twice_at_once_creates_one_job(services: ServiceHarness) -> None:
    place = make_context()
    results = await create_all(services, [place, make_context(member_id=MEMBER + 1), place, place])
    assert told(results) == {"Snapshot": 2, "DuplicateInteractionError": 2}
    assert (await services.account()).held == 12


async def test_interaction_of_another_process_at_once_creates_one_job(
    services: ServiceHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its job is committed after the group has looked for it."""
    place = make_context()
    await services.jobs.create(place, make_request())
    monkeypatch.setattr(JobRepository, "list_known_interactions", lambda *_: frozenset())
    results = await create_all(services, [place, make_context(member_id=MEMBER + 1)])
    assert told(results) == {"Snapshot": 1, "DuplicateInteractionError": 1}
    assert (await services.account()).held == 12


async def test_member_under_deletion_is_refused_among_others(services: ServiceHarness) -> None:
    now = services.clock.now()
    await services.database.write(lambda connection: DeletionRepository(connection).add(MEMBER, now))
    results = await create_all(services, [make_context(), make_context(member_id=MEMBER + 1)])
    assert told(results) == {DeletionRunningError.__name__: 1, "Snapshot": 1}


async def test_commands_at_once_are_resolved_as_one_after_another(open_services: Open) -> None:
    services = open_services(admitted=None)
    await set_up(services)
    resolvers = ResolverService(database=services.database, catalogue=BOTH)

    def prefer(connection: Connection) -> None:
        now, preferences = services.clock.now(), PreferenceRepository(connection)
        preferences.save(
            MEMBER + 1, replace(NO_PREFERENCES, private=False, model="nano-banana-pro", confirm_over=500), now
        )
        preferences.save(MEMBER + 2, replace(NO_PREFERENCES, confirm_over=1), now)
        GuildRepository(connection).change_settings(TOGETHER, {"private_results": True})
        GuildRepository(connection).change_settings(ONE_BY_ONE, {"private_results": True})

    await services.database.write(prefer)

    async def command(guild_id: int, number: int) -> object:
        place = make_context(guild_id=guild_id, member_id=MEMBER + number)
        resolver = resolvers.resolver_for(
            guild_id=guild_id, member_id=place.member_id, prompt=f"a fox {number}", options={}, roles=()
        )
        made = await services.jobs.resolve_and_create({True: replace(place, private=True), False: place}, resolver)
        if isinstance(made, Snapshot):
            return made.job.request, made.job.is_private, made.available
        return made

    together = list(await asyncio.gather(*(command(TOGETHER, number) for number in range(4))))
    assert together == [await command(ONE_BY_ONE, number) for number in range(4)]
    assert [type(each).__name__ for each in together] == ["tuple", "tuple", "ResolvedRequest", "tuple"]


async def test_member_deleted_after_the_checks_keeps_credits(
    services: ServiceHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their deletion ends between the group's first reading and its locks."""
    now = services.clock.now()

    def delete_meanwhile(connection: Connection) -> None:
        away = services.gate._identity._pseudonym_of(MEMBER)  # type: ignore[union-attr]
        services.ledger.grant(connection, guild_id=GUILD, member_id=away, amount=50, actor=1, reason="prize", now=now)
        DeletionRepository(connection).add_finished(away, now, now)

    await services.database.write(delete_meanwhile)
    read = MemberIdentity.list_known
    readings = iter([frozenset[int]()])
    monkeypatch.setattr(
        MemberIdentity,
        "list_known",
        lambda *arguments: next(readings) if len(arguments[2]) == 2 else read(*arguments),
    )
    results = await create_all(services, [make_context(), make_context(member_id=MEMBER + 1)])
    assert [each.available for each in results if isinstance(each, Snapshot)] == [238, 188]


async def test_queue_of_a_new_member_is_counted_behind_the_lock(
    services: ServiceHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two processes would count it at the same moment otherwise."""
    count = JobRepository.count_waiting
    locked: list[Account | None] = []

    def count_waiting(repository: JobRepository, keys: Sequence[AccountKey]) -> dict[AccountKey, int]:
        locked.extend(AccountRepository(repository._connection).find(*key) for key in keys)
        return count(repository, keys)

    monkeypatch.setattr(JobRepository, "count_waiting", count_waiting)
    await services.jobs.create(make_context(), make_request())
    assert locked == [Account(guild_id=GUILD, member_id=MEMBER)]


# --- the steps of jobs


async def make_jobs(services: ServiceHarness, number: int, *, guild_id: int = GUILD) -> list[Job]:
    """Return claimed jobs of different members."""
    places = [make_context(guild_id=guild_id, member_id=MEMBER + each) for each in range(number)]
    held = [(await services.jobs.create(place, make_request(images=2))).job for place in places]

    def claim(connection: Connection) -> list[Job]:
        jobs = JobRepository(connection)
        claimed = [
            jobs.advance(job, State.SUBMITTING, fence=1, provider="skillboss", submitted_at=job.created_at)
            for job in held
        ]
        AttemptRepository(connection).add_all([make_attempt(job, images=2) for job in held])
        return claimed

    return await services.database.write(claim)


async def finish_all(services: ServiceHarness, jobs: Sequence[Job], *, at_once: bool) -> list[object]:
    """Finish jobs in turns with two images and one of two; the third is stale."""
    stale = jobs[2].id

    async def finish(job: Job) -> object:
        at = jobs.index(job)
        try:
            job = await services.job_store.mark_accepted(job, Pending(handle=f"h-{job.id}", running=False))
            job = await services.job_store.mark_running(job)
            if job.id == stale:
                job = replace(job, fence=9)
            job = await services.job_store.mark_storing(job, Finished(image_urls=("https://x/1", "https://x/2")))
            images = [make_image(job, position) for position in range(2 - at % 2)]
            job = await services.job_store.mark_done(job, images)
        except Exception as error:  # noqa: BLE001 - compared
            return type(error)
        return job.state, job.charged

    if at_once:
        return list(await asyncio.gather(*map(finish, jobs)))
    return [await finish(job) for job in jobs]


async def test_steps_at_once_end_as_one_after_another(open_services: Open) -> None:
    services = open_services(allowance=1_000)
    together = await make_jobs(services, 12, guild_id=TOGETHER)
    apart = await make_jobs(services, 12, guild_id=ONE_BY_ONE)
    ends = await finish_all(services, together, at_once=True)
    assert ends == await finish_all(services, apart, at_once=False)
    assert Counter(ends) == {(State.DONE, 24): 5, (State.DONE, 12): 6, StaleJobError: 1}
    assert await books(services.database, TOGETHER) == await books(services.database, ONE_BY_ONE)

    def attempts(connection: Connection) -> list[list[tuple[object, ...]]]:
        repository = AttemptRepository(connection)
        return [
            [(call.outcome, call.result, call.handle == f"h-{job.id}") for call in repository.list_for(job.id)]
            for job in (*together, *apart)
        ]

    calls = await services.database.read(attempts)
    assert calls[:12] == calls[12:]


async def test_jobs_of_another_period_end_at_once_as_one_after_another(open_services: Open) -> None:
    services = open_services(allowance=1_000)
    together = await make_jobs(services, 4, guild_id=TOGETHER)
    apart = await make_jobs(services, 4, guild_id=ONE_BY_ONE)
    services.clock.advance(timedelta(days=1) / timedelta(seconds=1))
    for guild_id in (TOGETHER, ONE_BY_ONE):  # opens the next day's period
        for number in range(4):
            await services.jobs.create(make_context(guild_id=guild_id, member_id=MEMBER + number), make_request())
    assert await finish_all(services, together, at_once=True) == await finish_all(services, apart, at_once=False)
    assert await books(services.database, TOGETHER) == await books(services.database, ONE_BY_ONE)


async def test_job_finished_twice_at_once_is_charged_once(services: ServiceHarness) -> None:
    (job, other) = await make_jobs(services, 2)
    job, other = [
        await services.job_store.mark_storing(each, Finished(image_urls=("https://x/1", "https://x/2")))
        for each in (job, other)
    ]
    images = [[make_image(each), make_image(each, 1)] for each in (job, job, other)]
    results = await asyncio.gather(
        *(services.job_store.mark_done(each, made) for each, made in zip((job, job, other), images, strict=True)),
        return_exceptions=True,
    )
    assert told(results) == {"Job": 2, "StaleJobError": 1}
    assert (await services.account()).held == 0


REFUSED = ProviderError(FaultKind.GENERATION, provider="skillboss")
OF_SOME = "past its deadline with some pictures"
Ending = Callable[[ServiceHarness, Job], Awaitable[Job]]
ENDINGS: dict[str, Ending] = {
    "released": lambda services, job: services.job_store.release_claim(job),
    "refused": lambda services, job: services.job_store.mark_refused(job, REFUSED, 0.5),
    "without a reply": lambda services, job: services.job_store.mark_reply_lost(job, has_callback=True),
    "never taken": lambda services, job: services.job_store.mark_never_taken(job, REFUSED),
    "failed": lambda services, job: services.job_store.mark_failed(job, FaultKind.GENERATION),
    "cancelled": lambda services, job: services.job_store.mark_cancelled(job),
    "lost": lambda services, job: services.job_store.mark_lost(job),
    OF_SOME: lambda services, job: BatchStore(
        database=services.database,
        ledger=services.ledger,
        clock=services.clock,
        catalogue=BOTH,
        config=EngineConfig(),
    ).close_waiting(job),
}


@pytest.mark.parametrize("end", ENDINGS.values(), ids=ENDINGS.keys())
async def test_ending_and_batch_of_a_job_do_not_wait_in_a_circle(services: ServiceHarness, end: Ending) -> None:
    """Both lock the job before its attempts."""
    if services.database.dialect == "sqlite":
        pytest.skip("one writer at a time")
    (job,) = await make_jobs(services, 1)

    def answer(connection: Connection) -> None:
        """Name the first call, and finish another one."""
        attempts = AttemptRepository(connection)
        attempts.update_latest(job.id, handle="h")
        attempts.add_all([make_attempt(job, number=2, batch=1, part=1)])
        attempts.update_latest(job.id, result=["https://x/1"])

    if end in (ENDINGS["cancelled"], ENDINGS["lost"]):  # not while it is being sent
        job = await services.job_store.mark_accepted(job, Pending(handle="h", running=False))
    if end is ENDINGS[OF_SOME]:
        await services.database.write(answer)
    endings: list[asyncio.Future[Job]] = []

    def move(connection: Connection) -> None:
        connection.execute(text("SET LOCAL lock_timeout = '500ms'"))
        JobBatch(connection, [job]).require_current(job)
        endings.append(asyncio.ensure_future(end(services, job)))
        waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
        while not (endings[0].done() or connection.execute(waiting).scalar_one()):
            await_only(asyncio.sleep(0))
        AttemptRepository(connection).end_batch(job.id, Outcome.COMPLETED, job.created_at)

    await services.database.write(move)
    await asyncio.gather(*endings, return_exceptions=True)  # some do not end a submitting job


async def test_group_and_single_job_of_a_new_member_do_not_wait_in_a_circle(services: ServiceHarness) -> None:
    """Both take the account before the interaction."""
    if services.database.dialect == "sqlite":
        pytest.skip("one writer at a time")
    place = make_context()
    group: list[asyncio.Future[list[Snapshot | BaseException]]] = []

    def hold(connection: Connection) -> None:
        connection.execute(text("SET LOCAL lock_timeout = '500ms'"))
        AccountRepository(connection).lock(GUILD, MEMBER)
        group.append(asyncio.ensure_future(create_all(services, [place, make_context(member_id=MEMBER + 1)])))
        while not connection.execute(text("SELECT count(*) FROM pg_locks WHERE NOT granted")).scalar_one():
            await_only(asyncio.sleep(0))
        hold_job(services.ledger, connection, make_job(place=place))

    await services.database.write(hold)
    assert told(await group[0]) == {"DuplicateInteractionError": 1, "Snapshot": 1}


async def test_job_moved_twice_in_a_batch_is_where_it_was_moved_last(services: ServiceHarness) -> None:
    first, other = await make_jobs(services, 2)

    def move(connection: Connection) -> Job:
        batch = JobBatch(connection, [first, other])
        accepted = batch.advance(first, State.QUEUED)
        batch.advance(other, State.QUEUED)
        running = batch.advance(accepted, State.RUNNING)
        batch.write()
        return running

    moved = await services.database.write(move)
    stored, _ = await services.job_store.get(first.id)
    assert (moved.state, stored.state) == (State.RUNNING, State.RUNNING)
