"""The lines of `atelier money`."""

from decimal import Decimal
from typing import Any

import pytest

from bot.command_line.money_report import WIDTH, money_report
from bot.domain.costs import CostSource, Currency
from bot.domain.money import ModelMoney

USD_REPORTED = (Currency.USD, CostSource.REPORTED)
USD_TABLE = (Currency.USD, CostSource.TABLE)
CREDITS = (Currency.CREDITS, CostSource.REPORTED)


def row(provider: str, model: str, **changes: Any) -> ModelMoney:
    """Return a row with one image a job."""
    values: dict[str, Any] = {
        "jobs": 3,
        "last_jobs": 2,
        "images": 2,
        "calls": 4,
        "refused": 1,
        "failed": 0,
        "unknown": 1,
        "earned": 24,
        "possible": 12,
        "costs": {},
        "unpriced": 1,
    }
    return ModelMoney(provider=provider, model=model, **(values | changes))


def test_month_without_calls_is_one_line() -> None:
    assert list(money_report("2026-11", [])) == ["No call to a provider in 2026-11."]


def test_report_has_rows_and_sums() -> None:
    """A job of two providers counts once in the sum."""
    rows = [
        row("bfl", "flux-3", costs={USD_REPORTED: Decimal("1.5"), USD_TABLE: Decimal("0.0375")}),
        row("reve2img", "reve-2.0", last_jobs=3, costs={CREDITS: Decimal(20)}, unpriced=0),
        row("skillboss", "reve-2.0", unpriced=4),
    ]
    assert list(money_report("2026-11", rows)) == [
        "Calls in 2026-11, and the credits for them:",
        "provider   model     jobs  images  calls  refused  failed  unknown  earned  possible",
        "bfl        flux-3       3       2      4        1       0        1      24        12",
        "reve2img   reve-2.0     3       2      4        1       0        1      24        12",
        "skillboss  reve-2.0     3       2      4        1       0        1      24        12",
        "all                     7       6     12        3       0        3      72        36",
        "",
        "Costs in 2026-11:",
        "provider   model        unit   spent  reported  computed   table  unpriced",
        "bfl        flux-3        usd  1.5375      1.50      0.00  0.0375         1",
        "reve2img   reve-2.0  credits   20.00     20.00      0.00    0.00         0",
        "skillboss  reve-2.0        -       -         -         -       -         4",
        "all                      usd  1.5375      1.50      0.00  0.0375         5",
        "all                  credits   20.00     20.00      0.00    0.00",
    ]


@pytest.mark.parametrize("length", [20, 27, 64])
def test_lines_fit_the_width(length: int) -> None:
    costs = {USD_REPORTED: Decimal("12345.6789"), USD_TABLE: Decimal("1.0001"), CREDITS: Decimal(99_999)}
    many = {"jobs": 99_999, "images": 99_999, "calls": 99_999, "earned": 9_999_999, "possible": 999_999}
    lines = list(money_report("2026-11", [row("openrouter", "m" * length, costs=costs, **many)]))
    assert max(map(len, lines)) <= WIDTH
    assert (f"{'m' * length} " in lines[2]) is (length < 30)
