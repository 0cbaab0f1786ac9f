"""Edits of finished jobs' public cards by the outbox."""

from dataclasses import replace
from typing import Any

import pytest

from bot.domain.errors import JobNotFoundError
from bot.domain.jobs import Snapshot
from bot.domain.outbox import MessageKind, OutboxMessage
from bot.ui.delivery.finished_cards import FinishedCards
from bot.ui.delivery.outbox_publisher import NotYetError
from tests.support.clock import START
from tests.support.factories import GUILD, make_id
from tests.ui.test_result_delivery import PICTURE, Discord, Notes, Store, build_delivery, done
from tests.ui.view_reader import texts


class Snapshots:
    """Fake of the snapshots: one job, or none."""

    def __init__(self, snapshot: Snapshot | None) -> None:
        self.snapshot = snapshot

    async def get(self, _: str) -> Snapshot:
        """Return the snapshot."""
        if self.snapshot is None:
            raise JobNotFoundError
        return self.snapshot


async def render(snapshot: Snapshot | None) -> Any:
    """Return the rendering of a card."""
    snapshots: Any = Snapshots(snapshot)
    cards = FinishedCards(snapshots=snapshots, delivery=build_delivery(Discord(), Notes(), Store(PICTURE)))
    message = OutboxMessage(
        id=make_id(),
        kind=MessageKind.CARD,
        subject_id=make_id(),
        number=0,
        guild_id=GUILD,
        wanted=1,
        shown=0,
        tries=1,
        due_at=START,
    )
    return await cards.render(message, 0)


async def test_card_shows_the_kept_pictures() -> None:
    shown = await render(done(delivered_at=START))
    assert len(shown.files()) == 1
    assert not shown.is_created


async def test_hidden_card_loses_its_files() -> None:
    shown = await render(replace(done(delivered_at=START), is_hidden=True))
    assert shown.files() == []
    assert "Hidden until a moderator has looked." in texts(shown.view)[1]


async def test_card_of_a_deleted_job_goes() -> None:
    assert await render(None) is None
    assert await render(done(delivered_at=START, deleted_at=START)) is None


async def test_card_waits_for_its_delivery() -> None:
    with pytest.raises(NotYetError):
        await render(done())
