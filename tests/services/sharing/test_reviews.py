"""Reviews: claims, decisions, and moderators at once."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.bans import BanScope
from bot.domain.errors import (
    AlreadyDecidedError,
    BannedError,
    NotAllowedError,
    SubmissionClaimedError,
    SubmissionNotFoundError,
    SubmissionStateError,
)
from bot.domain.outbox import MessageKind
from bot.domain.sharing.settings import CLAIM_LASTS
from bot.domain.sharing.submissions import MemberRecord, Submission, SubmissionOptions, SubmissionState
from bot.services.jobs import Actor
from bot.services.moderation import ModerationService, Target
from bot.services.sharing.review_queue import ReviewQueue
from bot.services.sharing.reviews import Decision
from bot.services.sharing.snapshots import SubmissionSnapshots
from bot.ui.render.error_messages import error_message
from db.audit_log import AuditLogRepository
from db.outbox import OutboxRepository
from db.submissions import SubmissionRepository
from tests.services.sharing.conftest import MODERATOR, SharingHarness, moderator, sharer
from tests.support.catalogue import BOTH
from tests.support.clock import START
from tests.support.factories import GUILD, MEMBER, make_id

OTHER = MODERATOR + 1


async def share(sharing: SharingHarness, member: int = MEMBER) -> Submission:
    """Share a picture of a new job."""
    job = await sharing.finished_job(pictures=1, member=member)
    return await sharing.submissions.share(job.id, [0], SubmissionOptions(), sharer(member))


def decision(submission: Submission, to: SubmissionState, reason: str = "") -> Decision:
    """Return a decision about a submission as it is."""
    return Decision(submission_id=submission.id, revision=submission.revision, to=to, reason=reason)


async def test_approval_makes_post_and_notice_due(sharing: SharingHarness) -> None:
    submission = await share(sharing)
    approval = Decision(submission_id=submission.id, revision=1, to=SubmissionState.APPROVED, is_spoiler=True)
    approved = await sharing.reviews.decide(approval, moderator())
    assert (approved.state, approved.decided_by, approved.options.is_spoiler) == (
        SubmissionState.APPROVED,
        MODERATOR,
        True,
    )
    snapshot = await SubmissionSnapshots(database=sharing.database).get(submission.id)
    assert snapshot.showcase is not None
    assert snapshot.review is not None
    assert snapshot.review.wanted == 2
    assert snapshot.record == MemberRecord(approved=1)
    notice = await sharing.database.read(
        lambda connection: OutboxRepository(connection).find(MessageKind.NOTICE, submission.id, 2)
    )
    assert notice is not None
    entries = await sharing.database.read(lambda connection: AuditLogRepository(connection).list(GUILD, limit=5))
    assert (entries[0].action, entries[0].actor_id, entries[0].target_id) == ("share.approve", MODERATOR, MEMBER)


async def test_two_moderators_at_once_make_one_decision(sharing: SharingHarness) -> None:
    submission = await share(sharing)
    decisions = (
        sharing.reviews.decide(decision(submission, SubmissionState.APPROVED), moderator()),
        sharing.reviews.decide(decision(submission, SubmissionState.REFUSED, "Off topic"), moderator(OTHER)),
    )
    results = await asyncio.gather(*decisions, return_exceptions=True)
    done = [each for each in results if isinstance(each, Submission)]
    late = [each for each in results if isinstance(each, AlreadyDecidedError)]
    assert (len(done), len(late)) == (1, 1)
    assert (late[0].by, late[0].state, late[0].at) == (done[0].decided_by, done[0].state, START)


async def test_withdrawal_and_approval_at_once_make_one_change(sharing: SharingHarness) -> None:
    submission = await share(sharing)
    results = await asyncio.gather(
        sharing.submissions.withdraw(submission.id, MEMBER),
        sharing.reviews.decide(decision(submission, SubmissionState.APPROVED), moderator()),
        return_exceptions=True,
    )
    # Whichever comes first: an approved one can still be withdrawn, a withdrawn one cannot be approved.
    current = await sharing.submissions.get(submission.id, MEMBER)
    assert current.state is SubmissionState.WITHDRAWN
    assert isinstance(results[0], Submission)
    assert isinstance(results[1], Submission | AlreadyDecidedError)


async def test_decision_on_an_older_revision_is_refused(sharing: SharingHarness) -> None:
    submission = await share(sharing)
    asked = await sharing.reviews.decide(decision(submission, SubmissionState.CHANGES_ASKED, "Crop it"), moderator())
    await sharing.submissions.revise(asked, [0], SubmissionOptions(title="New"), sharer())
    with pytest.raises(AlreadyDecidedError) as caught:
        await sharing.reviews.decide(decision(submission, SubmissionState.APPROVED), moderator())
    assert caught.value.state is SubmissionState.WAITING


@pytest.mark.parametrize("actor", [Actor(member_id=MODERATOR, guild_id=GUILD), moderator(guild_id=GUILD + 1)])
async def test_decision_needs_a_moderator_of_the_server(sharing: SharingHarness, actor: Actor) -> None:
    submission = await share(sharing)
    with pytest.raises(NotAllowedError):
        await sharing.reviews.decide(decision(submission, SubmissionState.APPROVED), actor)
    with pytest.raises(NotAllowedError):
        await sharing.reviews.claim(submission.id, actor)
    assert (await sharing.submissions.get(submission.id, MEMBER)).state is SubmissionState.WAITING


async def test_claim_keeps_others_out_until_it_expires(sharing: SharingHarness) -> None:
    submission = await share(sharing)
    claimed = await sharing.reviews.claim(submission.id, moderator())
    assert claimed.claimed_by == MODERATOR
    with pytest.raises(SubmissionClaimedError) as caught:
        await sharing.reviews.decide(decision(submission, SubmissionState.APPROVED), moderator(OTHER))
    assert (caught.value.by, caught.value.until) == (MODERATOR, START + timedelta(minutes=10))
    with pytest.raises(SubmissionClaimedError):
        await sharing.reviews.claim(submission.id, moderator(OTHER))
    sharing.clock.advance(601)
    assert (await sharing.reviews.claim(submission.id, moderator(OTHER))).claimed_by == OTHER
    approved = await sharing.reviews.decide(decision(submission, SubmissionState.APPROVED), moderator(OTHER))
    assert approved.claimed_by is None


async def test_list_of_the_queue_has_the_claims_of_others(sharing: SharingHarness) -> None:
    one, two = await share(sharing), await share(sharing)
    await sharing.reviews.claim(one.id, moderator(OTHER))
    await sharing.reviews.claim(two.id, moderator())
    queue = ReviewQueue(database=sharing.database, clock=sharing.clock)

    async def claims() -> list[list[int | None]]:
        first = await queue.get(GUILD, limit=5, viewer=moderator())
        chosen = await queue.get_listed(moderator(), [one.id, two.id])
        return [[each.claimed_by for each in found.entries] for found in (first, chosen)]

    assert await claims() == [[OTHER, None]] * 2
    sharing.clock.advance(CLAIM_LASTS.total_seconds())
    assert await claims() == [[None, None]] * 2


async def test_released_claim_lets_others_decide(sharing: SharingHarness) -> None:
    submission = await share(sharing)
    await sharing.reviews.claim(submission.id, moderator())
    assert not await sharing.reviews.release(submission.id, moderator(OTHER))
    assert await sharing.reviews.release(submission.id, moderator())
    assert (await sharing.reviews.claim(submission.id, moderator(OTHER))).claimed_by == OTHER


async def test_illegal_decision_is_refused(sharing: SharingHarness) -> None:
    submission = await share(sharing)
    with pytest.raises(SubmissionStateError):
        await sharing.reviews.decide(decision(submission, SubmissionState.HIDDEN), moderator())
    with pytest.raises(SubmissionNotFoundError):
        await sharing.reviews.claim("0" * 32, moderator())


async def test_bulk_decision_reports_those_decided_meanwhile(sharing: SharingHarness) -> None:
    waiting = [await share(sharing, MEMBER + number) for number in range(3)]
    await sharing.submissions.withdraw(waiting[1].id, MEMBER + 1)
    done, failed = await sharing.reviews.decide_all(
        [decision(each, SubmissionState.APPROVED) for each in waiting], moderator()
    )
    assert [each.id for each in done] == [waiting[0].id, waiting[2].id]
    assert [(submission_id, type(error)) for submission_id, error in failed] == [(waiting[1].id, AlreadyDecidedError)]
    assert (await sharing.reviews.queue(GUILD)).waiting == 0


async def test_queue_lists_longest_waiting_first(sharing: SharingHarness) -> None:
    waiting = []
    for number in range(3):
        waiting.append(await share(sharing, MEMBER + number))
        sharing.clock.advance(60)
    first = await sharing.reviews.list_waiting(moderator(), limit=2)
    rest = await sharing.reviews.list_waiting(moderator(), limit=2, after=(first[-1].waiting_since, first[-1].id))
    assert [each.id for each in (*first, *rest)] == [each.id for each in waiting]
    summary = await sharing.reviews.queue(GUILD)
    assert (summary.waiting, summary.oldest) == (3, START)


async def test_hidden_post_goes_back_to_the_queue(sharing: SharingHarness) -> None:
    submission = await share(sharing)
    approved = await sharing.reviews.decide(decision(submission, SubmissionState.APPROVED), moderator())
    moved = await sharing.database.write(
        lambda connection: SubmissionRepository(connection).move(approved, SubmissionState.HIDDEN, START)
    )
    assert moved
    assert (await sharing.reviews.queue(GUILD)).waiting == 1
    hidden = await sharing.submissions.get(submission.id, MEMBER)
    back = await sharing.reviews.decide(decision(hidden, SubmissionState.APPROVED), moderator())
    assert back.state is SubmissionState.APPROVED


async def test_moderator_decides_about_their_own_submission_only_as_an_admin(sharing: SharingHarness) -> None:
    submission = await share(sharing, MODERATOR)
    approval = decision(submission, SubmissionState.APPROVED)
    for refused in (sharing.reviews.decide(approval, moderator()), sharing.reviews.claim(submission.id, moderator())):
        with pytest.raises(NotAllowedError):
            await refused
    done, failed = await sharing.reviews.decide_all([approval], moderator())
    assert (done, [type(error) for _, error in failed]) == ([], [NotAllowedError])
    approved = await sharing.reviews.decide(replace(approval, as_admin=True), moderator())
    assert (approved.state, approved.decided_by) == (SubmissionState.APPROVED, MODERATOR)


async def test_claim_is_shown_on_the_card(sharing: SharingHarness) -> None:
    submission = await share(sharing)
    sharing.woken.ids.clear()
    await sharing.reviews.claim(submission.id, moderator())
    card = await sharing.database.read(
        lambda connection: OutboxRepository(connection).find(MessageKind.REVIEW, submission.id)
    )
    assert card is not None
    assert (card.wanted, sharing.woken.ids) == (2, [card.id])


async def test_ban_and_refusal_happen_together_or_not_at_all(sharing: SharingHarness) -> None:
    moderation = ModerationService(database=sharing.database, clock=sharing.clock, catalogue=BOTH, new_id=make_id)
    first, second = await share(sharing), await share(sharing)
    ban = moderation.plan_ban(
        GUILD, Target(member_id=MEMBER), scope=BanScope.SHARING, term=None, reason="spam", actor_id=MODERATOR
    )
    stale = replace(decision(first, SubmissionState.REFUSED), revision=9)
    with pytest.raises(AlreadyDecidedError):
        await sharing.reviews.decide(stale, moderator(), besides=ban)
    assert await moderation.list_bans(GUILD) == ()
    refused = await sharing.reviews.decide(decision(second, SubmissionState.REFUSED, "spam"), moderator(), besides=ban)
    assert refused.state is SubmissionState.REFUSED
    assert [each.member_id for each in await moderation.list_bans(GUILD)] == [MEMBER]
    job = await sharing.finished_job(pictures=1)
    with pytest.raises(BannedError):
        await sharing.submissions.share(job.id, [0], SubmissionOptions(), sharer())


async def test_audit_entry_of_a_decision_has_its_waiting_time(sharing: SharingHarness) -> None:
    submission = await share(sharing)
    sharing.clock.advance(90)
    await sharing.reviews.decide(decision(submission, SubmissionState.REFUSED), moderator())
    entries = await sharing.database.read(lambda connection: AuditLogRepository(connection).list(GUILD, limit=5))
    assert entries[0].detail == {"submission": submission.id, "waited": 90}


async def test_prompt_of_a_withdrawn_submission_is_not_read(sharing: SharingHarness) -> None:
    """Its member withdrew it while a moderator looked at the card."""
    submission = await share(sharing)
    await sharing.reviews.claim(submission.id, moderator())
    await sharing.submissions.withdraw(submission.id, MEMBER)
    with pytest.raises(AlreadyDecidedError) as refused:
        await sharing.reviews.get_prompt(submission.id, moderator())
    assert (refused.value.state, refused.value.by) == (SubmissionState.WITHDRAWN, None)
    assert error_message(refused.value) == f"Too late: this was withdrawn <t:{START.timestamp():.0f}:R>."


async def test_prompt_of_a_private_job_is_read_by_moderators_of_its_server_alone(sharing: SharingHarness) -> None:
    submission = await share(sharing)
    assert await sharing.reviews.get_prompt(submission.id, moderator()) == "a lighthouse at dusk"
    for other in (moderator(guild_id=GUILD + 1), Actor(member_id=OTHER, guild_id=GUILD)):
        with pytest.raises(NotAllowedError):
            await sharing.reviews.get_prompt(submission.id, other)
