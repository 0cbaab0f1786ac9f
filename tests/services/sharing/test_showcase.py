"""Posts in the showcase: deleted by hand, not posted, tried again."""

import pytest

from bot.domain.errors import NotAllowedError, RefusedBeforeError, SubmissionStateError
from bot.domain.outbox import MessageKind, OutboxEnd
from bot.domain.sharing.submissions import SubmissionOptions, SubmissionState
from bot.services.guild_settings import GuildSettingsService
from bot.services.sharing.showcase import ShowcaseService
from db.outbox import OutboxRepository
from tests.services.sharing.conftest import SharingHarness, moderator, sharer
from tests.services.sharing.test_votes import approved, post_of, posted
from tests.support.factories import GUILD, MEMBER, make_id

BOT = 900


def showcase_of(sharing: SharingHarness) -> ShowcaseService:
    """Return the service."""
    return ShowcaseService(database=sharing.database, clock=sharing.clock, new_id=make_id, wake=sharing.woken.wake)


async def test_post_deleted_by_hand_takes_the_picture_down(sharing: SharingHarness) -> None:
    submission = await posted(sharing)
    await showcase_of(sharing).note_deleted(submission.id, BOT)
    found = await sharing.submissions.get(submission.id, MEMBER)
    assert (found.state, found.decided_by) == (SubmissionState.TAKEN_DOWN, None)
    with pytest.raises(RefusedBeforeError):
        await sharing.submissions.share(submission.job_id, [0], SubmissionOptions(), sharer())
    await showcase_of(sharing).note_deleted(submission.id, BOT)  # a second process saw it too


async def test_moderator_posts_again(sharing: SharingHarness) -> None:
    submission = await approved(sharing)
    before = (await post_of(sharing, submission)).wanted
    with pytest.raises(NotAllowedError):
        await showcase_of(sharing).post_again(submission.id, sharer())
    sharing.woken.ids.clear()
    await showcase_of(sharing).post_again(submission.id, moderator())
    post = await post_of(sharing, submission)
    assert post.wanted == before + 1
    assert sharing.woken.ids == [post.id]
    await sharing.submissions.withdraw(submission.id, MEMBER)
    with pytest.raises(SubmissionStateError):
        await showcase_of(sharing).post_again(submission.id, moderator())


async def test_another_showcase_channel_posts_what_could_not_be_posted(sharing: SharingHarness) -> None:
    submission = await approved(sharing)
    post = await post_of(sharing, submission)
    await sharing.database.write(
        lambda connection: OutboxRepository(connection).finish(post.id, post.wanted, OutboxEnd.CLOSED)
    )
    settings = GuildSettingsService(database=sharing.database, now=sharing.clock.now, new_id=make_id)
    await settings.change(GUILD, {"showcase_channel_id": 803}, by=1)
    again = await post_of(sharing, submission)
    assert again.wanted > again.shown
    assert again.end is None
    assert again.kind is MessageKind.SHOWCASE
