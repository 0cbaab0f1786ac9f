"""Asking for pictures: what is held, what is refused, and that a refusal leaves nothing behind."""

from typing import Any

import pytest

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
    UnsupportedOptionError,
)
from bot.domain.jobs import Job, State
from bot.services.jobs import Actor
from db.jobs import JobRepository
from tests.services.conftest import Open, ServiceHarness
from tests.support.factories import GUILD, MEMBER, make_context, make_request


async def held(desk: ServiceHarness, job_id: str) -> Job:
    """Return a job as the database has it."""
    return await desk.database.read(lambda connection: JobRepository(connection).get(job_id))


async def test_a_request_holds_its_price(desk: ServiceHarness) -> None:
    """A request makes a job and sets its price aside at once; the snapshot says what is left."""
    snapshot = await desk.generation.create(make_context(), make_request(images=2))
    assert snapshot.job.state is State.HELD
    assert snapshot.job.price == 24
    assert snapshot.available == 176
    account = await desk.account()
    assert (account.available, account.held) == (176, 24)
    assert await desk.audit() == []


REFUSALS: list[tuple[type[Exception], dict[str, Any], dict[str, Any], dict[str, Any]]] = [
    (NotInServerError, {}, {"guild_id": 0}, {}),
    (NotAdmittedError, {"admitted": frozenset({1})}, {}, {}),
    (NotAdmittedError, {"admitted": None}, {}, {}),
    (InsufficientCreditsError, {"allowance": 11}, {}, {}),
    (InsufficientCreditsError, {}, {}, {"images": 4, "detail": 15}),
    (BudgetSpentError, {"budget": 11}, {}, {}),
    (UnsupportedOptionError, {"providers": ("skillboss",)}, {}, {"aspect_ratio": "3:2"}),
    (UnsupportedOptionError, {"providers": ("skillboss",)}, {}, {"detail": 2}),
    (StudioClosedError, {"providers": ("skillboss",)}, {}, {"model": "seedream-5"}),
    (StudioClosedError, {"providers": ()}, {}, {}),
    (QueueFullError, {"waiting_per_member": 0}, {}, {}),
]


@pytest.mark.parametrize(
    ("error", "settings", "place", "request_"), REFUSALS, ids=[f"{case[0].__name__}-{case[1:]}" for case in REFUSALS]
)
async def test_a_refusal_leaves_nothing_behind(
    open_desk: Open,
    error: type[Exception],
    settings: dict[str, Any],
    place: dict[str, Any],
    request_: dict[str, Any],
) -> None:
    """Whatever the reason of a refusal: no job, nothing held, the account as before, the books in order."""
    desk = open_desk(**settings)
    before = await desk.account()
    with pytest.raises(error):
        await desk.generation.create(make_context(**place), make_request(**request_))
    assert await desk.account() == before
    assert await desk.database.read(lambda connection: JobRepository(connection).count_live()) == (0, 0)
    assert await desk.audit() == []


async def test_the_line_of_a_member_has_an_end(open_desk: Open) -> None:
    """The eleventh waiting job of a member is refused; another member is not concerned."""
    desk = open_desk(allowance=1_000)
    for _ in range(10):
        await desk.generation.create(make_context(), make_request())
    before = await desk.account()
    with pytest.raises(QueueFullError) as caught:
        await desk.generation.create(make_context(), make_request())
    assert caught.value.limit == 10
    assert await desk.account() == before
    await desk.generation.create(make_context(member_id=MEMBER + 1), make_request())


async def test_an_interaction_makes_one_job(desk: ServiceHarness) -> None:
    """An interaction that Discord delivers twice makes one job and holds once."""
    place = make_context()
    await desk.generation.create(place, make_request())
    with pytest.raises(DuplicateInteractionError):
        await desk.generation.create(place, make_request())
    assert (await desk.account()).held == 12


async def test_credits_can_be_spent_to_the_last(open_desk: Open) -> None:
    """The last credit can be spent, and not one more."""
    desk = open_desk(allowance=24)
    assert (await desk.generation.create(make_context(), make_request())).available == 12
    assert (await desk.generation.create(make_context(), make_request())).available == 0
    with pytest.raises(InsufficientCreditsError) as caught:
        await desk.generation.create(make_context(), make_request())
    assert (caught.value.needed, caught.value.available) == (12, 0)


async def test_the_budget_is_shared_by_all(open_desk: Open) -> None:
    """What members of one server hold counts against everybody's month."""
    desk = open_desk(budget=23)
    await desk.generation.create(make_context(), make_request())
    with pytest.raises(BudgetSpentError):
        await desk.generation.create(make_context(guild_id=1, member_id=1), make_request())


async def test_an_admitted_server_may_ask(open_desk: Open) -> None:
    """After the owner's word the server's members may ask; a second word changes nothing."""
    desk = open_desk(admitted=None)
    await desk.access.admit(GUILD, by=1)
    await desk.access.admit(GUILD, by=2)
    await desk.generation.create(make_context(), make_request())
    with pytest.raises(NotAdmittedError):
        await desk.generation.create(make_context(guild_id=1), make_request())


async def test_outside_servers_a_member_has_an_account_of_its_own(open_desk: Open) -> None:
    """Where the operator lets members bring the studio along; a server still has to be admitted."""
    desk = open_desk(admitted=frozenset({GUILD}), outside=True)
    await desk.generation.create(make_context(guild_id=0), make_request())
    assert (await desk.credits.balance(0, MEMBER)).held == 12
    assert (await desk.credits.balance(GUILD, MEMBER)).held == 0
    with pytest.raises(NotAdmittedError):
        await desk.generation.create(make_context(guild_id=1), make_request())
    with pytest.raises(NotInServerError):
        await desk.access.admit(0, by=1)


async def test_no_server_is_no_server_to_admit(desk: ServiceHarness) -> None:
    """Direct messages cannot be admitted."""
    with pytest.raises(NotInServerError):
        await desk.access.admit(0, by=1)


@pytest.mark.parametrize(
    "actor",
    [Actor(member_id=MEMBER), Actor(member_id=1, guild_id=GUILD, moderator=True)],
    ids=["its member", "a moderator"],
)
async def test_who_may_cancel(desk: ServiceHarness, actor: Actor) -> None:
    """Its member and moderators may ask for a job to be cancelled."""
    job = (await desk.generation.create(make_context(), make_request())).job
    await desk.generation.cancel(job.id, actor)
    assert (await held(desk, job.id)).cancel_requested_at == desk.clock.now()


async def test_who_may_not_cancel(desk: ServiceHarness) -> None:
    """A stranger may not, and nothing changes."""
    job = (await desk.generation.create(make_context(), make_request())).job
    with pytest.raises(NotAllowedError):
        await desk.generation.cancel(job.id, Actor(member_id=1))
    with pytest.raises(NotAllowedError):
        await desk.generation.cancel(job.id, Actor(member_id=1, guild_id=GUILD + 1, moderator=True))
    assert await held(desk, job.id) == job


async def test_what_has_ended_cannot_be_cancelled(desk: ServiceHarness) -> None:
    """A job that has ended, or that was too late to cancel, refuses another cancel."""
    job = (await desk.generation.create(make_context(), make_request())).job
    await desk.generation.abandon(job)
    with pytest.raises(JobStateError):
        await desk.generation.cancel(job.id, Actor(member_id=MEMBER))

    late = (await desk.generation.create(make_context(), make_request())).job
    await desk.job_store.mark_cancel_refused(late)
    with pytest.raises(JobStateError):
        await desk.generation.cancel(late.id, Actor(member_id=MEMBER))


async def test_what_is_not_there(desk: ServiceHarness) -> None:
    """An unknown job is said to be unknown."""
    with pytest.raises(JobNotFoundError):
        await desk.generation.cancel("f" * 32, Actor(member_id=MEMBER))
    with pytest.raises(JobNotFoundError):
        await desk.generation.get_prompt("f" * 32, Actor(member_id=MEMBER))


async def test_a_job_whose_card_never_appeared(desk: ServiceHarness) -> None:
    """An abandoned job is cancelled and everything is returned; whether its card is there is yet to be seen."""
    before = await desk.account()
    job = (await desk.generation.create(make_context(), make_request())).job
    await desk.generation.abandon(job)
    ended = await held(desk, job.id)
    assert (ended.state, ended.charged) == (State.CANCELLED, 0)
    assert ended.delivered_at is None
    after = await desk.account()
    assert (after.available, after.held) == (before.available, 0)


async def test_a_job_waits_for_its_card(desk: ServiceHarness) -> None:
    """Only after its card is known to be there does a job get a slot."""
    job = (await desk.generation.create(make_context(), make_request())).job
    room = {"skillboss": 9}
    assert (await desk.job_store.claim_batch(10, room)).claims == ()
    await desk.generation.mark_acknowledged(job.id, 555)
    (claim,) = (await desk.job_store.claim_batch(10, room)).claims
    assert claim.job.id == job.id
    assert claim.job.place.message_id == 555


async def test_the_prompt_is_kept_as_typed(desk: ServiceHarness) -> None:
    """The whole prompt can be had, to the character."""
    typed = "  two\nlines 🦊 and \u202e  "
    job = (await desk.generation.create(make_context(), make_request(prompt=typed))).job
    assert await desk.generation.get_prompt(job.id, Actor(member_id=1)) == typed


async def test_the_prompt_of_a_private_job_is_its_members(desk: ServiceHarness) -> None:
    """Others do not see the card that it belongs to."""
    job = (await desk.generation.create(make_context(private=True), make_request())).job
    with pytest.raises(NotAllowedError):
        await desk.generation.get_prompt(job.id, Actor(member_id=1, guild_id=GUILD, moderator=True))
    assert await desk.generation.get_prompt(job.id, Actor(member_id=MEMBER)) == job.request.prompt
