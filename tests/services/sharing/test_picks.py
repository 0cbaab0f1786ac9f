"""Picks of a week: their order, their post, and withdrawn ones."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import Connection

from bot.domain.errors import NotAllowedError, NotOfferedError, PicksPostedError, SharingOffError
from bot.domain.outbox import MessageKind, OutboxMessage, guild_subject
from bot.domain.sharing.settings import ReviewMode
from bot.domain.sharing.submissions import Submission, SubmissionOptions
from bot.services.sharing.picks import PickService
from bot.services.sharing.votes import VoteService
from bot.ui.render.sharing.picks import picks_post, picks_preview
from db.audit_log import AuditLogRepository
from db.outbox import OutboxRepository
from tests.services.sharing.conftest import MODERATOR, SharingHarness, identity_of, moderator, sharer
from tests.support.factories import GUILD, MEMBER, make_id
from tests.ui.view_reader import labels, texts


def picks_of(sharing: SharingHarness) -> PickService:
    """Return the service."""
    return PickService(database=sharing.database, clock=sharing.clock, new_id=make_id, wake=sharing.woken.wake)


async def voted(sharing: SharingHarness, votes: int, **options: object) -> Submission:
    """Return an approved submission with votes of now."""
    await sharing.set_rules(review=ReviewMode.NONE, allows_anonymous=True)
    job = await sharing.finished_job()
    submission = await sharing.submissions.share(job.id, [0], SubmissionOptions(**options), sharer())  # type: ignore[arg-type]
    service = VoteService(database=sharing.database, identity=identity_of(sharing), clock=sharing.clock)
    for each in range(votes):
        await service.toggle(submission.id, sharer(100 + each))
    return submission


async def post_of(sharing: SharingHarness, week: int) -> OutboxMessage | None:
    """Return the post of a week's picks."""
    return await sharing.database.read(
        lambda connection: OutboxRepository(connection).find(MessageKind.PICKS, guild_subject(GUILD), week)
    )


async def test_most_voted_pictures_of_the_week_are_picked_in_order(sharing: SharingHarness) -> None:
    await voted(sharing, 5, title="Of last week")
    sharing.clock.advance(timedelta(days=7).total_seconds())
    second, first = await voted(sharing, 1, title="B"), await voted(sharing, 2, title="A")
    await voted(sharing, 0)
    withdrawn = await voted(sharing, 3)
    await sharing.submissions.withdraw(withdrawn.id, MEMBER)
    found = await picks_of(sharing).preview(moderator())
    assert [(each.snapshot.submission.id, each.votes) for each in found.picks] == [(first.id, 2), (second.id, 1)]
    assert labels(picks_preview(found)) == ["Post the picks"]


async def test_picks_are_posted_once_by_two_processes(sharing: SharingHarness) -> None:
    await voted(sharing, 1)
    services = [picks_of(sharing), picks_of(sharing)]
    week = (await services[0].preview(moderator())).week
    results = await asyncio.gather(*(each.post(moderator(), week) for each in services), return_exceptions=True)
    assert sorted(type(each).__name__ for each in results) == ["PicksPostedError", "WeekPicks"]
    post = await post_of(sharing, week)
    assert post is not None
    assert post.wanted == 1

    def read(connection: Connection) -> list[tuple[str, int]]:
        entries = AuditLogRepository(connection).list(GUILD, limit=50)
        return [(each.action, each.actor_id) for each in entries if each.action == "share.picks"]

    assert await sharing.database.read(read) == [("share.picks", MODERATOR)]
    assert labels(picks_preview(await services[0].preview(moderator()))) == []


async def test_withdrawn_pick_leaves_the_post(sharing: SharingHarness) -> None:
    submission, other = await voted(sharing, 2, title="Gone"), await voted(sharing, 1, title="Stays")
    picks = picks_of(sharing)
    week = (await picks.preview(moderator())).week
    await picks.post(moderator(), week)
    before = await post_of(sharing, week)
    await sharing.submissions.withdraw(submission.id, MEMBER)
    after = await post_of(sharing, week)
    assert before is not None
    assert after is not None
    assert after.wanted == before.wanted + 1
    found = await picks.posted(GUILD, week)
    assert [each.snapshot.submission.id for each in found.picks] == [other.id]
    assert "Gone" not in str(texts(picks_post(found, {})))


async def test_anonymous_pick_names_nobody(sharing: SharingHarness) -> None:
    await voted(sharing, 1, title="A", is_anonymous=True)
    found = await picks_of(sharing).preview(moderator())
    words = "\n".join(texts(picks_post(found, {})))
    assert f"<@{MEMBER}>" not in words
    assert words.endswith("-# AI-generated")


async def test_refused_posts_of_picks(sharing: SharingHarness) -> None:
    picks = picks_of(sharing)
    with pytest.raises(NotAllowedError):
        await picks.preview(sharer())
    week = (await picks.preview(moderator())).week
    with pytest.raises(NotOfferedError):  # no votes
        await picks.post(moderator(), week)
    await voted(sharing, 1)
    with pytest.raises(NotOfferedError):  # another week
        await picks.post(moderator(), week - 7)
    await sharing.set_guild(showcase_channel_id=None)
    with pytest.raises(SharingOffError):
        await picks.post(moderator(), week)
    await sharing.set_guild(showcase_channel_id=1)
    await picks.post(moderator(), week)
    with pytest.raises(PicksPostedError):
        await picks.post(moderator(), week)
