"""Moderators' forms on cards of reports."""

from datetime import timedelta
from typing import Any

import pytest

from bot.domain.errors import NotOfferedError
from bot.domain.reports import ReportOutcome
from bot.ui.handlers.sharing.reports import DecisionModal
from bot.ui.handlers.sharing.review import TERM_FIELD, chosen_term
from tests.support.factories import make_id


def fields(outcome: ReportOutcome) -> list[Any]:
    """Return the custom ids of a form's fields."""
    form: Any = DecisionModal(make_id(), outcome, {0: True}).to_dict()
    return [each["component"]["custom_id"] for each in form["components"] if "component" in each]


async def test_form_of_a_ban_asks_for_its_term() -> None:
    assert TERM_FIELD in fields(ReportOutcome.BANNED_FROM_STUDIO)
    assert TERM_FIELD in fields(ReportOutcome.BANNED_FROM_SHARING)
    assert TERM_FIELD not in fields(ReportOutcome.TAKEN_DOWN)
    assert chosen_term({TERM_FIELD: ["30"]}) == timedelta(days=30)
    assert chosen_term({TERM_FIELD: ["0"]}) is None
    for chosen in ([], ["2"]):
        with pytest.raises(NotOfferedError):
            chosen_term({TERM_FIELD: chosen})
