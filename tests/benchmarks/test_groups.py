"""A tiny run of each group, with a line for each measurement."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
from rich.console import Console

import benchmarks.__main__
from benchmarks import history_dataset
from benchmarks.__main__ import GROUPS, LITTLE, Plan
from benchmarks.databases import Maker, makers, open_database
from benchmarks.measurements import Figure, show
from benchmarks.scale import Sizes
from bot.domain.jobs import State
from db.audit import audit

TINY = Plan(
    sizes=Sizes(jobs=200, accounts=20, few_jobs=40, few_accounts=20, rounds=2),
    crowd=30,
    polls=(20,),
    rate=4,
    flow=1,
    pictures=2,
    attack_pixels=90_000,
    searched=200,
    weights=((State.HELD, "counted"),),
)
LINES = {
    "scale": (
        "hold",
        "history, latest overview",
        "jobs taken over",
        "the audit of what changed, old studio",
        "a hold during the audit, longest",
    ),
    "searches": ("search without a hit, by index", "search for a frequent word, by index", "building the index of 200"),
    "crowd": ("start with 30 jobs", "dispatch without a free slot", "twenty cards in line"),
    "polls": ("polls a second after a start", "polls a second later on"),
    "weight": ("a held job, counted",),
    "rate": ("holds, 256 at once, a second, one process", "whole lives, 8 at once, a second, 2 processes"),
    "flow": ("by polling, median", "by a webhook, median"),
    "pictures": ("processor a job, drawing", "64 at once, webp"),
    "attack": ("a stranger's picture, median", "memory of all processes, most", "end after SIGTERM"),
    "guilds": ("a server of 50 channels, 30 roles",),
    "start": ("processor time", "resident memory"),
    "rules": ("500 rules, a usual prompt", "hostile characters"),
    "decoders": ("usual PNG, product", "large lossless WebP, product, memory"),
}


def test_every_group_has_a_tiny_run() -> None:
    assert set(LINES) == set(GROUPS)


KINDS = {"scale": "SQLite", "searches": "PostgreSQL", "crowd": "SQLite", "polls": "SQLite", "rate": "PostgreSQL"}
"""The database of a tiny run; its other one takes as long again."""


@pytest.mark.timeout(240)
@pytest.mark.parametrize("group", LINES)
async def test_group_measures_and_prints(group: str, monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def one_kind() -> Iterator[list[Maker]]:
        with makers() as available:
            yield [maker for maker in available if maker.kind == KINDS[group]]

    monkeypatch.setattr(benchmarks.__main__, "makers", one_kind)
    written = io.StringIO()
    await GROUPS[group](Console(file=written, width=160), TINY)
    for line in LINES[group]:
        assert line in written.getvalue()


async def test_history_dataset_passes_audit() -> None:
    """The rows are as many as requested and as the product writes them."""
    with makers() as available:
        for maker in available:
            await _prove_archive(maker)


async def _prove_archive(maker: Maker) -> None:
    url = await maker.make("archive")
    await history_dataset.fill(url, count=60, members=20)
    async with open_database(url) as database:
        assert await database.read(audit) == []
        counted = await database.read(
            lambda connection: connection.exec_driver_sql("SELECT count(*) FROM jobs").scalar()
        )
    assert counted == 61


def test_quick_plan_measures_less() -> None:
    assert LITTLE.sizes.jobs < Sizes().jobs


def test_figure_with_base_is_judged_by_ratio() -> None:
    """Without a base the value itself counts.

    Without an aim nothing is missed.
    """
    figure = Figure(name="hold", base=2.0, taken=3.0, aim=1.2)
    assert figure.ratio == 1.5
    assert not figure.met
    assert replace(figure, aim=None).met
    assert not replace(figure, base=None).met
    written = io.StringIO()
    assert not show(Console(file=written, width=100), "Title", "new", [figure])
    assert "missed" in written.getvalue()
