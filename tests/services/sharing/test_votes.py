"""Votes: one a member, their rights, and the edits of posts."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import Connection

from bot.domain.bans import Ban, BanScope
from bot.domain.errors import (
    BannedError,
    NotAllowedError,
    NotOfferedError,
    OwnVoteError,
    SubmissionNotFoundError,
    SubmissionStateError,
)
from bot.domain.outbox import MessageKind, OutboxMessage
from bot.domain.sharing.settings import ReviewMode, VoteKind
from bot.domain.sharing.submissions import Submission, SubmissionOptions
from bot.services.guild_settings import GuildSettingsService
from bot.services.sharing.submissions import Sharer
from bot.services.sharing.votes import VoteService
from db.bans import BanRepository
from db.challenges import ChallengeRepository
from db.outbox import OutboxRepository
from tests.services.sharing.conftest import SHOWCASE, SharingHarness, gone, identity_of, sharer
from tests.support.clock import START
from tests.support.factories import GUILD, MEMBER, make_challenge, make_id

VOTER, OTHER = sharer(61), sharer(62)
NEW = 1 << 62
"""An id of Discord from a later time."""


async def approved(sharing: SharingHarness) -> Submission:
    """Return a submission that needs no review."""
    await sharing.set_rules(review=ReviewMode.NONE)
    job = await sharing.finished_job()
    return await sharing.submissions.share(job.id, [0], SubmissionOptions(title="A lighthouse"), sharer())


async def posted(sharing: SharingHarness, message_id: int = NEW) -> Submission:
    """Return an approved submission with its post on Discord."""
    submission = await approved(sharing)

    def write(connection: Connection) -> None:
        outbox = OutboxRepository(connection)
        post = outbox.find(MessageKind.SHOWCASE, submission.id)
        assert post is not None
        outbox.set_message(post.id, SHOWCASE, message_id, "p0:png")
        outbox.finish(post.id, post.wanted)

    await sharing.database.write(write)
    return submission


async def post_of(sharing: SharingHarness, submission: Submission) -> OutboxMessage:
    """Return a submission's post."""
    found = await sharing.database.read(
        lambda connection: OutboxRepository(connection).find(MessageKind.SHOWCASE, submission.id)
    )
    assert found is not None
    return found


def votes_of(sharing: SharingHarness) -> VoteService:
    """Return the service."""
    return VoteService(database=sharing.database, identity=identity_of(sharing), clock=sharing.clock)


async def test_second_press_takes_the_vote_back(sharing: SharingHarness) -> None:
    votes, submission = votes_of(sharing), await approved(sharing)
    first = await votes.toggle(submission.id, VOTER)
    assert (first.has_voted, first.count) == (True, 1)
    assert (await votes.toggle(submission.id, OTHER)).count == 2
    second = await votes.toggle(submission.id, VOTER)
    assert (second.has_voted, second.count) == (False, 1)


async def test_own_vote_is_refused(sharing: SharingHarness) -> None:
    submission = await approved(sharing)
    with pytest.raises(OwnVoteError):
        await votes_of(sharing).toggle(submission.id, sharer(MEMBER))


@pytest.mark.parametrize("scope", BanScope)
async def test_banned_member_has_no_vote(sharing: SharingHarness, scope: BanScope) -> None:
    submission = await approved(sharing)
    ban = Ban(guild_id=GUILD, member_id=VOTER.member_id, scope=scope, at=START, actor_id=1)
    await sharing.database.write(lambda connection: BanRepository(connection).set(ban))
    with pytest.raises(BannedError):
        await votes_of(sharing).toggle(submission.id, VOTER)


async def test_voter_roles_decide_who_votes(sharing: SharingHarness) -> None:
    submission = await approved(sharing)
    await sharing.set_rules(voter_roles=[5])
    with pytest.raises(NotAllowedError):
        await votes_of(sharing).toggle(submission.id, VOTER)
    assert (await votes_of(sharing).toggle(submission.id, sharer(61, roles=(5, 6)))).has_voted


@pytest.mark.parametrize("kind", [VoteKind.OFF, VoteKind.REACTIONS])
async def test_button_of_other_votes_is_refused(sharing: SharingHarness, kind: VoteKind) -> None:
    submission = await approved(sharing)
    await sharing.set_rules(votes=kind)
    with pytest.raises(NotOfferedError):
        await votes_of(sharing).toggle(submission.id, VOTER)


async def test_withdrawn_submission_takes_no_vote(sharing: SharingHarness) -> None:
    submission = await approved(sharing)
    await sharing.submissions.withdraw(submission.id, MEMBER)
    with pytest.raises(SubmissionStateError):
        await votes_of(sharing).toggle(submission.id, VOTER)


async def test_member_of_another_server_has_no_vote(sharing: SharingHarness) -> None:
    submission = await approved(sharing)
    with pytest.raises(SubmissionNotFoundError):
        await votes_of(sharing).toggle(submission.id, Sharer(member_id=61, guild_id=GUILD + 1))


async def test_votes_at_the_same_time_all_count(sharing: SharingHarness) -> None:
    """In two processes as in one: the row of the submission is locked."""
    submission = await approved(sharing)
    services = [votes_of(sharing), votes_of(sharing)]
    presses = [services[each % 2].toggle(submission.id, sharer(100 + each)) for each in range(8)]
    results = await asyncio.gather(*presses)
    assert sorted(each.count for each in results) == list(range(1, 9))


async def test_votes_of_some_seconds_share_one_edit(sharing: SharingHarness) -> None:
    votes, submission = votes_of(sharing), await posted(sharing)
    await votes.toggle(submission.id, VOTER)
    due = (await post_of(sharing, submission)).due_at
    assert due == START + timedelta(seconds=5)
    sharing.clock.advance(3)
    await votes.toggle(submission.id, OTHER)
    post = await post_of(sharing, submission)
    assert post.due_at == due
    assert post.wanted > post.shown


async def test_old_post_shows_votes_later(sharing: SharingHarness) -> None:
    submission = await posted(sharing, message_id=1)
    await votes_of(sharing).toggle(submission.id, VOTER)
    assert (await post_of(sharing, submission)).due_at == START + timedelta(seconds=60)


async def test_vote_during_an_edit_waits_for_the_next(sharing: SharingHarness) -> None:
    votes, submission = votes_of(sharing), await posted(sharing)
    await votes.toggle(submission.id, VOTER)
    sharing.clock.advance(5)
    now = sharing.clock.now()

    def claim(connection: Connection) -> OutboxMessage | None:
        outbox = OutboxRepository(connection)
        post = outbox.find(MessageKind.SHOWCASE, submission.id)
        assert post is not None
        return outbox.claim(post.id, now, now + timedelta(minutes=10))

    claimed = await sharing.database.write(claim)
    assert claimed is not None
    await votes.toggle(submission.id, OTHER)
    due = await sharing.database.write(
        lambda connection: OutboxRepository(connection).finish(claimed.id, claimed.wanted)
    )
    assert due == now + timedelta(seconds=5)
    assert (await post_of(sharing, submission)).due_at == now + timedelta(seconds=5)


async def by_reactions(sharing: SharingHarness, **rules: object) -> tuple[Submission, VoteService]:
    """Return a post of a server that votes by reactions."""
    submission = await posted(sharing)
    await sharing.set_rules(votes=VoteKind.REACTIONS, **rules)
    return submission, votes_of(sharing)


async def test_reactions_count_as_votes_but_ones_own_and_those_of_the_banned(sharing: SharingHarness) -> None:
    submission, votes = await by_reactions(sharing)
    ban = Ban(guild_id=GUILD, member_id=63, scope=BanScope.SHARING, at=START, actor_id=90)
    await sharing.database.write(lambda connection: BanRepository(connection).set(ban))
    (post,) = await votes.list_posts(GUILD)
    assert (post.submission_id, post.channel_id, post.message_id, post.needs_roles) == (
        submission.id,
        SHOWCASE,
        NEW,
        False,
    )
    assert await votes.record_reactions(submission.id, {MEMBER: (), 61: (), 62: (), 63: ()}) == 2
    assert await votes.count(submission.id) == 2
    assert await votes.record_reactions(submission.id, {62: ()}) == 1
    assert await votes.count(submission.id) == 1


async def test_votes_by_buttons_stay_when_reactions_begin_to_vote(sharing: SharingHarness) -> None:
    votes, submission = votes_of(sharing), await posted(sharing)
    for each in (VOTER, OTHER):
        await votes.toggle(submission.id, each)
    await sharing.set_rules(votes=VoteKind.REACTIONS)
    assert await votes.record_reactions(submission.id, {}) == 2
    # A member with both has one vote, and takes it back by the reaction.
    assert await votes.record_reactions(submission.id, {OTHER.member_id: (), 63: ()}) == 3
    assert await votes.record_reactions(submission.id, {63: ()}) == 2
    assert await votes.record_reactions(submission.id, {}) == 1


async def test_votes_by_reactions_stay_when_buttons_begin_to_vote(sharing: SharingHarness) -> None:
    submission, votes = await by_reactions(sharing)
    await votes.record_reactions(submission.id, {VOTER.member_id: (), OTHER.member_id: ()})
    await sharing.set_rules(votes=VoteKind.BUTTONS)
    assert await votes.count(submission.id) == 2
    pressed = await votes.toggle(submission.id, VOTER)
    assert (pressed.has_voted, pressed.count) == (True, 2)
    again = await votes.toggle(submission.id, VOTER)
    assert (again.has_voted, again.count) == (False, 1)
    # Back to reactions: the vote by the button stays, the other one follows its reaction.
    await votes.toggle(submission.id, VOTER)
    await sharing.set_rules(votes=VoteKind.REACTIONS)
    assert await votes.record_reactions(submission.id, {}) == 1


async def test_reactions_of_voters_alone_count(sharing: SharingHarness) -> None:
    submission, votes = await by_reactions(sharing, voter_roles=(5,))
    (post,) = await votes.list_posts(GUILD)
    assert post.needs_roles
    assert await votes.record_reactions(submission.id, {61: (5, 6), 62: (6,)}) == 1


async def test_reactions_are_not_read_where_buttons_vote(sharing: SharingHarness) -> None:
    submission = await posted(sharing)
    votes = votes_of(sharing)
    assert await votes.list_posts(GUILD) == ()
    assert await votes.record_reactions(submission.id, {61: ()}) == 0
    assert await votes.count(submission.id) == 0


async def test_changed_kind_of_votes_reaches_the_posts(sharing: SharingHarness) -> None:
    submission = await posted(sharing)
    before = await post_of(sharing, submission)
    settings = GuildSettingsService(database=sharing.database, now=sharing.clock.now, new_id=make_id)
    await settings.change_sharing(GUILD, {"votes": VoteKind.OFF, "voter_roles": (5,)}, by=9)
    after = await post_of(sharing, submission)
    assert (before.shown, after.wanted, after.due_at) == (before.wanted, before.wanted + 1, sharing.clock.now())
    await settings.change_sharing(GUILD, {"votes": VoteKind.OFF}, by=9)
    assert (await post_of(sharing, submission)).wanted == after.wanted


async def test_ban_outlives_a_deletion_of_everything(sharing: SharingHarness) -> None:
    votes, submission = votes_of(sharing), await posted(sharing)
    await gone(sharing, VOTER.member_id, BanScope.SHARING)
    with pytest.raises(BannedError):
        await votes.toggle(submission.id, VOTER)


async def test_reaction_of_a_deleted_member_is_not_stored(sharing: SharingHarness) -> None:
    votes, submission = votes_of(sharing), await posted(sharing)
    await sharing.set_rules(votes=VoteKind.REACTIONS)
    await gone(sharing, VOTER.member_id, BanScope.SHARING)
    assert await votes.record_reactions(submission.id, {VOTER.member_id: (), OTHER.member_id: ()}) == 1


async def test_entry_of_a_challenge_takes_no_vote_of_the_showcase(sharing: SharingHarness) -> None:
    votes, submission = votes_of(sharing), await approved(sharing)
    challenge = make_challenge()

    def enter(connection: Connection) -> None:
        ChallengeRepository(connection).add(challenge)
        ChallengeRepository(connection).enter(challenge.id, MEMBER, submission.id)

    await sharing.database.write(enter)
    with pytest.raises(SubmissionNotFoundError):
        await votes.toggle(submission.id, VOTER)
