"""Challenges: entries, phases, votes, winners, prizes."""

import asyncio
import random
from datetime import datetime, timedelta

import pytest
from sqlalchemy import Connection, func, select

from bot.domain.bans import Ban, BanScope
from bot.domain.errors import (
    AlreadyDecidedError,
    AlreadyEnteredError,
    BannedError,
    ChallengeFullError,
    ChallengeGoneError,
    ChallengeLimitError,
    ChallengeStateError,
    ChallengeTimesError,
    NotAllowedError,
    NoVotesLeftError,
    OwnEntryError,
    PrizeError,
    RoleNeededToVoteError,
    SharingOffError,
)
from bot.domain.jobs import Delivery
from bot.domain.outbox import MessageKind
from bot.domain.sharing.challenges import MAX_ENTRIES, Challenge, ChallengeState, Entry, Placing, placings, prize_shares
from bot.domain.sharing.settings import ReviewMode
from bot.domain.sharing.submissions import SubmissionOptions, SubmissionState
from bot.services.access import AccessService
from bot.services.jobs import Actor
from bot.services.sharing.challenge_snapshots import CARD, WINNERS
from bot.services.sharing.challenges import Ballot, ChallengePlan, ChallengeService
from bot.services.sharing.reviews import Decision
from bot.services.sharing.snapshots import SubmissionSnapshots
from db.audit import audit
from db.audit_log import AuditLogRepository
from db.bans import BanRepository
from db.challenges import ChallengeRepository
from db.fingerprints import FingerprintRepository, Viewer
from db.guild_presence import GuildPresenceRepository
from db.job_deletions import JobDeletionRepository
from db.outbox import OutboxRepository
from db.pictures import ResultImageRepository
from db.tables import accounts, challenge_votes
from tests.services.sharing.conftest import MODERATOR, SharingHarness, gone, identity_of, moderator, sharer
from tests.support.clock import START
from tests.support.factories import GUILD, MEMBER, make_id
from tests.support.ledger import make_ledger

DAY = timedelta(days=1)
PLAIN = SubmissionOptions()


@pytest.fixture
async def challenges(sharing: SharingHarness) -> ChallengeService:
    """Return the service, in a server without review."""
    await sharing.set_rules(review=ReviewMode.NONE)
    return service_of(sharing)


def service_of(sharing: SharingHarness, *, budget: int = 10_000) -> ChallengeService:
    """Return a service on the database of a harness."""
    return ChallengeService(
        database=sharing.database,
        access=AccessService(database=sharing.database, admitted="*", now=sharing.clock.now),
        submissions=sharing.submissions,
        identity=identity_of(sharing),
        ledger=make_ledger(budget=budget),
        clock=sharing.clock,
        new_id=make_id,
        randomness=random.Random(1),  # noqa: S311 - an order
        waker=sharing.woken,
    )


def plan(theme: str = "Lighthouses", *, prize: int = 0, days: int = 2) -> ChallengePlan:
    """Return the plan of a challenge."""
    return ChallengePlan(theme=theme, channel_id=803, entries_for=days * DAY, votes_for=DAY, prize=prize)


async def start(challenges: ChallengeService, *, prize: int = 0) -> Challenge:
    """Start a challenge as an admin."""
    return await challenges.start(plan(prize=prize), moderator(), is_admin=True)


async def enter(sharing: SharingHarness, challenges: ChallengeService, challenge: Challenge, member: int) -> str:
    """Enter a new picture of a member; return its submission."""
    job = await sharing.finished_job(pictures=1, member=member)
    return (await challenges.enter(challenge.id, job.id, 0, PLAIN, sharer(member))).id


async def voting(
    sharing: SharingHarness, challenges: ChallengeService, *, members: int = 3, prize: int = 0
) -> tuple[Challenge, dict[int, int]]:
    """Return a challenge with a running vote, and each member's number."""
    challenge = await start(challenges, prize=prize)
    for number in range(members):
        await enter(sharing, challenges, challenge, MEMBER + number)
    sharing.clock.advance(2 * 86_400)
    assert await challenges.advance_due() == 1
    snapshot = await challenges.snapshot(challenge.id)
    assert snapshot.challenge.state is ChallengeState.VOTING
    return snapshot.challenge, {each.entry.member_id: each.entry.number for each in snapshot.entries}


async def count_votes(sharing: SharingHarness) -> int:
    """Return the number of stored votes."""
    wanted = select(func.count()).select_from(challenge_votes)
    return await sharing.database.read(lambda connection: connection.execute(wanted).scalar_one())


async def numbers_of_messages(sharing: SharingHarness, challenge: Challenge) -> set[int]:
    """Return the numbers of a challenge's messages."""

    def read(connection: object) -> set[int]:
        outbox = OutboxRepository(connection)  # type: ignore[arg-type]
        found = {number: outbox.find(MessageKind.CHALLENGE, challenge.id, number) for number in (*range(8), WINNERS)}
        return {number for number, message in found.items() if message is not None}

    return await sharing.database.read(read)


async def test_challenge_takes_entries_then_votes_then_ends(
    sharing: SharingHarness, challenges: ChallengeService
) -> None:
    challenge, numbers = await voting(sharing, challenges, members=12)
    assert sorted(numbers.values()) == list(range(1, 13))
    assert await numbers_of_messages(sharing, challenge) == {CARD, 1, 2}
    for voter in (500, 501):
        await challenges.vote(challenge.id, numbers[MEMBER + 1], sharer(voter))
    await challenges.vote(challenge.id, numbers[MEMBER], sharer(500))
    sharing.clock.advance(86_400)
    assert await challenges.advance_due() == 1
    ended = await challenges.snapshot(challenge.id)
    assert ended.challenge.state is ChallengeState.ENDED
    assert [(each.place, each.entry.member_id, each.entry.votes) for each in ended.placings] == [
        (1, MEMBER + 1, 2),
        (2, MEMBER, 1),
    ]
    assert await count_votes(sharing) == 0
    assert await numbers_of_messages(sharing, challenge) == {CARD, 1, 2, WINNERS}
    assert await challenges.advance_due() == 0
    entries = await sharing.database.read(lambda connection: AuditLogRepository(connection).list(GUILD, limit=50))
    actions = [each.action for each in entries if each.action.startswith("challenge.")]
    assert actions == ["challenge.end", "challenge.vote", "challenge.start"]


async def test_entry_is_no_showcase_post(sharing: SharingHarness, challenges: ChallengeService) -> None:
    await sharing.set_guild(showcase_channel_id=None)
    challenge = await start(challenges)
    submission_id = await enter(sharing, challenges, challenge, MEMBER)
    found = await sharing.database.read(
        lambda connection: OutboxRepository(connection).find(MessageKind.SHOWCASE, submission_id)
    )
    assert found is None


async def test_one_entry_a_member_until_it_is_withdrawn(sharing: SharingHarness, challenges: ChallengeService) -> None:
    challenge = await start(challenges)
    first = await enter(sharing, challenges, challenge, MEMBER)
    with pytest.raises(AlreadyEnteredError):
        await challenges.check_entry(challenge.id, sharer())
    with pytest.raises(AlreadyEnteredError):
        await enter(sharing, challenges, challenge, MEMBER)
    await sharing.submissions.withdraw(first, MEMBER)
    second = await enter(sharing, challenges, challenge, MEMBER)
    await enter(sharing, challenges, challenge, MEMBER + 1)
    await challenges.close_phase(challenge.id, moderator())
    snapshot = await challenges.snapshot(challenge.id)
    assert second in {each.entry.submission_id for each in snapshot.entries}
    assert len(snapshot.entries) == 2


async def test_two_entries_at_once_store_one(sharing: SharingHarness, challenges: ChallengeService) -> None:
    challenge = await start(challenges)
    entries = (enter(sharing, challenges, challenge, MEMBER) for _ in range(3))
    results = await asyncio.gather(*entries, return_exceptions=True)
    assert sorted(type(each).__name__ for each in results) == ["AlreadyEnteredError", "AlreadyEnteredError", "str"]


async def test_entry_after_the_deadline_is_refused(sharing: SharingHarness, challenges: ChallengeService) -> None:
    challenge = await start(challenges)
    sharing.clock.advance(2 * 86_400)
    with pytest.raises(ChallengeStateError):
        await enter(sharing, challenges, challenge, MEMBER)
    with pytest.raises(ChallengeGoneError):
        await challenges.check_entry(challenge.id, sharer().__class__(member_id=MEMBER, guild_id=GUILD + 1))


async def test_challenge_needs_a_channel_for_its_review(sharing: SharingHarness) -> None:
    await sharing.set_guild(review_channel_id=None)
    with pytest.raises(SharingOffError) as refused:
        await start(service_of(sharing))
    assert refused.value.is_review
    await sharing.set_rules(review=ReviewMode.UNTRUSTED)  # trusted members can enter
    await start(service_of(sharing))


async def test_refused_picture_is_not_offered_and_its_submission_names_the_challenge(sharing: SharingHarness) -> None:
    challenges = service_of(sharing)  # with review
    challenge = await start(challenges)
    entered = await enter(sharing, challenges, challenge, MEMBER)
    assert (await SubmissionSnapshots(database=sharing.database).get(entered)).challenge == challenge
    other = await sharing.finished_job(pictures=1)
    refusal = Decision(submission_id=entered, revision=1, to=SubmissionState.REFUSED)
    await sharing.reviews.decide(refusal, moderator())
    offered = await challenges.list_shareable(challenge, MEMBER, 25)
    assert [job.id for job, _ in offered] == [other.id]


async def test_waiting_entries_put_the_vote_off_for_a_day(sharing: SharingHarness) -> None:
    challenges = service_of(sharing)  # with review
    challenge = await start(challenges)
    ids = [await enter(sharing, challenges, challenge, MEMBER + number) for number in range(3)]
    sharing.clock.advance(2 * 86_400)
    await challenges.advance_due()
    assert (await challenges.snapshot(challenge.id)).challenge.state is ChallengeState.OPEN
    for submission_id in ids[:2]:
        approval = Decision(submission_id=submission_id, revision=1, to=SubmissionState.APPROVED)
        await sharing.reviews.decide(approval, moderator())
    sharing.clock.advance(900)
    await challenges.advance_due()
    assert (await challenges.snapshot(challenge.id)).challenge.state is ChallengeState.OPEN  # one still waits
    sharing.clock.advance(86_400)
    await challenges.advance_due()
    begun = (await challenges.snapshot(challenge.id)).challenge
    assert begun.state is ChallengeState.VOTING
    assert begun.ends_at == sharing.clock.now() + DAY


async def test_challenge_with_one_entry_ends_without_a_vote(
    sharing: SharingHarness, challenges: ChallengeService
) -> None:
    challenge = await start(challenges, prize=100)
    await enter(sharing, challenges, challenge, MEMBER)
    ended = await challenges.close_phase(challenge.id, moderator())
    assert (ended.state, ended.paid) == (ChallengeState.ENDED, 0)
    assert (await challenges.snapshot(challenge.id)).placings == ()
    with pytest.raises(ChallengeGoneError):
        await challenges.close_phase(challenge.id, moderator())


async def test_vote_is_toggled_and_limited(sharing: SharingHarness, challenges: ChallengeService) -> None:
    challenge, numbers = await voting(sharing, challenges, members=5)
    for member in range(1, 3):
        await challenges.vote(challenge.id, numbers[MEMBER + member], sharer())
    with pytest.raises(OwnEntryError):
        await challenges.vote(challenge.id, numbers[MEMBER], sharer())
    ballot = await challenges.vote(challenge.id, numbers[MEMBER + 3], sharer())
    assert ballot.left == 0
    with pytest.raises(NoVotesLeftError):
        await challenges.vote(challenge.id, numbers[MEMBER + 4], sharer())
    ballot = await challenges.vote(challenge.id, numbers[MEMBER + 3], sharer())
    chosen = tuple(sorted(numbers[MEMBER + member] for member in (1, 2)))
    assert ballot == Ballot(numbers=chosen, left=1)
    with pytest.raises(ChallengeGoneError):
        await challenges.vote(challenge.id, 6, sharer())


async def test_votes_at_once_stay_within_the_limit(sharing: SharingHarness, challenges: ChallengeService) -> None:
    challenge, numbers = await voting(sharing, challenges, members=6)
    votes = (challenges.vote(challenge.id, numbers[MEMBER + member], sharer(500)) for member in range(6))
    results = await asyncio.gather(*votes, return_exceptions=True)
    assert sum(isinstance(each, Ballot) for each in results) == 3
    assert sum(isinstance(each, NoVotesLeftError) for each in results) == 3


async def test_vote_of_banned_member_or_without_role_is_refused(
    sharing: SharingHarness, challenges: ChallengeService
) -> None:
    challenge, _ = await voting(sharing, challenges)
    await sharing.set_rules(voter_roles=(9,))
    with pytest.raises(RoleNeededToVoteError):
        await challenges.vote(challenge.id, 1, sharer(500))
    await challenges.vote(challenge.id, 1, sharer(500, roles=(9,)))
    ban = Ban(guild_id=GUILD, member_id=500, scope=BanScope.SHARING, at=START, actor_id=MODERATOR)
    await sharing.database.write(lambda connection: BanRepository(connection).set(ban))
    with pytest.raises(BannedError):
        await challenges.vote(challenge.id, 1, sharer(500, roles=(9,)))


async def test_withdrawn_entry_wins_nothing(sharing: SharingHarness, challenges: ChallengeService) -> None:
    challenge, numbers = await voting(sharing, challenges)
    await challenges.vote(challenge.id, numbers[MEMBER], sharer(500))
    await challenges.vote(challenge.id, numbers[MEMBER + 1], sharer(500))
    snapshot = await challenges.snapshot(challenge.id)
    entry = next(each for each in snapshot.entries if each.entry.member_id == MEMBER)
    await sharing.submissions.withdraw(entry.submission.id, MEMBER)
    await challenges.close_phase(challenge.id, moderator())
    ended = await challenges.snapshot(challenge.id)
    assert [(each.place, each.entry.member_id) for each in ended.placings] == [(1, MEMBER + 1)]


async def test_deleted_entry_leaves_its_page(sharing: SharingHarness, challenges: ChallengeService) -> None:
    challenge, _ = await voting(sharing, challenges)
    snapshot = await challenges.snapshot(challenge.id)
    gone = snapshot.entries[0]
    before = snapshot.pages[0].wanted
    at = sharing.clock.now()
    await sharing.database.write(lambda connection: JobDeletionRepository(connection).delete(gone.job.id, at, at))
    after = await challenges.snapshot(challenge.id)
    assert [each.entry.number for each in after.entries] == [2, 3]
    assert after.pages[0].wanted == before + 1


async def test_prize_is_granted_once_and_divided(sharing: SharingHarness, challenges: ChallengeService) -> None:
    challenge, numbers = await voting(sharing, challenges, prize=101)
    await challenges.vote(challenge.id, numbers[MEMBER], sharer(500))
    await challenges.vote(challenge.id, numbers[MEMBER + 1], sharer(501))
    sharing.clock.advance(86_400)
    await asyncio.gather(challenges.advance_due(), challenges.advance_due())
    ended = (await challenges.snapshot(challenge.id)).challenge
    assert ended.paid == 100
    rows = await sharing.database.read(
        lambda connection: connection.execute(select(accounts.c.member_id, accounts.c.granted)).all()
    )
    assert {row.member_id: row.granted for row in rows if row.granted} == {MEMBER: 50, MEMBER + 1: 50}
    faults = await sharing.database.read(audit)
    assert [each for each in faults if not each.startswith("job ")] == []  # the jobs of this test were not held


async def test_prize_beyond_the_budget_is_refused_or_not_paid(sharing: SharingHarness) -> None:
    await sharing.set_rules(review=ReviewMode.NONE)
    with pytest.raises(PrizeError) as caught:
        await start(service_of(sharing, budget=50), prize=51)
    assert caught.value.left == 50
    challenge, numbers = await voting(sharing, service_of(sharing), prize=500)
    poor = service_of(sharing, budget=10)
    await poor.vote(challenge.id, numbers[MEMBER], sharer(500))
    assert (await poor.close_phase(challenge.id, moderator())).paid == 0


async def test_start_checks_rights_times_and_number(sharing: SharingHarness, challenges: ChallengeService) -> None:
    with pytest.raises(NotAllowedError):
        await challenges.start(plan(), Actor(member_id=MEMBER, guild_id=GUILD), is_admin=False)
    with pytest.raises(NotAllowedError):
        await challenges.start(plan(prize=1), moderator(), is_admin=False)
    with pytest.raises(ChallengeTimesError):
        await challenges.start(plan(days=31), moderator(), is_admin=False)
    for _ in range(3):
        await challenges.start(plan(), moderator(), is_admin=False)
    with pytest.raises(ChallengeLimitError):
        await challenges.start(plan(), moderator(), is_admin=False)
    running = await challenges.list_running(GUILD)
    cancelled = await challenges.cancel(running[0].id, moderator())
    assert cancelled.state is ChallengeState.CANCELLED
    with pytest.raises(NotAllowedError):
        await challenges.cancel(running[1].id, Actor(member_id=MEMBER, guild_id=GUILD))
    assert len(await challenges.list_running(GUILD)) == 2
    assert sharing.woken.ids


async def test_unreviewed_entries_are_closed_as_the_vote_begins(sharing: SharingHarness) -> None:
    challenges = service_of(sharing)  # with review
    challenge = await start(challenges)
    ids = [await enter(sharing, challenges, challenge, MEMBER + number) for number in range(4)]
    for submission_id in ids[:2]:
        await sharing.reviews.decide(approval_of(submission_id), moderator())
    asked = Decision(submission_id=ids[2], revision=1, to=SubmissionState.CHANGES_ASKED, reason="brighter")
    await sharing.reviews.decide(asked, moderator())
    await challenges.close_phase(challenge.id, moderator())
    late = [await sharing.submissions.get(each, MEMBER + at) for at, each in enumerate(ids)]
    assert [each.state for each in late] == [SubmissionState.APPROVED] * 2 + [SubmissionState.WITHDRAWN] * 2
    assert {each.reason for each in late[2:]} == {"Its challenge went on before a moderator approved it."}
    with pytest.raises(AlreadyDecidedError):
        await sharing.reviews.decide(approval_of(ids[3]), moderator())
    assert len((await challenges.snapshot(challenge.id)).entries) == 2


async def test_cancelled_challenge_releases_its_entries(sharing: SharingHarness) -> None:
    challenges = service_of(sharing)  # with review
    challenge = await start(challenges)
    jobs = [await sharing.finished_job(pictures=1, member=MEMBER + number) for number in range(2)]
    ids = [
        (await challenges.enter(challenge.id, job.id, 0, PLAIN, sharer(MEMBER + at))).id for at, job in enumerate(jobs)
    ]
    await sharing.reviews.decide(approval_of(ids[0]), moderator())
    await challenges.cancel(challenge.id, moderator())
    for at, job in enumerate(jobs):
        entry = await sharing.submissions.get(ids[at], MEMBER + at)
        assert (entry.state, entry.reason) == (SubmissionState.WITHDRAWN, "Its challenge was cancelled.")
        again = await sharing.submissions.share(job.id, [0], PLAIN, sharer(MEMBER + at))
        assert again.state is SubmissionState.WAITING


async def test_vote_for_a_withdrawn_entry_is_free_again(sharing: SharingHarness, challenges: ChallengeService) -> None:
    challenge, numbers = await voting(sharing, challenges, members=5)
    for member in range(3):
        await challenges.vote(challenge.id, numbers[MEMBER + member], sharer(500))
    snapshot = await challenges.snapshot(challenge.id)
    gone = next(each for each in snapshot.entries if each.entry.member_id == MEMBER)
    await sharing.submissions.withdraw(gone.submission.id, MEMBER)
    assert (await challenges.ballot(challenge.id, 500)).left == 1
    assert (await challenges.vote(challenge.id, numbers[MEMBER + 3], sharer(500))).left == 0


async def test_result_stays_after_the_end(sharing: SharingHarness, challenges: ChallengeService) -> None:
    """The winner withdraws, a voter deletes everything: the places stay."""
    challenge, numbers = await voting(sharing, challenges, prize=100)
    for voter in (500, 501):
        await challenges.vote(challenge.id, numbers[MEMBER], sharer(voter))
    await challenges.vote(challenge.id, numbers[MEMBER + 1], sharer(502))
    before = await challenges.snapshot(challenge.id)
    await challenges.close_phase(challenge.id, moderator())
    winner = next(each for each in before.entries if each.entry.member_id == MEMBER)
    await sharing.submissions.withdraw(winner.submission.id, MEMBER)
    ended = await challenges.snapshot(challenge.id)
    assert [(each.place, each.entry.member_id, each.entry.votes) for each in ended.placings] == [
        (1, MEMBER, 2),
        (2, MEMBER + 1, 1),
    ]
    shown = {each.entry.member_id: (each.is_gone, each.picture is None) for each in ended.entries}
    assert shown == {MEMBER: (True, True), MEMBER + 1: (False, False), MEMBER + 2: (False, False)}
    with pytest.raises(ChallengeStateError):
        await challenges.ballot(challenge.id, 500)


async def test_vote_of_a_member_banned_since_does_not_count(
    sharing: SharingHarness, challenges: ChallengeService
) -> None:
    challenge, numbers = await voting(sharing, challenges)
    await challenges.vote(challenge.id, numbers[MEMBER], sharer(500))
    await challenges.vote(challenge.id, numbers[MEMBER + 1], sharer(501))
    ban = Ban(guild_id=GUILD, member_id=500, scope=BanScope.STUDIO, at=sharing.clock.now(), actor_id=MODERATOR)
    await sharing.database.write(lambda connection: BanRepository(connection).set(ban))
    await challenges.close_phase(challenge.id, moderator())
    ended = await challenges.snapshot(challenge.id)
    assert [each.entry.member_id for each in ended.placings] == [MEMBER + 1]


async def ban(sharing: SharingHarness, member_id: int) -> None:
    """Ban a member from sharing."""
    new = Ban(guild_id=GUILD, member_id=member_id, scope=BanScope.SHARING, at=sharing.clock.now(), actor_id=MODERATOR)
    await sharing.database.write(lambda connection: BanRepository(connection).set(new))


async def test_entry_of_a_member_banned_since_wins_nothing(
    sharing: SharingHarness, challenges: ChallengeService
) -> None:
    challenge, numbers = await voting(sharing, challenges)
    for voter in range(500, 503):
        await challenges.vote(challenge.id, numbers[MEMBER], sharer(voter))
    await challenges.vote(challenge.id, numbers[MEMBER + 1], sharer(503))
    await ban(sharing, MEMBER)
    # Its votes are free again, and it takes no more.
    assert (await challenges.ballot(challenge.id, 500)).numbers == ()
    with pytest.raises(ChallengeGoneError):
        await challenges.vote(challenge.id, numbers[MEMBER], sharer(504))
    await challenges.close_phase(challenge.id, moderator())
    ended = await challenges.snapshot(challenge.id)
    assert [each.entry.member_id for each in ended.placings] == [MEMBER + 1]
    assert MEMBER not in {each.entry.member_id for each in ended.entries}


async def test_vote_does_not_begin_with_the_entry_of_a_banned_member(
    sharing: SharingHarness, challenges: ChallengeService
) -> None:
    challenge = await start(challenges)
    for member in (MEMBER, MEMBER + 1):
        await enter(sharing, challenges, challenge, member)
    await ban(sharing, MEMBER)
    await challenges.close_phase(challenge.id, moderator())
    assert (await challenges.snapshot(challenge.id)).challenge.state is ChallengeState.ENDED


async def test_downtime_ends_the_vote_once_and_takes_no_late_vote(
    sharing: SharingHarness, challenges: ChallengeService
) -> None:
    challenge, numbers = await voting(sharing, challenges)
    await challenges.vote(challenge.id, numbers[MEMBER], sharer(500))
    sharing.clock.advance(10 * 86_400)
    with pytest.raises(ChallengeStateError) as caught:
        await challenges.vote(challenge.id, numbers[MEMBER + 1], sharer(501))
    assert caught.value.state == ChallengeState.ENDED
    second = service_of(sharing)
    await asyncio.gather(challenges.advance_due(), second.advance_due())
    ended = await challenges.snapshot(challenge.id)
    assert [(each.place, each.entry.votes) for each in ended.placings] == [(1, 1)]
    entries = await sharing.database.read(lambda connection: AuditLogRepository(connection).list(GUILD, limit=50))
    assert [each.action for each in entries].count("challenge.end") == 1


async def test_failing_challenge_does_not_hold_up_others(
    sharing: SharingHarness, challenges: ChallengeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = await start(challenges), await start(challenges)
    sharing.clock.advance(2 * 86_400)
    whole = ChallengeRepository.list_approved

    def broken(self: ChallengeRepository, challenge: Challenge, now: datetime) -> list[str]:
        if challenge.id == first.id:
            raise RuntimeError
        return whole(self, challenge, now)

    monkeypatch.setattr(ChallengeRepository, "list_approved", broken)
    assert await challenges.advance_due() == 1
    assert (await challenges.snapshot(second.id)).challenge.state is ChallengeState.ENDED


async def test_full_challenge_takes_no_more_and_fits_its_pages(
    sharing: SharingHarness, challenges: ChallengeService
) -> None:
    challenge = await start(challenges)
    for member in range(MAX_ENTRIES):
        await enter(sharing, challenges, challenge, MEMBER + member)
    with pytest.raises(ChallengeFullError):
        await enter(sharing, challenges, challenge, MEMBER + MAX_ENTRIES)
    await challenges.close_phase(challenge.id, moderator())
    assert await numbers_of_messages(sharing, challenge) == {CARD, 1, 2, 3, 4, 5}


async def test_maker_of_an_entry_is_not_found_during_the_vote(
    sharing: SharingHarness, challenges: ChallengeService
) -> None:
    challenge = await start(challenges)
    job = await sharing.finished_job(pictures=1, delivery=Delivery.CARD)
    await challenges.enter(challenge.id, job.id, 0, PLAIN, sharer())
    await enter(sharing, challenges, challenge, MEMBER + 1)

    async def found(member: int) -> list[str]:
        viewer = Viewer(member_id=member, guild_id=GUILD)
        return await sharing.database.read(
            lambda connection: FingerprintRepository(connection).find_exact(
                ResultImageRepository(connection).list_for(job.id)[0].file.sha256, viewer
            )
        )

    assert job.id in await found(500)
    await challenges.close_phase(challenge.id, moderator())
    assert job.id not in await found(500)
    assert job.id in await found(MEMBER)
    await challenges.close_phase(challenge.id, moderator())
    assert job.id in await found(500)


async def test_challenges_of_left_server_are_erased(sharing: SharingHarness, challenges: ChallengeService) -> None:
    challenge, numbers = await voting(sharing, challenges)
    await challenges.vote(challenge.id, numbers[MEMBER], sharer(500))
    now = sharing.clock.now()

    def write(connection: Connection) -> bool:
        presence = GuildPresenceRepository(connection)
        presence.leave(GUILD, now)
        return presence.erase(GUILD, now + DAY, now)

    assert await sharing.database.write(write)
    with pytest.raises(ChallengeGoneError):
        await challenges.snapshot(challenge.id)
    assert await count_votes(sharing) == 0
    assert await numbers_of_messages(sharing, challenge) == set()


def approval_of(submission_id: str) -> Decision:
    """Return the approval of a new submission."""
    return Decision(submission_id=submission_id, revision=1, to=SubmissionState.APPROVED)


def entry(number: int, votes: int, member: int = 0) -> Entry:
    """Return an entry."""
    return Entry(number=number, submission_id=str(number), member_id=member or number, votes=votes)


def test_equal_votes_share_a_place_and_none_win_without_votes() -> None:
    entries = [entry(1, 2), entry(2, 5), entry(3, 0), entry(4, 2), entry(5, 1), entry(6, 1)]
    assert [(each.place, each.entry.number) for each in placings(entries)] == [(1, 2), (2, 1), (2, 4)]
    assert placings([entry(1, 0)]) == ()


def test_prize_is_divided_and_rounded_down() -> None:
    winners = [
        Placing(place=1, entry=entry(1, 3)),
        Placing(place=1, entry=entry(2, 3)),
        Placing(place=3, entry=entry(3, 1)),
    ]
    assert prize_shares(7, winners) == {1: 3, 2: 3}
    assert prize_shares(1, winners) == {}
    assert prize_shares(0, winners) == {}


async def test_ban_outlives_a_deletion_of_everything(sharing: SharingHarness, challenges: ChallengeService) -> None:
    challenge, _ = await voting(sharing, challenges)
    await gone(sharing, 500, BanScope.SHARING)
    with pytest.raises(BannedError):
        await challenges.vote(challenge.id, 1, sharer(500))
