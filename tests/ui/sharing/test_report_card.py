"""Cards of reports."""

from dataclasses import replace

import pytest

from bot.domain.errors import AlreadyDecidedError, CaseClosedError
from bot.domain.outbox import MessageKind
from bot.domain.reports import ReportOutcome
from bot.ui.render.error_messages import error_message
from bot.ui.render.report_cards import report_card
from tests.support.clock import START
from tests.support.factories import GUILD, make_outbox_message
from tests.ui.sharing.test_longest_texts import reported
from tests.ui.view_reader import texts


@pytest.mark.parametrize(("moderator", "named"), [(77, "<@77>"), (-77, "a deleted member")])
def test_closed_case_names_its_moderator_unless_deleted(moderator: int, named: str) -> None:
    found = reported()
    closed = replace(found.case, closed_at=START, closed_by=moderator, outcome=ReportOutcome.DISMISSED)
    said = texts(report_card(replace(found, case=closed), (), None))[0]
    assert said.startswith(f"## Dismissed by {named}, ")
    late = error_message(CaseClosedError(outcome=ReportOutcome.DISMISSED, by=moderator, at=START))
    assert f"Dismissed by {named}, " in str(late)
    decided = error_message(AlreadyDecidedError(state="refused", by=moderator, at=START))
    assert f"Too late: {named} refused this " in str(decided)


def test_card_links_to_the_posts_and_counts_the_pictures() -> None:
    found = reported()
    post = make_outbox_message(MessageKind.SHOWCASE, channel_id=8, message_id=9)
    reports = tuple(replace(found.reports[0], position=each) for each in (0, 2))
    shown = replace(found, posts=(post, replace(post, message_id=None)), reports=reports)
    said = "\n".join(texts(report_card(shown, (), None))).splitlines()
    assert [each for each in said if "showcase" in each] == [
        f"In the showcase: https://discord.com/channels/{GUILD}/8/9"
    ]
    assert "About pictures 1 and 3" in said


def test_card_of_a_deleted_member_mentions_nobody() -> None:
    found = reported()
    job = replace(found.job, place=replace(found.job.place, member_id=-42))
    said = "\n".join(texts(report_card(replace(found, job=job), (), None)))
    assert "Made by a deleted member" in said
    assert "<@-" not in said
