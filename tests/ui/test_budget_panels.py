"""Words and panels of budgets."""

from datetime import UTC, date, datetime

import pytest
from discord import ui

from bot.domain.allowances import PeriodKind
from bot.domain.budget_forecasts import BudgetForecast
from bot.domain.credits import Budget
from bot.domain.guild_budgets import GuildLimits
from bot.services.budgets import GuildBudget
from bot.ui.render.budget_panels import allowance_effect, bar, budget_panel


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
        (0, PeriodKind.DAY, 2, None, "This blocks 2 members: without granted credits they make no pictures."),
    ],
    ids=["day", "week", "month", "unlimited", "no-limit-at-all", "nobody", "nothing"],
)
def test_allowance_effect_names_its_cost_a_month(
    amount: int | None, period: PeriodKind, heads: int, budget: int | None, words: str
) -> None:
    assert allowance_effect(amount, period, heads, budget) == words


RENEWS = datetime(2026, 12, 1, tzinfo=UTC)


def shown(
    limits: GuildLimits = GuildLimits(admins=20_000),  # noqa: B008 - frozen
    *,
    forecast: BudgetForecast | None = None,
    of_all: int = 90_000,
    **used: int,
) -> GuildBudget:
    """Return a server's budget of 20,000."""
    return GuildBudget(
        budget=Budget(month="2026-11", limit=limits.lowest or 100_000, **used),
        limits=limits,
        of_all=Budget(month="2026-11", limit=100_000, captured=100_000 - of_all),
        renews_at=RENEWS,
        forecast=forecast,
    )


def lines(view: ui.LayoutView) -> list[str]:
    return [
        line for item in view.walk_children() if isinstance(item, ui.TextDisplay) for line in item.content.split("\n")
    ]


def test_budget_panel_shows_parts_bar_end_and_limits() -> None:
    forecast = BudgetForecast(a_day=500, ends_on=date(2026, 11, 23))
    view = budget_panel(
        shown(
            GuildLimits(admins=20_000, operators=50_000), forecast=forecast, captured=10_000, held=2_000, at_risk=1_000
        )
    )
    assert lines(view) == [
        "## 7,000 of 20,000 credits left this month",
        "`██████████▓▓▒░░░░░░░`",
        "-# 10,000 spent · 2,000 held for pictures in progress · 1,000 at risk · renews <t:1796083200:R>",
        "At this pace, 500 credits a day, it ends on the 23rd.",
        "-# This server's admins set 20,000 credits a month.",
        "-# The bot's operator gives this server 50,000 credits a month.",
    ]


def test_budget_panel_without_a_limit_names_the_budget_of_all() -> None:
    assert lines(budget_panel(shown(GuildLimits(), captured=120))) == [
        "## 120 credits used this month",
        "-# 120 spent · renews <t:1796083200:R>",
        "-# No limit is set for this server; `/studio budget` with `amount` sets one.",
        "-# All servers together have 90,000 of 100,000 left.",
    ]


@pytest.mark.parametrize(
    ("budget", "said"),
    [
        (
            shown(captured=20_000),
            "It is used up: no new pictures until it renews, or until its limit is raised.",
        ),
        (shown(captured=1), "A forecast needs some hours of pictures first."),
        (
            shown(captured=1, forecast=BudgetForecast(a_day=10, ends_on=None)),
            "At this pace, 10 credits a day, it lasts the month.",
        ),
        (shown(of_all=50), "-# All servers together have 50 of 100,000 left."),
    ],
    ids=["spent", "no-data", "lasts", "others-spent-it"],
)
def test_budget_panel_tells_the_outlook(budget: GuildBudget, said: str) -> None:
    assert said in lines(budget_panel(budget))


@pytest.mark.parametrize(("used", "blocks"), [(0, 0), (1, 1), (19_999, 19), (20_000, 20), (30_000, 20)])
def test_bar_is_empty_and_full_only_if_the_budget_is(used: int, blocks: int) -> None:
    assert bar(Budget(month="2026-11", limit=20_000, captured=used)) == "█" * blocks + "░" * (20 - blocks)
