"""Figures of the review from real decisions."""

from datetime import timedelta

import pytest

from bot.domain.errors import NotAllowedError
from bot.domain.sharing.settings import ReviewMode
from bot.domain.sharing.submissions import SubmissionOptions, SubmissionState
from bot.services.sharing.review_statistics import ReviewFigures, ReviewStatisticsService
from bot.services.sharing.reviews import Decision
from bot.ui.render.sharing.review_figures import review_figures_panel
from tests.services.sharing.conftest import MODERATOR, SharingHarness, moderator, sharer
from tests.support.factories import GUILD
from tests.ui.view_reader import texts


async def decide(sharing: SharingHarness, to: SubmissionState, *, after: float, by: int = MODERATOR) -> None:
    """Share a picture and decide some seconds later."""
    job = await sharing.finished_job(pictures=1)
    submission = await sharing.submissions.share(job.id, [0], SubmissionOptions(), sharer())
    sharing.clock.advance(after)
    await sharing.reviews.decide(Decision(submission_id=submission.id, revision=1, to=to), moderator(by))


async def test_figures_are_by_week_in_the_servers_zone_and_by_moderator(sharing: SharingHarness) -> None:
    await sharing.set_guild(time_zone="Pacific/Auckland")  # it is Saturday evening there
    statistics = ReviewStatisticsService(database=sharing.database, clock=sharing.clock)
    await decide(sharing, SubmissionState.APPROVED, after=60)
    await decide(sharing, SubmissionState.REFUSED, after=180)
    await decide(sharing, SubmissionState.CHANGES_ASKED, after=7200, by=MODERATOR + 1)
    sharing.clock.advance(timedelta(days=1).total_seconds())  # Monday there, Sunday in Greenwich
    await decide(sharing, SubmissionState.APPROVED, after=60)
    found = await statistics.get(moderator())
    assert [figures for _, figures in found.weeks] == [
        ReviewFigures(submitted=1, approved=1, median_seconds=60),
        ReviewFigures(submitted=3, approved=1, refused=1, asked=1, median_seconds=180),
    ]
    assert [(member_id, figures.decided) for member_id, figures in found.moderators] == [
        (MODERATOR, 3),
        (MODERATOR + 1, 1),
    ]
    (said,) = texts(review_figures_panel(found))
    assert "3 shared · 3 decisions · 50% approved · median about 3\u00a0min" in said
    assert f"<@{MODERATOR + 1}> · 1 decision · median about 2\u00a0h" in said


async def test_what_a_rule_approves_is_no_decision(sharing: SharingHarness) -> None:
    await sharing.set_rules(review=ReviewMode.NONE)
    job = await sharing.finished_job(pictures=1)
    await sharing.submissions.share(job.id, [0], SubmissionOptions(), sharer())
    found = await ReviewStatisticsService(database=sharing.database, clock=sharing.clock).get(moderator())
    assert [figures for _, figures in found.weeks] == [ReviewFigures(submitted=1)]
    assert found.moderators == ()


async def test_figures_are_for_moderators_of_their_server(sharing: SharingHarness) -> None:
    statistics = ReviewStatisticsService(database=sharing.database, clock=sharing.clock)
    with pytest.raises(NotAllowedError):
        await statistics.get(sharer())
    await decide(sharing, SubmissionState.APPROVED, after=60)
    found = await statistics.get(moderator(guild_id=GUILD + 1))
    assert (found.weeks, found.moderators) == ((), ())
