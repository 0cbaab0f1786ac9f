"""Messages of `/privacy`: the question, and parts of an export."""

from pathlib import Path

import pytest

from bot.services.deletions import Holdings
from bot.services.export_parts import ExportPart
from bot.ui.render.privacy import erase_question, export_text
from tests.ui.view_reader import labels, texts

MEMBER = 0xC0FFEE


def question(**changes: int) -> list[str]:
    """Return the lines of the question before a deletion."""
    holdings = {"jobs": 0, "pictures": 0, "presets": 0, "granted": 0}
    (said,) = texts(erase_question(Holdings(**(holdings | changes)), MEMBER))
    return said.splitlines()


def test_question_counts_things_and_credits() -> None:
    lines = question(jobs=1200, pictures=1, presets=2, granted=50)
    assert lines[2:4] == [
        ("**Goes:** 1,200 jobs with their prompts and messages · 1 picture · 2 presets · settings, forms and searches"),
        (
            "**Stays, without your name:** what you spent · 50 credits granted to you · bans."
            " It counts again if you come back."
        ),
    ]


def test_question_leaves_out_missing_things() -> None:
    lines = question()
    assert lines[2:4] == [
        "**Goes:** settings, forms and searches",
        "**Stays, without your name:** what you spent · bans. It counts again if you come back.",
    ]
    assert labels(erase_question(Holdings(jobs=0, pictures=0, presets=0, granted=0), MEMBER)) == ["Delete everything"]


@pytest.mark.parametrize(
    ("number", "after", "said"),
    [
        (1, "end", "Everything stored about you."),
        (1, "jobs:1:2", "Everything stored about you, part 1. More follow."),
        (2, "end", "Everything stored about you, part 2, the last one."),
    ],
)
def test_part_of_export_has_its_number(number: int, after: str, said: str) -> None:
    part = ExportPart(number=number, path=Path("x"), filename="x.zip", after=after, jobs=2, pictures=1)
    assert export_text(part) == f"{said}\n-# It has 2 jobs and 1 picture."
