"""Charts, alternative texts, panel and file of statistics."""

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

import pytest

from bot.charts.specs import BarPairs, Bars, Lines, StackedBars
from bot.domain.costs import CostSource, Currency
from bot.domain.money import ModelMoney
from bot.domain.statistics import (
    Counts,
    Day,
    MemberCredits,
    Period,
    RoleCredits,
    Statistics,
    Waiting,
)
from bot.domain.statistics_chart import StatisticsChart
from bot.ui.render.statistics_charts import DescribedChart, charts_of
from bot.ui.render.statistics_csv import COLUMNS, csv_text, neutralize
from bot.ui.render.statistics_numbers import Names
from bot.ui.render.statistics_panel import no_statistics_panel, statistics_panel
from tests.ui.view_reader import gallery, parts, texts, utf16

NOW: Final = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)
TODAY: Final = date(2026, 11, 30)
NAMES: Final = Names(members={1: "Anna", 2: "=cmd()"}, roles={77: "Patrons"}, provider=str.title)
NO_BREAK: Final = "\u00a0"


def statistics(days: int = 7, **changes: Any) -> Statistics:
    """Return a week with jobs on two days."""
    period = Period.until(NOW, days, "Europe/Berlin")
    yesterday = {
        "reve-2.0": Counts(jobs=8, done=6, failed=2, credits=72),
        "nano-banana": Counts(jobs=2, done=2, credits=40),
    }
    today = {"reve-2.0": Counts(jobs=5, done=4, credits=48)}
    numbers = {
        TODAY - timedelta(days=1): (yesterday, Waiting(median=31, late=75)),
        TODAY: (today, Waiting(median=20, late=40)),
    }
    values: dict[str, Any] = {
        "members": (MemberCredits(member_id=1, jobs=9, credits=100), MemberCredits(member_id=3, jobs=3, credits=50)),
        "other_members": 4,
        "other_jobs": 3,
        "other_credits": 10,
        "roles": (RoleCredits(role_id=0, jobs=10, credits=100), RoleCredits(role_id=77, jobs=5, credits=60)),
        "waiting": Waiting(median=28, late=70),
    }
    return Statistics(
        period=period,
        days=tuple(
            Day(day=day, models=models, waiting=waiting)
            for day in period.days
            for models, waiting in [numbers.get(day, ({}, None))]
        ),
        **{**values, **changes},
    )


def offer(provider: str, model: str, earned: int, usd: str, own: int = 0, unpriced: int = 0) -> ModelMoney:
    """Return the money of an offer."""
    counts = dict.fromkeys(("jobs", "last_jobs", "images", "calls", "refused", "failed", "unknown", "possible"), 1)
    costs = {(Currency.USD, CostSource.REPORTED): Decimal(usd), (Currency.CREDITS, CostSource.REPORTED): Decimal(own)}
    known = {key: amount for key, amount in costs.items() if amount}
    return ModelMoney(provider=provider, model=model, earned=earned, costs=known, unpriced=unpriced, **counts)


def drawn(which: StatisticsChart, numbers: Statistics | None = None, names: Names = NAMES) -> DescribedChart:
    """Return the only chart of a choice."""
    (chart,) = charts_of(numbers or statistics(), which, names)
    return chart


def rows(numbers: Statistics, names: Names = NAMES) -> list[dict[str, str]]:
    """Return the file's lines by column."""
    return list(csv.DictReader(io.StringIO(csv_text(numbers, names))))


def value(lines: Sequence[dict[str, str]], table: str, measure: str, **columns: str) -> float:
    """Return the sum of a measure in the file."""
    wanted = {"table": table, "measure": measure, **columns}
    return sum(float(line["value"]) for line in lines if wanted.items() <= line.items())


def said_numbers(text: str) -> list[float]:
    """Return the numbers in a text."""
    return [float(each.replace(",", "")) for each in re.findall(r"\d[\d,]*(?:\.\d+)?", text)]


def test_jobs_by_model_say_what_the_file_has() -> None:
    numbers = statistics()
    chart, lines = drawn(StatisticsChart.MODELS, numbers), rows(numbers)
    assert chart.description == (
        "Jobs a day by model, 24 Nov to 30 Nov. 15 jobs in all: reve-2.0 13, nano-banana 2."
        " Most on 29 Nov: 10. Today: 5."
    )
    assert value(lines, "total", "jobs") == value(lines, "day", "jobs") == 15
    assert value(lines, "day", "jobs", name="reve-2.0") == 13
    assert value(lines, "day", "jobs", day="2026-11-29") == 10
    assert isinstance(chart.chart, StackedBars)
    assert [(each.name, each.values[-2:]) for each in chart.chart.series] == [
        ("reve-2.0", (8, 5)),
        ("nano-banana", (2, 0)),
    ]


def test_models_after_the_fourth_are_one_sum() -> None:
    models = {f"model-{number}": Counts(jobs=10 - number) for number in range(6)}
    numbers = replace(statistics(1), days=(Day(day=TODAY, models=models),))
    chart = drawn(StatisticsChart.MODELS, numbers).chart
    assert isinstance(chart, StackedBars)
    assert chart.has_rest
    assert [(each.name, each.values) for each in chart.series][-2:] == [("model-3", (7,)), ("2 others", (11,))]


def test_members_say_what_the_file_has() -> None:
    numbers = statistics()
    chart, lines = drawn(StatisticsChart.MEMBERS, numbers), rows(numbers)
    assert chart.description == (
        "Credits by member, 24 Nov to 30 Nov. Anna 100 credits, member 2 50 credits, 4 others 10 credits."
    )
    assert value(lines, "member", "credits", name="Anna") == 100
    assert value(lines, "member", "credits", name="member 2") == 50
    assert value(lines, "other_members", "credits") == 10
    assert value(lines, "member", "credits") + value(lines, "other_members", "credits") == value(
        lines, "total", "credits"
    )
    assert isinstance(chart.chart, Bars)
    assert [bar.is_rest for bar in chart.chart.bars] == [False, False, True]
    assert chart.chart.bars[0].spare_name == "member 1"


def test_roles_are_named_by_their_allowance() -> None:
    roles = tuple(RoleCredits(role_id=each, jobs=1, credits=9) for each in (None, 0, 77, 88))
    numbers = statistics(roles=roles)
    assert drawn(StatisticsChart.ROLES, numbers).description.endswith(
        "own allowance 9 credits, everybody 9 credits, Patrons 9 credits, a deleted role 9 credits."
    )
    assert [line["name"] for line in rows(numbers) if line["table"] == "role" and line["measure"] == "credits"] == [
        "own allowance",
        "everybody",
        "Patrons",
        "a deleted role",
    ]


def test_success_says_what_the_file_has() -> None:
    numbers = statistics()
    chart, lines = drawn(StatisticsChart.SUCCESS, numbers), rows(numbers)
    assert chart.description == (
        "Jobs that made their pictures, 24 Nov to 30 Nov. 85.7 % of 14 ended jobs made their pictures."
        " Lowest on 29 Nov: 80 %. Cancelled jobs do not count."
    )
    assert value(lines, "total", "success_percent") == 85.7
    assert value(lines, "total", "done") + value(lines, "total", "failed") == 14
    assert value(lines, "day", "success_percent", day="2026-11-29") == 80
    assert isinstance(chart.chart, Lines)
    assert chart.chart.series[0].values == (None,) * 5 + (80.0, 100.0)
    assert chart.chart.series[0].name == f"latest: 100{NO_BREAK}%"


def test_waiting_says_what_the_file_has() -> None:
    numbers = statistics()
    chart, lines = drawn(StatisticsChart.WAITING, numbers), rows(numbers)
    assert chart.description.replace(NO_BREAK, " ") == (
        "Waiting time, 24 Nov to 30 Nov. From the command to the pictures, half of the jobs took up to 28 s,"
        " 90 % of them up to 1 min 10 s. The slowest day was 29 Nov: half of its jobs took up to 31 s."
    )
    assert (value(lines, "total", "median_seconds"), value(lines, "total", "p90_seconds")) == (28, 70)
    assert value(lines, "day", "median_seconds", day="2026-11-29") == 31
    assert isinstance(chart.chart, Lines)
    assert [each.values[-2:] for each in chart.chart.series] == [(31, 20), (75, 40)]
    assert [tick.label.replace(NO_BREAK, " ") for tick in chart.chart.scale] == ["0 s", "30 s", "1 min", "1 min 30 s"]


def test_costs_say_what_the_file_has() -> None:
    money = (offer("skillboss", "reve-2.0", 1200, "2.4", unpriced=1), offer("reve2img", "reve-2.0", 40, "0", own=60))
    numbers = statistics(money=money)
    chart, lines = drawn(StatisticsChart.COST, numbers), rows(numbers)
    assert chart.description == (
        "Credits and cost, 24 Nov to 30 Nov. Skillboss · reve-2.0: $2.40 for 1,200 credits."
        " Reve2Img · reve-2.0: 60 of its credits for 40 credits. 1 call has no known cost."
    )
    of_first = {"name": "Skillboss · reve-2.0"}
    assert value(lines, "offer", "usd", **of_first) == 2.4
    assert value(lines, "offer", "credits", **of_first) == 1200
    assert value(lines, "offer", "calls_without_cost", **of_first) == 1
    assert value(lines, "offer", "provider_credits", name="Reve2Img · reve-2.0") == 60
    assert isinstance(chart.chart, BarPairs)
    assert [pair.values for pair in chart.chart.pairs] == [(1200, 2.4), (40, 0.0)]


def test_unknown_cost_is_not_called_zero() -> None:
    chart = drawn(StatisticsChart.COST, statistics(money=(offer("skillboss", "reve-2.0", 12, "0", unpriced=1),)))
    assert chart.description.endswith("Skillboss · reve-2.0: unknown cost for 12 credits. 1 call has no known cost.")


@pytest.mark.parametrize("which", list(StatisticsChart))
def test_every_number_in_words_is_in_the_file(which: StatisticsChart) -> None:
    """Apart from the days, the 90 % and counts of others."""
    numbers = statistics(money=(offer("skillboss", "reve-2.0", 1200, "2.4"),))
    lines = rows(numbers)
    known = {float(line["value"]) for line in lines}
    known |= {value(lines, "day", "jobs", name=model) for model in numbers.models}
    known |= {day.total.jobs for day in numbers.days} | {14.0, 90.0, 2.0, 1.0, 10.0}
    for chart in charts_of(numbers, which, NAMES):
        words = re.sub(r"\d+ Nov|reve-2.0", "", chart.description)
        assert set(said_numbers(words)) <= known


def test_money_is_left_out_unless_read() -> None:
    numbers = statistics()
    assert charts_of(numbers, StatisticsChart.COST, NAMES) == ()
    assert not [line for line in rows(numbers) if line["table"] == "offer"]
    titles = [each.chart.title for each in charts_of(numbers, StatisticsChart.OVERVIEW, NAMES)]
    assert titles == [
        "Jobs a day by model",
        "Credits by member",
        "Credits by role",
        "Jobs that made their pictures",
        "Waiting time",
    ]


def test_overview_has_roles_only_if_a_role_has_an_allowance() -> None:
    numbers = statistics(roles=(RoleCredits(role_id=0, jobs=1, credits=9),))
    assert "Credits by role" not in [each.chart.title for each in charts_of(numbers, StatisticsChart.OVERVIEW, NAMES)]
    assert charts_of(numbers, StatisticsChart.ROLES, NAMES)


@pytest.mark.parametrize("days", [1, 7, 30, 90])
def test_days_are_labelled_few_and_up_to_today(days: int) -> None:
    chart = drawn(StatisticsChart.MODELS, statistics(days)).chart
    assert isinstance(chart, StackedBars)
    assert 1 <= len(chart.days) <= 4
    assert (chart.days[-1].at, chart.days[-1].label) == (days - 1, "30 Nov")


def test_descriptions_fit_discord_with_the_longest_names() -> None:
    members = tuple(MemberCredits(member_id=number, jobs=1, credits=10**9) for number in range(10))
    names = Names(members=dict.fromkeys(range(10), "\U0001f600" * 32))
    assert utf16(drawn(StatisticsChart.MEMBERS, statistics(members=members), names).description) <= 1024


@pytest.mark.parametrize("cell", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\uff1d1", "\uff0d1"])
def test_formulas_are_neutralized(cell: str) -> None:
    assert neutralize(cell) == f"'{cell}"


@pytest.mark.parametrize("cell", ["", "Anna", "12", "a=b", "1-2"])
def test_other_cells_stay(cell: str) -> None:
    assert neutralize(cell) == cell


def test_name_with_a_formula_is_neutralized_in_the_file() -> None:
    """Spaces before it are dropped with the others, and quotes are doubled."""
    members = (MemberCredits(member_id=2, jobs=1, credits=5), MemberCredits(member_id=5, jobs=1, credits=4))
    names = Names(members={2: ' \n=HYPERLINK("http://x")', 5: 'a,"b"\nc'})
    text = csv_text(statistics(members=members), names)
    assert text.startswith(",".join(COLUMNS))
    found = [line["name"] for line in csv.DictReader(io.StringIO(text)) if line["measure"] == "credits"]
    assert '\'=HYPERLINK("http://x")' in found
    assert 'a,"b" c' in found


def test_panel_shows_totals_pictures_with_words_and_the_file() -> None:
    view = statistics_panel(statistics(), ["first", "second"], ["chart-1.png", "chart-2.png"])
    (said,) = texts(view)
    assert said == (
        "## Statistics of the last 7 days\n"
        f"**15 jobs** · 160 credits · 85.7{NO_BREAK}% successful · half done within 28{NO_BREAK}s\n"
        "-# 24 Nov to 30 Nov, time zone \u2068Europe\\/Berlin\u2069"
    )
    assert gallery(view) == [("attachment://chart-1.png", "first"), ("attachment://chart-2.png", "second")]
    assert [part["file"]["url"] for part in parts(view) if "file" in part] == ["attachment://statistics.csv"]


def test_panel_without_pictures_says_the_numbers() -> None:
    """Six long descriptions fit into a message."""
    view = statistics_panel(statistics(), ["*Anna* 100 credits", *["x" * 1024] * 5], None)
    said = texts(view)
    assert said[1] == "The charts could not be drawn. These are their numbers:"
    assert said[2] == "-# \u2068\\*Anna\\* 100 credits\u2069"
    assert sum(map(utf16, said)) <= 4000
    assert gallery(view) == []


def test_choice_without_numbers_says_so() -> None:
    assert texts(statistics_panel(statistics(), [], []))[1] == "Nothing to draw for this choice yet."


def test_time_without_jobs_is_a_friendly_line() -> None:
    assert texts(no_statistics_panel(statistics(30))) == [
        "## Statistics of the last 30 days\nNo jobs in this time yet.\n-# Members make pictures with `/imagine`."
    ]


def test_name_that_turns_text_around_is_plain_in_file_and_description() -> None:
    members = (MemberCredits(member_id=1, jobs=1, credits=12), MemberCredits(member_id=2, jobs=1, credits=12))
    names = Names(members={1: "\u202e\u2067=evil", 2: "\u202e"})
    assert [names.member(each.member_id, place) for place, each in enumerate(members, 1)] == ["=evil", "member 2"]
    assert "member,,'=evil,jobs,1" in csv_text(statistics(members=members), names)
