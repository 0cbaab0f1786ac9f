"""Cards of reports."""

from dataclasses import replace

import pytest

from bot.domain.errors import AlreadyDecidedError, CaseClosedError
from bot.domain.reports import ReportOutcome
from bot.ui.render.error_messages import error_message
from bot.ui.render.report_cards import report_card
from tests.support.clock import START
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


def test_card_of_a_deleted_member_mentions_nobody() -> None:
    found = reported()
    job = replace(found.job, place=replace(found.job.place, member_id=-42))
    said = "\n".join(texts(report_card(replace(found, job=job), (), None)))
    assert "Made by a deleted member" in said
    assert "<@-" not in said
