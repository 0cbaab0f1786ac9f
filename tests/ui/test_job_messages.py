"""Upload limits by the token that edits the card."""

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from bot.ui.delivery.job_messages import DIRECT_UPLOAD_LIMIT, JobMessages
from tests.support.clock import ManualClock
from tests.support.factories import make_context, make_job

NITRO = 500 * 1024 * 1024
BOOSTED = 50 * 1024 * 1024


@pytest.mark.parametrize(
    ("minutes", "guild", "limit"),
    [
        (13, BOOSTED, NITRO),
        (15, BOOSTED, BOOSTED),
        (15, None, DIRECT_UPLOAD_LIMIT),
    ],
    ids=["interaction", "bot", "bot is gone"],
)
def test_upload_limit_is_that_of_the_token(minutes: int, guild: int | None, limit: int) -> None:
    """With the bot token the member's Nitro does not count."""
    clock = ManualClock()
    known = None if guild is None else SimpleNamespace(filesize_limit=guild)
    client: Any = SimpleNamespace(get_guild=lambda _: known)
    job = make_job(place=make_context(upload_limit=NITRO, token="secret"), created_at=clock.now())
    clock.advance(timedelta(minutes=minutes).total_seconds())
    assert JobMessages(client=client, clock=clock).upload_limit(job) == limit
