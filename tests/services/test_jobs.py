"""Creation and cancellation of jobs: holds, rejections, permissions."""

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Connection, event

from bot.domain.allowances import AllowanceEntry
from bot.domain.errors import (
    BudgetSpentError,
    DuplicateInteractionError,
    InsufficientCreditsError,
    JobNotFoundError,
    JobStateError,
    NotAdmittedError,
    NotAllowedError,
    NotInServerError,
    QueueFullError,
    StudioClosedError,
    UnknownModelError,
    UnsupportedOptionError,
)
from bot.domain.jobs import Job, Snapshot, State
from bot.services.jobs import Actor
from bot.services.request_resolver import ResolvedRequest, ResolverFacts, ResolverService
from db.allowances import AllowanceRepository
from db.guilds import GuildRepository
from db.jobs import JobRepository
from tests.services.conftest import Open, ServiceHarness
from tests.support.catalogue import BOTH
from tests.support.factories import GUILD, MEMBER, make_context, make_request


async def stored_job(services: ServiceHarness, job_id: str) -> Job:
    """Return a job as it is stored."""
    return await services.database.read(lambda connection: JobRepository(connection).get(job_id))


async def test_create_holds_price_and_returns_balance(services: ServiceHarness) -> None:
    snapshot = await services.jobs.create(make_context(), make_request(images=2))
    assert snapshot.job.state is State.HELD
    assert snapshot.job.price == 24
    assert snapshot.available == 176
    account = await services.account()
    assert (account.available, account.held) == (176, 24)
    assert await services.audit() == []


async def test_new_job_takes_few_statements(open_services: Open) -> None:
    """Its transaction blocks all other writes to SQLite."""
    services = open_services(admitted=None)

    def set_up(connection: Connection) -> None:
        GuildRepository(connection).admit(GUILD, by=1, at=services.clock.now())
        AllowanceRepository(connection).set(GUILD, AllowanceEntry(amount=500))

    await services.database.write(set_up)
    await services.jobs.create(make_context(), make_request())  # the account and the budgets exist from now on
    resolver = ResolverService(database=services.database, catalogue=BOTH).resolver_for(
        guild_id=GUILD, member_id=MEMBER, prompt="a fox", options={}, roles=(501,)
    )
    executed: list[str] = []

    def resolve(connection: Connection, facts: ResolverFacts) -> ResolvedRequest:
        event.listen(connection, "before_cursor_execute", lambda *arguments: executed.append(arguments[2]))
        return resolver.resolve(connection, facts)

    place = make_context(roles=(501,))
    listening = replace(resolver, resolve=resolve)
    assert isinstance(await services.jobs.resolve_and_create({False: place}, listening), Snapshot)
    executed = [each for each in executed if "advisory" not in each]
    assert sum("admitted_at" in each for each in executed) == 1
    assert len(executed) <= 17, executed  # two more were before: the facts of the resolver


REFUSALS: list[tuple[type[Exception], dict[str, Any], dict[str, Any], dict[str, Any]]] = [
    (NotInServerError, {}, {"guild_id": 0}, {}),
    (NotAdmittedError, {"admitted": frozenset({1})}, {}, {}),
    (NotAdmittedError, {"admitted": None}, {}, {}),
    (InsufficientCreditsError, {"allowance": 11}, {}, {}),
    (InsufficientCreditsError, {}, {}, {"images": 4, "detail": 15}),
    (BudgetSpentError, {"budget": 11}, {}, {}),
    (UnsupportedOptionError, {"providers": ("skillboss",)}, {}, {"aspect_ratio": "3:2"}),
    (UnsupportedOptionError, {"providers": ("skillboss",)}, {}, {"detail": 2}),
    (UnknownModelError, {"providers": ("skillboss",)}, {}, {"model": "seedream-5"}),
    (StudioClosedError, {"providers": ()}, {}, {}),
    (QueueFullError, {"waiting_per_member": 0}, {}, {}),
]


@pytest.mark.parametrize(
    ("error", "settings", "place", "request_"), REFUSALS, ids=[f"{case[0].__name__}-{case[1:]}" for case in REFUSALS]
)
async def test_rejected_create_leaves_no_job_and_no_hold(
    open_services: Open,
    error: type[Exception],
    settings: dict[str, Any],
    place: dict[str, Any],
    request_: dict[str, Any],
) -> None:
    services = open_services(**settings)
    before = await services.account()
    with pytest.raises(error):
        await services.jobs.create(make_context(**place), make_request(**request_))
    assert await services.account() == before
    assert await services.database.read(lambda connection: JobRepository(connection).count_live()) == (0, 0)
    assert await services.audit() == []


async def test_eleventh_waiting_job_of_member_raises_queue_full(open_services: Open) -> None:
    services = open_services(allowance=1_000)
    for _ in range(10):
        await services.jobs.create(make_context(), make_request())
    before = await services.account()
    with pytest.raises(QueueFullError) as caught:
        await services.jobs.create(make_context(), make_request())
    assert caught.value.limit == 10
    assert await services.account() == before
    await services.jobs.create(make_context(member_id=MEMBER + 1), make_request())


async def test_interaction_delivered_twice_creates_one_job(services: ServiceHarness) -> None:
    place = make_context()
    await services.jobs.create(place, make_request())
    with pytest.raises(DuplicateInteractionError):
        await services.jobs.create(place, make_request())
    assert (await services.account()).held == 12


async def test_last_credit_can_be_spent_and_no_more(open_services: Open) -> None:
    services = open_services(allowance=24)
    assert (await services.jobs.create(make_context(), make_request())).available == 12
    assert (await services.jobs.create(make_context(), make_request())).available == 0
    with pytest.raises(InsufficientCreditsError) as caught:
        await services.jobs.create(make_context(), make_request())
    assert (caught.value.needed, caught.value.available) == (12, 0)


async def test_monthly_budget_is_shared_by_all_members(open_services: Open) -> None:
    services = open_services(budget=23)
    await services.jobs.create(make_context(), make_request())
    with pytest.raises(BudgetSpentError):
        await services.jobs.create(make_context(guild_id=1, member_id=1), make_request())


async def test_members_of_admitted_guild_may_create_jobs(open_services: Open) -> None:
    services = open_services(admitted=None)
    await services.access.admit(GUILD, by=1)
    await services.access.admit(GUILD, by=2)
    await services.jobs.create(make_context(), make_request())
    with pytest.raises(NotAdmittedError):
        await services.jobs.create(make_context(guild_id=1), make_request())


async def test_account_outside_guilds_is_separate_when_allowed(open_services: Open) -> None:
    services = open_services(admitted=frozenset({GUILD}), outside=True)
    await services.jobs.create(make_context(guild_id=0), make_request())
    assert (await services.credits.balance(0, MEMBER, ())).held == 12
    assert (await services.credits.balance(GUILD, MEMBER, ())).held == 0
    with pytest.raises(NotAdmittedError):
        await services.jobs.create(make_context(guild_id=1), make_request())
    with pytest.raises(NotInServerError):
        await services.access.admit(0, by=1)


async def test_admit_outside_guilds_raises(services: ServiceHarness) -> None:
    with pytest.raises(NotInServerError):
        await services.access.admit(0, by=1)


@pytest.mark.parametrize(
    "actor",
    [Actor(member_id=MEMBER), Actor(member_id=1, guild_id=GUILD, moderator=True)],
    ids=["its member", "a moderator"],
)
async def test_member_and_moderator_may_cancel(services: ServiceHarness, actor: Actor) -> None:
    job = (await services.jobs.create(make_context(), make_request())).job
    await services.jobs.cancel(job.id, actor)
    assert (await stored_job(services, job.id)).cancel_requested_at == services.clock.now()


async def test_cancel_by_stranger_raises_and_changes_nothing(services: ServiceHarness) -> None:
    job = (await services.jobs.create(make_context(), make_request())).job
    with pytest.raises(NotAllowedError):
        await services.jobs.cancel(job.id, Actor(member_id=1))
    with pytest.raises(NotAllowedError):
        await services.jobs.cancel(job.id, Actor(member_id=1, guild_id=GUILD + 1, moderator=True))
    assert await stored_job(services, job.id) == job


async def test_cancel_of_ended_or_refused_job_raises(services: ServiceHarness) -> None:
    job = (await services.jobs.create(make_context(), make_request())).job
    await services.jobs.abandon(job)
    with pytest.raises(JobStateError):
        await services.jobs.cancel(job.id, Actor(member_id=MEMBER))

    late = (await services.jobs.create(make_context(), make_request())).job
    await services.job_store.mark_cancel_refused(late)
    with pytest.raises(JobStateError):
        await services.jobs.cancel(late.id, Actor(member_id=MEMBER))


async def test_unknown_job_raises_not_found(services: ServiceHarness) -> None:
    with pytest.raises(JobNotFoundError):
        await services.jobs.cancel("f" * 32, Actor(member_id=MEMBER))
    with pytest.raises(JobNotFoundError):
        await services.jobs.get_prompt("f" * 32, Actor(member_id=MEMBER))


async def test_abandoned_job_is_cancelled_and_released(services: ServiceHarness) -> None:
    before = await services.account()
    job = (await services.jobs.create(make_context(), make_request())).job
    await services.jobs.abandon(job)
    ended = await stored_job(services, job.id)
    assert (ended.state, ended.charged) == (State.CANCELLED, 0)
    assert ended.delivered_at is None
    after = await services.account()
    assert (after.available, after.held) == (before.available, 0)


async def test_job_gets_a_slot_only_after_acknowledgement(services: ServiceHarness) -> None:
    job = (await services.jobs.create(make_context(), make_request())).job
    room = {"skillboss": 9}
    assert (await services.job_store.claim_batch(10, room)).claims == ()
    await services.jobs.mark_acknowledged(job.id, 555)
    (claim,) = (await services.job_store.claim_batch(10, room)).claims
    assert claim.job.id == job.id
    assert claim.job.place.message_id == 555


async def test_get_prompt_returns_exact_text(services: ServiceHarness) -> None:
    typed = "  two\nlines 🦊 and \u202e  "
    job = (await services.jobs.create(make_context(), make_request(prompt=typed))).job
    assert await services.jobs.get_prompt(job.id, Actor(member_id=1)) == typed


async def test_get_prompt_of_private_job_is_for_its_member_only(services: ServiceHarness) -> None:
    job = (await services.jobs.create(make_context(private=True), make_request())).job
    with pytest.raises(NotAllowedError):
        await services.jobs.get_prompt(job.id, Actor(member_id=1, guild_id=GUILD, moderator=True))
    assert await services.jobs.get_prompt(job.id, Actor(member_id=MEMBER)) == job.request.prompt
