"""What a delivery does when the store cannot be read, and which intent it finds, with Discord and the database away."""

from dataclasses import replace
from typing import Any

import pytest
from discord import ui

from bot.domain.errors import FaultKind, ImageError, ImageProblem
from bot.domain.jobs import Delivery, Job, Snapshot, State
from bot.images.reencode import Upload
from bot.ui.delivery.job_messages import CardGoneError, Files
from bot.ui.delivery.result_delivery import DeliveryProgress, ResultDelivery
from tests.support.clock import START, ManualClock
from tests.support.factories import make_image, make_job
from tests.ui.view_reader import texts

MISSED = "1 picture could not be shown here. Look for it with `/history`"


class Discord:
    """Stands in for `JobMessages`: remembers what was sent, where."""

    def __init__(self, *, card: bool = True, sent_before: bool = False) -> None:
        self.card = card
        self.sent_before = sent_before
        self.shown: list[tuple[str, ui.LayoutView]] = []

    async def edit(self, job: Job, view: ui.LayoutView, files: Files | None) -> int:
        """Show on the card, if there is one."""
        del job
        if not self.card:
            raise CardGoneError
        if files is not None:
            files()
        self.shown.append(("card", view))
        return 1

    async def send_direct(self, job: Job, view: ui.LayoutView, files: Files | None) -> None:
        """Send."""
        del job, files
        self.shown.append(("direct", view))

    async def sent_direct(self, job: Job) -> bool:
        """Return whether it was sent before."""
        del job
        return self.sent_before


class Notes:
    """Stands in for the journal: whether a direct message was intended before."""

    def __init__(self, *, intended: bool = False) -> None:
        self.intended = intended

    async def begin_direct_message(self, _: str) -> bool:
        """Note the intent."""
        before, self.intended = self.intended, True
        return not before

    async def mark_acknowledged(self, _: str, __: int) -> None:
        """Note the message."""


class Store:
    """Stands in for the keeper: gives a file, or fails."""

    def __init__(self, upload: Upload | Exception) -> None:
        self.upload = upload

    async def prepare_upload(self, *_: object) -> Upload:
        """Give it."""
        if isinstance(self.upload, Exception):
            raise self.upload
        return self.upload


def done(**changes: Any) -> Snapshot:
    """Return the snapshot of a finished job with one picture."""
    job = replace(make_job(state=State.DONE, charged=12, finished_at=START), **changes)
    return Snapshot(job=job, pictures=(make_image(job),))


def courier(discord: Discord, notes: Notes, store: Store, clock: ManualClock | None = None) -> ResultDelivery:
    """Return a courier between the three."""
    parts: dict[str, Any] = {"messages": discord, "job_store": notes, "image_service": store}
    return ResultDelivery(**parts, clock=clock or ManualClock(), soft_deadline=300, actions=())


PICTURE = Upload(content=b"x", extension="png", reencoded=False)


async def test_a_store_that_is_away_is_waited_for_then_done_without() -> None:
    """For a quarter of an hour it may come back; then the card goes without the picture, and says where to look."""
    discord, course, clock = Discord(), DeliveryProgress(), ManualClock()
    way = courier(discord, Notes(), Store(PermissionError()), clock)
    for _ in range(5):
        with pytest.raises(ImageError):
            await way.deliver(done(), course)
        clock.advance(200)
    assert await way.deliver(done(), course) is Delivery.CARD
    ((place, view),) = discord.shown
    assert place == "card"
    assert texts(view)[-1].startswith(MISSED)


async def test_a_file_that_cannot_be_opened_closes_no_way(tmp_path: Any) -> None:
    """Too many open files, a mount that went: ours to mend, and no reason to bring the picture elsewhere."""
    discord, course = Discord(), DeliveryProgress()
    way = courier(discord, Notes(), Store(replace(PICTURE, content=tmp_path / "gone.png")))
    for _ in range(5):
        with pytest.raises(ImageError) as caught:
            await way.deliver(done(), course)
        assert caught.value.problem is ImageProblem.GONE
    assert discord.shown == []


@pytest.mark.parametrize(("sent_before", "sent"), [(True, 0), (False, 1)])
async def test_an_intent_of_an_earlier_process_is_looked_into(*, sent_before: bool, sent: int) -> None:
    """The card is not tried again; what was sent is not sent again; what was not is sent."""
    discord = Discord(sent_before=sent_before)
    way = courier(discord, Notes(intended=True), Store(PICTURE))
    assert await way.deliver(done(direct_at=START), DeliveryProgress()) is Delivery.DIRECT
    assert [place for place, _ in discord.shown] == ["direct"] * sent


@pytest.mark.parametrize(
    ("snapshot", "delivery"),
    [
        (replace(done(), pictures=()), Delivery.HISTORY),
        (Snapshot(job=make_job(state=State.FAILED, fault=FaultKind.CONTENT, charged=0)), Delivery.NOWHERE),
        (Snapshot(job=make_job(state=State.CANCELLED, charged=0)), Delivery.NOWHERE),
    ],
    ids=["pictures past their retention", "failed", "cancelled"],
)
async def test_what_has_nothing_to_give_sends_nothing(snapshot: Snapshot, delivery: Delivery) -> None:
    """Without a card and without pictures there is no direct message, and no intent of one."""
    discord, notes = Discord(card=False), Notes()
    assert await courier(discord, notes, Store(PICTURE)).deliver(snapshot, DeliveryProgress()) is delivery
    assert discord.shown == []
    assert not notes.intended
