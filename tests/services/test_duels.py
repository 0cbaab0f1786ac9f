"""Duels: question, hold of all pictures, vote, end and ranking."""

import asyncio
from collections.abc import Collection
from datetime import timedelta

import pytest
from sqlalchemy import Connection, func, select

from bot.domain.bans import Ban, BanScope
from bot.domain.confirmations import Confirmation
from bot.domain.duels import Phase
from bot.domain.errors import (
    AlreadyAskedError,
    AtelierError,
    BannedError,
    ConfirmationGoneError,
    DeletionRunningError,
    DuelGoneError,
    InsufficientCreditsError,
    NotAllowedError,
    NotInServerError,
    OwnDuelError,
    PromptRefusedError,
    QueueFullError,
    SameModelError,
    StudioPausedError,
    UnknownModelError,
    VoteClosedError,
)
from bot.domain.jobs import InteractionContext, State
from bot.domain.pauses import Pause, PauseScope
from bot.domain.prompt_rules import PromptRuleKind, PromptRuleScope, PromptRuleState
from bot.services.duels import DuelService, DuelView
from bot.services.guild_transactions import GuildTransactions
from bot.services.jobs import Actor
from bot.services.prompt_blocks import BLOCK_LIMIT
from bot.services.prompt_rules import PromptRuleService
from db.bans import BanRepository
from db.deletions import Deletion, DeletionRepository
from db.fingerprints import FingerprintRepository, Viewer
from db.guild_presence import GuildPresenceRepository
from db.job_deletions import JobDeletionRepository
from db.member_records import MemberRecords
from db.pauses import PauseRepository
from db.pictures import ResultImageRepository
from db.tables import audit_log, duel_votes, duels, jobs, prompt_appeals, prompt_blocks
from tests.services.conftest import Open, ServiceHarness
from tests.support.factories import GUILD, MEMBER, make_context, make_id, make_image
from tests.support.ledger import end

TWO = ("reve-2.0", "nano-banana")
THREE = (*TWO, "seedream-5")
PRICE_OF_TWO = 32
HOURS = 2
ORGANIZER = Actor(member_id=MEMBER, guild_id=GUILD)


async def forbid(services: ServiceHarness, word: str) -> None:
    """Add a prompt rule to the server."""
    transactions = GuildTransactions(
        database=services.database, access=services.access, clock=services.clock, new_id=make_id
    )
    await PromptRuleService(transactions=transactions, new_id=make_id).add(
        GUILD,
        word,
        kind=PromptRuleKind.WORD,
        scope=PromptRuleScope.ALL,
        state=PromptRuleState.ON,
        name="No seas",
        by=99,
    )


def voter(number: int) -> Actor:
    """Return a member with a vote."""
    return Actor(member_id=1000 + number, guild_id=GUILD)


async def ask(
    services: ServiceHarness, *models: str, place: InteractionContext | None = None, prompt: str = "a lighthouse"
) -> Confirmation:
    """Ask about a duel."""
    return await services.duels.ask(
        place or make_context(), prompt=prompt, models=models or TWO, aspect_ratio="16:9", hours=HOURS
    )


async def begin(services: ServiceHarness, *models: str) -> DuelView:
    """Begin a duel with its message on Discord."""
    made = await services.duels.create(make_context(), await ask(services, *models))
    await services.duels.mark_acknowledged(made, 555)
    return await services.duels.get(made.duel.id)


async def finish(services: ServiceHarness, view: DuelView, *, failed: Collection[int] = ()) -> DuelView:
    """End the jobs of a duel, and let it go on."""

    def write(connection: Connection) -> None:
        for position, job in enumerate(view.jobs):
            if job.state.ended:
                continue
            end(connection, services.ledger, job, 0 if position in failed else job.price, services.clock.now())
            if position not in failed:
                ResultImageRepository(connection).add_all([make_image(job)], services.clock.now())

    await services.database.write(write)
    return await services.duels.advance(view.duel.id)


async def open_vote(services: ServiceHarness, *models: str) -> DuelView:
    """Begin a duel and finish all of its pictures."""
    view = await finish(services, await begin(services, *models))
    assert view.duel.phase is Phase.VOTING
    return view


async def count(services: ServiceHarness, table: object) -> int:
    """Return the number of rows of a table."""
    wanted = select(func.count()).select_from(table)  # type: ignore[arg-type] # a table
    return await services.database.read(lambda connection: int(connection.execute(wanted).scalar_one()))


async def test_question_has_price_of_all_and_holds_nothing(services: ServiceHarness) -> None:
    question = await ask(services, *THREE)
    assert question.price == 57
    assert services.duels.prices(question.requests) == {"reve-2.0": 12, "nano-banana": 20, "seedream-5": 25}
    assert {request.aspect_ratio for request in question.requests} == {"16:9"}
    assert (await services.account()).held == 0
    stored, dearer = await services.duels.get_question(question.id, MEMBER, shown=57)
    assert (stored, dearer) == (question, False)
    assert (await services.duels.get_question(question.id, MEMBER, shown=56))[1]


@pytest.mark.parametrize(
    ("error", "models", "place"),
    [
        (SameModelError, ("reve-2.0", "nano-banana", "reve-2.0"), {}),
        (UnknownModelError, ("reve-2.0", "no-such-model"), {}),
        (NotInServerError, TWO, {"guild_id": 0}),
    ],
)
async def test_impossible_duel_is_refused_before_its_question(
    services: ServiceHarness, error: type[AtelierError], models: tuple[str, ...], place: dict[str, int]
) -> None:
    with pytest.raises(error):
        await ask(services, *models, place=make_context(**place))
    assert (await services.account()).held == 0


async def test_forbidden_prompt_is_refused_before_the_question_of_a_duel(services: ServiceHarness) -> None:
    await forbid(services, "lighthouse")
    with pytest.raises(PromptRefusedError) as refused:
        await ask(services)
    assert refused.value.match.rule.name == "No seas"
    assert refused.value.block_id is not None  # its member can appeal
    assert await count(services, prompt_blocks) == 1
    assert await count(services, prompt_appeals) == 1


async def test_rule_added_after_the_question_refuses_all_of_a_duel(services: ServiceHarness) -> None:
    question = await ask(services, *THREE)
    await forbid(services, "lighthouse")
    with pytest.raises(PromptRefusedError) as refused:
        await services.duels.create(make_context(), question)
    assert refused.value.block_id is not None
    assert [await count(services, table) for table in (jobs, duels, prompt_blocks)] == [0, 0, 1]
    assert (await services.account()).held == 0
    # The question is still there, for after an allowed appeal.
    assert (await services.duels.get_question(question.id, MEMBER, shown=57))[0].id == question.id


async def test_refusals_in_duels_ban_as_others_do(services: ServiceHarness) -> None:
    await forbid(services, "lighthouse")
    for _ in range(BLOCK_LIMIT):
        with pytest.raises(PromptRefusedError):
            await ask(services, place=make_context())
    with pytest.raises(BannedError):
        await ask(services, prompt="a harbour")


async def test_duel_needs_credits_for_all_pictures(open_services: Open) -> None:
    services = open_services(allowance=PRICE_OF_TWO - 1)
    with pytest.raises(InsufficientCreditsError) as caught:
        await ask(services)
    assert (caught.value.needed, caught.value.available) == (PRICE_OF_TWO, PRICE_OF_TWO - 1)


async def test_same_question_twice_is_asked_once(services: ServiceHarness) -> None:
    asked = await asyncio.gather(ask(services), ask(services), return_exceptions=True)
    assert sorted(type(each).__name__ for each in asked) == ["AlreadyAskedError", "Confirmation"]
    with pytest.raises(AlreadyAskedError):
        await ask(services)
    assert (await ask(services, *THREE)).price == 57


async def test_duel_holds_all_in_shuffled_order(services: ServiceHarness) -> None:
    orders = set()
    for _ in range(6):
        view = await begin(services)
        orders.add(tuple(entry.model for entry in view.duel.entries))
        assert [job.id for job in view.jobs] == [entry.job_id for entry in view.duel.entries]
        assert [job.request.model for job in view.jobs] == [entry.model for entry in view.duel.entries]
        assert {job.place.message_id for job in view.jobs} == {555}
        assert (await services.account()).held == PRICE_OF_TWO
        await finish(services, view)
        services.clock.advance(86_400)
    assert orders == {("reve-2.0", "nano-banana"), ("nano-banana", "reve-2.0")}


async def test_double_press_makes_one_duel(open_services: Open) -> None:
    first, second = open_services(), open_services()
    question = await ask(first)
    presses = [each.duels.create(make_context(), question) for each in (first, second)]
    results = await asyncio.gather(*presses, return_exceptions=True)
    assert sorted(type(each).__name__ for each in results) == ["ConfirmationGoneError", "DuelView"]
    assert (await first.account()).held == PRICE_OF_TWO
    assert await count(first, duels) == 1
    with pytest.raises(ConfirmationGoneError):
        await first.duels.get_question(question.id, MEMBER, shown=PRICE_OF_TWO)


async def test_another_members_question_is_not_answered(services: ServiceHarness) -> None:
    question = await ask(services)
    with pytest.raises(NotAllowedError):
        await services.duels.get_question(question.id, MEMBER + 1, shown=PRICE_OF_TWO)
    with pytest.raises(NotAllowedError):
        await services.duels.create(make_context(member_id=MEMBER + 1), question)


async def test_refused_duel_holds_nothing_and_keeps_its_question(open_services: Open) -> None:
    """The last job is refused: none is held."""
    services = open_services(waiting_per_member=1)
    question = await ask(services)
    with pytest.raises(QueueFullError):
        await services.duels.create(make_context(), question)
    assert (await services.account()).held == 0
    assert await count(services, duels) == await count(services, jobs) == 0
    assert (await services.duels.get_question(question.id, MEMBER, shown=PRICE_OF_TWO))[0] == question


async def test_pause_of_one_model_stops_its_duel(services: ServiceHarness) -> None:
    question = await ask(services)
    pause = Pause(scope=PauseScope.MODEL, name="nano-banana", reason="", actor_id=1, at=services.clock.now())
    await services.database.write(lambda connection: PauseRepository(connection).begin(pause))
    with pytest.raises(StudioPausedError):
        await services.duels.create(make_context(), question)
    with pytest.raises(StudioPausedError):
        await ask(services, prompt="another")
    assert (await services.account()).held == 0


async def test_model_gone_since_the_question_stops_its_duel(open_services: Open) -> None:
    question = await ask(open_services())
    later = open_services(providers=("skillboss",))
    with pytest.raises(UnknownModelError):
        await later.duels.create(make_context(), (await later.duels.get_question(question.id, MEMBER, shown=32))[0])
    assert (await later.account()).held == 0
    assert await count(later, duels) == await count(later, jobs) == 0


async def test_vote_opens_once_all_jobs_have_ended(services: ServiceHarness) -> None:
    view = await begin(services, *THREE)
    assert (await services.duels.advance(view.duel.id)).duel.phase is Phase.RUNNING
    with pytest.raises(VoteClosedError):
        await services.duels.vote(view.duel.id, 0, voter(1))
    view = await finish(services, view, failed={1})
    assert view.duel.phase is Phase.VOTING
    assert view.duel.ends_at == services.clock.now() + timedelta(hours=HOURS)
    assert set(view.pictures) == {0, 2}
    with pytest.raises(VoteClosedError):
        await services.duels.vote(view.duel.id, 1, voter(1))


@pytest.mark.parametrize("failed", [{0}, {0, 1}])
async def test_duel_of_fewer_than_two_pictures_ends_without_vote(services: ServiceHarness, failed: set[int]) -> None:
    view = await finish(services, await begin(services), failed=failed)
    assert (view.duel.phase, view.duel.opened_at, view.duel.counts) == (Phase.ENDED, None, False)
    assert (await services.account()).held == 0
    assert (await services.duels.standings(GUILD)) == ((), 0)


async def test_vote_is_changed_and_counted_once(services: ServiceHarness) -> None:
    view = await open_vote(services)
    duel_id = view.duel.id
    assert [(await services.duels.vote(duel_id, position, voter(1)))[1] for position in (0, 0, 1)] == [
        False,
        True,
        True,
    ]
    await services.duels.vote(duel_id, 0, voter(2))
    await services.duels.vote(duel_id, 1, voter(3))
    assert [entry.votes for entry in (await services.duels.get(duel_id)).duel.entries] == [None, None]
    services.clock.advance(HOURS * 3600)
    with pytest.raises(VoteClosedError):
        await services.duels.vote(duel_id, 0, voter(4))
    duel = (await services.duels.advance(duel_id)).duel
    assert [entry.votes for entry in duel.entries] == [1, 2]
    assert [entry.position for entry in duel.winners] == [1]
    assert duel.counts
    assert await count(services, duel_votes) == 0


async def test_refused_voters(services: ServiceHarness) -> None:
    view = await open_vote(services)
    now = services.clock.now()

    def write(connection: Connection) -> None:
        for number, scope in ((1, BanScope.SHARING), (2, BanScope.STUDIO)):
            ban = Ban(guild_id=GUILD, member_id=1000 + number, scope=scope, at=now, actor_id=1, until=None, reason="")
            BanRepository(connection).set(ban)
        DeletionRepository(connection).add(1003, now)

    await services.database.write(write)
    refusals: list[tuple[type[AtelierError], Actor]] = [
        (BannedError, voter(1)),
        (BannedError, voter(2)),
        (DeletionRunningError, voter(3)),
        (OwnDuelError, ORGANIZER),
        (NotAllowedError, Actor(member_id=1004, guild_id=GUILD + 1)),
    ]
    for error, actor in refusals:
        with pytest.raises(error):
            await services.duels.vote(view.duel.id, 0, actor)
    with pytest.raises(DuelGoneError):
        await services.duels.vote("f" * 32, 0, voter(5))
    assert await count(services, duel_votes) == 0


async def test_due_duel_is_ended_once_by_two_processes(open_services: Open) -> None:
    first, second = open_services(), open_services()
    view = await open_vote(first)
    for number in range(3):
        await first.duels.vote(view.duel.id, 0, voter(number))
    first.clock.advance(HOURS * 3600)
    assert await first.duels.list_pending() == (view.duel.id,)
    one, other = await asyncio.gather(first.duels.advance(view.duel.id), second.duels.advance(view.duel.id))
    assert one.duel.phase is other.duel.phase is Phase.ENDED
    duel = (await first.duels.get(view.duel.id)).duel
    assert [entry.votes for entry in duel.entries] == [3, 0]
    assert duel.counts
    # Until its message shows the end, each start takes it up again.
    assert await second.duels.list_pending() == (view.duel.id,)
    await second.duels.record_shown(await second.duels.get(view.duel.id))
    assert await first.duels.list_pending() == ()


async def test_votes_at_the_end_are_counted_or_refused(open_services: Open) -> None:
    first, second = open_services(), open_services()
    view = await open_vote(first)
    votes = [second.duels.vote(view.duel.id, number % 2, voter(number)) for number in range(8)]
    results = await asyncio.gather(*votes, first.duels.end(view.duel.id, ORGANIZER), return_exceptions=True)
    refused = [each for each in results if isinstance(each, BaseException)]
    assert all(isinstance(each, VoteClosedError) for each in refused)
    duel = (await first.duels.get(view.duel.id)).duel
    assert duel.total_votes == 8 - len(refused)
    assert await count(first, duel_votes) == 0


async def test_organizer_and_moderator_end_a_vote(services: ServiceHarness) -> None:
    view = await open_vote(services)
    with pytest.raises(NotAllowedError):
        await services.duels.end(view.duel.id, voter(1))
    with pytest.raises(NotAllowedError):
        await services.duels.end(view.duel.id, Actor(member_id=5, guild_id=GUILD + 1, moderator=True))
    await services.duels.vote(view.duel.id, 0, voter(1))
    assert (await services.duels.get_endable(view.duel.id, ORGANIZER))[1] == 1
    await services.duels.end(view.duel.id, Actor(member_id=5, guild_id=GUILD, moderator=True))
    with pytest.raises(VoteClosedError):
        await services.duels.end(view.duel.id, ORGANIZER)
    rows = await services.database.read(lambda connection: connection.execute(select(audit_log)).all())
    assert [(row.action, row.actor_id, row.target_id) for row in rows] == [("duel.end", 5, MEMBER)]
    duel = (await services.duels.get(view.duel.id)).duel
    assert (duel.phase, duel.counts) == (Phase.ENDED, False)  # one vote is too few


async def test_cancelled_duel_returns_all_credits(services: ServiceHarness) -> None:
    view = await begin(services)
    with pytest.raises(NotAllowedError):
        await services.duels.cancel(view.duel.id, voter(1))
    await services.duels.cancel(view.duel.id, ORGANIZER)
    for job in (await services.duels.get(view.duel.id)).jobs:
        assert job.cancel_requested_at is not None
        await services.job_store.mark_cancelled(job)
    view = await services.duels.advance(view.duel.id)
    assert view.duel.phase is Phase.ENDED
    assert {job.state for job in view.jobs} == {State.CANCELLED}
    assert (await services.account()).held == 0


async def test_duel_without_message_is_abandoned(services: ServiceHarness) -> None:
    made = await services.duels.create(make_context(), await ask(services))
    await services.duels.abandon(made)
    view = await services.duels.get(made.duel.id)
    assert view.duel.shown_at is not None
    assert (await services.account()).held == 0
    assert await services.duels.list_pending() == ()


async def test_models_of_open_duel_are_not_found_by_picture(services: ServiceHarness) -> None:
    view = await open_vote(services)
    await services.duels.record_shown(view)
    sha256 = view.pictures[0].file.sha256

    async def found(member: int) -> list[str]:
        viewer = Viewer(member_id=member, guild_id=GUILD)
        return await services.database.read(
            lambda connection: FingerprintRepository(connection).find_exact(sha256, viewer)
        )

    assert await found(1001) == []
    assert await found(MEMBER) == [view.jobs[0].id]
    await services.duels.end(view.duel.id, ORGANIZER)
    assert await found(1001) == [view.jobs[0].id]


async def test_duel_with_deleted_picture_does_not_count(services: ServiceHarness) -> None:
    view = await open_vote(services)
    for number in range(3):
        await services.duels.vote(view.duel.id, 0, voter(number))
    now = services.clock.now()
    await services.database.write(
        lambda connection: JobDeletionRepository(connection).delete(view.jobs[1].id, now, now)
    )
    services.clock.advance(HOURS * 3600)
    assert not (await services.duels.advance(view.duel.id)).duel.counts


async def test_ranking_is_of_one_server(services: ServiceHarness) -> None:
    for _ in range(3):
        view = await open_vote(services)
        winner = next(entry.position for entry in view.duel.entries if entry.model == "nano-banana")
        for number in range(3):
            await services.duels.vote(view.duel.id, winner, voter(number))
        await services.duels.end(view.duel.id, ORGANIZER)
        services.clock.advance(86_400)
    standings, played = await services.duels.standings(GUILD)
    assert played == 3
    assert [(each.model, each.score, each.votes, each.is_ranked) for each in standings] == [
        ("nano-banana", 3.0, 9, True),
        ("reve-2.0", 0.0, 0, True),
    ]
    assert await services.duels.standings(GUILD + 1) == ((), 0)


async def test_privacy_requests_reach_votes_and_duels(services: ServiceHarness) -> None:
    view = await open_vote(services)
    await services.duels.vote(view.duel.id, 1, voter(1))
    about = await services.database.read(lambda connection: MemberRecords(connection, 1001).about())
    assert [(each["duel"], each["picture"]) for each in about["votes_in_open_duels"]] == [(view.duel.id, "B")]
    about = await services.database.read(lambda connection: MemberRecords(connection, MEMBER).about())
    assert [each["duel"] for each in about["duels"]] == [view.duel.id]
    now = services.clock.now()

    def write(connection: Connection) -> bool:
        deletions = DeletionRepository(connection)
        deletions.add(1001, now)
        return deletions.finish(Deletion(member_id=1001, requested_at=now), -5, now)

    assert await services.database.write(write)
    assert await count(services, duel_votes) == 0


async def test_duels_of_left_server_are_erased(services: ServiceHarness) -> None:
    view = await open_vote(services)
    await services.duels.vote(view.duel.id, 1, voter(1))
    now = services.clock.now()

    def write(connection: Connection) -> bool:
        presence = GuildPresenceRepository(connection)
        presence.leave(GUILD, now)
        return presence.erase(GUILD, now + timedelta(days=1), now)

    assert await services.database.write(write)
    with pytest.raises(DuelGoneError):
        await services.duels.get(view.duel.id)


async def test_duel_service_has_no_state_of_its_process(open_services: Open) -> None:
    """Another process answers a question, such as after a restart."""
    question = await ask(open_services())
    again: DuelService = open_services().duels
    view = await again.create(make_context(), (await again.get_question(question.id, MEMBER, shown=32))[0])
    assert len(view.jobs) == 2
