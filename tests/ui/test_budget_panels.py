"""Words and panels of budgets."""

import pytest

from bot.domain.allowances import PeriodKind
from bot.ui.render.budget_panels import allowance_effect


@pytest.mark.parametrize(
    ("amount", "period", "heads", "budget", "words"),
    [
        (
            30,
            PeriodKind.DAY,
            40,
            20_000,
            "up to 1,200 credits a day for 40 members: 36,000 a month, of a budget of 20,000",
        ),
        (70, PeriodKind.WEEK, 1, None, "up to 70 credits a week for 1 member: 300 a month"),
        (500, PeriodKind.MONTH, 3, 900, "up to 1,500 credits a month for 3 members, of a budget of 900"),
        (None, PeriodKind.DAY, 5, 900, "unlimited for 5 members, up to the budget of 900 a month"),
        (None, PeriodKind.DAY, 5, None, "unlimited for 5 members"),
        (None, PeriodKind.DAY, 0, None, "unlimited for 0 members"),
        (0, PeriodKind.DAY, 2, None, "up to 0 credits a day for 2 members: 0 a month"),
    ],
    ids=["day", "week", "month", "unlimited", "no-limit-at-all", "nobody", "nothing"],
)
def test_allowance_effect_names_its_cost_a_month(
    amount: int | None, period: PeriodKind, heads: int, budget: int | None, words: str
) -> None:
    assert allowance_effect(amount, period, heads, budget) == words
