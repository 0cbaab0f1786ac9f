"""Edits of finished jobs' public cards by the outbox."""

from dataclasses import replace
from typing import Any

import pytest

from bot.domain.errors import JobNotFoundError
from bot.domain.jobs import Snapshot
from bot.domain.outbox import MessageKind
from bot.ui.delivery.finished_cards import FinishedCards
from bot.ui.delivery.input_attachments import KeptAttachment
from bot.ui.delivery.outbox.rendering import NotYetError
from tests.support.clock import START
from tests.support.factories import make_outbox_message
from tests.ui.test_result_delivery import PICTURE, Discord, Notes, Store, build_delivery, done
from tests.ui.view_reader import parts, texts


class Snapshots:
    """Fake of the snapshots: one job, or none."""

    def __init__(self, snapshot: Snapshot | None) -> None:
        self.snapshot = snapshot

    async def get(self, _: str) -> Snapshot:
        """Return the snapshot."""
        if self.snapshot is None:
            raise JobNotFoundError
        return self.snapshot


async def render(snapshot: Snapshot | None, *attachments: KeptAttachment) -> Any:
    """Return the rendering of a card. Discord has its attachments."""
    snapshots: Any = Snapshots(snapshot)
    duels: Any = None
    cards = FinishedCards(
        snapshots=snapshots,
        delivery=build_delivery(Discord(attachments=attachments), Notes(), Store(PICTURE)),
        duels=duels,
    )
    return await cards.render(make_outbox_message(MessageKind.CARD), 0)


async def test_card_shows_the_kept_pictures() -> None:
    shown = await render(done(delivered_at=START))
    assert len(shown.files()) == 1
    assert not shown.is_created


async def test_hidden_card_loses_its_files() -> None:
    shown = await render(replace(done(delivered_at=START), is_hidden=True))
    assert shown.files() == []
    assert "Hidden until a moderator has looked." in texts(shown.view)[1]


@pytest.mark.parametrize("is_hidden", [True, False])
async def test_card_whose_pictures_expired_keeps_them_and_covers_them(is_hidden: bool) -> None:
    """A moderator looks at them by the link, and they can be shown again."""
    kept = KeptAttachment(id=7, filename="atelier-1.png")
    snapshot = replace(done(delivered_at=START), pictures=(), removed=1, is_hidden=is_hidden)
    shown = await render(snapshot, kept)
    assert shown.files() == (kept,)
    (gallery,) = [each for each in parts(shown.view) if "items" in each]
    assert [(each["media"]["url"], each["spoiler"]) for each in gallery["items"]] == [
        ("attachment://atelier-1.png", is_hidden)
    ]
    assert ("Covered until a moderator has looked." in texts(shown.view)[1]) == is_hidden


async def test_card_without_its_taken_picture_keeps_no_file() -> None:
    kept = KeptAttachment(id=7, filename="atelier-1.png")
    snapshot = replace(done(delivered_at=START), pictures=(), removed=1, taken_down=1)
    assert (await render(snapshot, kept)).files() == []


async def test_card_of_a_deleted_job_goes() -> None:
    assert await render(None) is None
    assert await render(done(delivered_at=START, deleted_at=START)) is None


async def test_card_waits_for_its_delivery() -> None:
    with pytest.raises(NotYetError):
        await render(done())
