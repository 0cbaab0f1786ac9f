"""Delivery with an unreadable store or an earlier intent.

Discord and the database are replaced.
"""

from dataclasses import replace
from typing import Any

import pytest
from discord import ui

from bot.domain.errors import FaultKind, ImageError, ImageProblem
from bot.domain.jobs import Action, Delivery, Job, Snapshot, State
from bot.engine.card_store import DirectTurn
from bot.images.decoder_values import Upload
from bot.ui.delivery.bounded_requests import RateLimitError
from bot.ui.delivery.input_attachments import KeptAttachment
from bot.ui.delivery.job_messages import DIRECT_UPLOAD_LIMIT, CardGoneError, Files
from bot.ui.delivery.result_delivery import DeliveryProgress, ResultDelivery
from tests.support.clock import START, ManualClock
from tests.support.factories import make_context, make_image, make_job
from tests.ui.view_reader import texts

MISSED = "1 picture could not be shown here. Look for it with `/history`"


class Discord:
    """Fake of `JobMessages`: records messages and their targets."""

    def __init__(
        self, *, card: bool = True, sent_before: bool = False, attachments: tuple[KeptAttachment, ...] = ()
    ) -> None:
        self.card = card
        self.attachments = attachments
        self.sent_before = sent_before
        self.is_flagged = True
        self.shown: list[tuple[str, ui.LayoutView]] = []

    def upload_limit(self, job: Job) -> int:
        """Return the interaction's limit."""
        return job.place.upload_limit

    def guild_upload_limit(self, job: Job) -> int:
        """Return the server's limit."""
        return job.place.upload_limit

    async def is_age_restricted(self, job: Job) -> bool:
        """Return whether the channel has its flag."""
        del job
        return self.is_flagged

    async def fetch_shown(self, job: Job) -> tuple[KeptAttachment, ...]:
        """Return the card's attachments."""
        del job
        return self.attachments

    async def edit(self, job: Job, view: ui.LayoutView, files: Files | None) -> int:
        """Edit the card if it exists."""
        del job
        if not self.card:
            raise CardGoneError
        if files is not None:
            files()
        self.shown.append(("card", view))
        return 1

    async def send_direct(self, job: Job, view: ui.LayoutView, files: Files | None) -> None:
        """Record a direct message."""
        del job, files
        self.shown.append(("direct", view))

    async def sent_direct(self, job: Job) -> bool:
        """Return whether a direct message was sent before."""
        del job
        return self.sent_before


class Notes:
    """Fake of the job store: whether a direct message was intended before."""

    def __init__(self, *, intended: bool = False, wait: float = 0.0, used_up: bool = False) -> None:
        self.intended = intended
        self.wait = wait
        self.used_up = used_up

    async def begin_direct_message(self, _: str) -> DirectTurn | None:
        """Note the intent."""
        if self.used_up:
            return None
        before, self.intended = self.intended, True
        return DirectTurn(is_first=not before, wait=self.wait)

    async def mark_acknowledged(self, _: str, __: int) -> None:
        """Note the message."""


class Store:
    """Fake of the image service: returns a file, or fails."""

    def __init__(self, upload: Upload | Exception) -> None:
        self.upload = upload
        self.limits: list[int] = []

    async def prepare_upload(self, _: object, limit_bytes: int, **__: object) -> Upload:
        """Give it."""
        self.limits.append(limit_bytes)
        if isinstance(self.upload, Exception):
            raise self.upload
        return self.upload


def done(**changes: Any) -> Snapshot:
    """Return the snapshot of a finished job with one image."""
    job = replace(make_job(state=State.DONE, charged=12, finished_at=START), **changes)
    return Snapshot(job=job, pictures=(make_image(job),))


async def no_prices(_: Job) -> dict[Action, int]:
    """Return no prices."""
    return {}


def build_delivery(discord: Discord, notes: Notes, store: Store, clock: ManualClock | None = None) -> ResultDelivery:
    """Return a result delivery between the three fakes."""
    parts: dict[str, Any] = {"messages": discord, "card_store": notes, "image_service": store}
    return ResultDelivery(**parts, clock=clock or ManualClock(), soft_deadline=300, actions=(), prices=no_prices)


PICTURE = Upload(content=b"x", extension="png", reencoded=False)


async def test_unavailable_store_is_retried_then_skipped() -> None:
    """After 15 minutes the card goes out without the image and says so."""
    discord, course, clock = Discord(), DeliveryProgress(), ManualClock()
    way = build_delivery(discord, Notes(), Store(PermissionError()), clock)
    for _ in range(5):
        with pytest.raises(ImageError):
            await way.deliver(done(), course)
        clock.advance(200)
    assert await way.deliver(done(), course) is Delivery.CARD
    ((place, view),) = discord.shown
    assert place == "card"
    assert texts(view)[-1].startswith(MISSED)


async def test_unopenable_file_keeps_delivery_channel(tmp_path: Any) -> None:
    """Too many open files or a lost mount: no reason for another channel."""
    discord, course = Discord(), DeliveryProgress()
    way = build_delivery(discord, Notes(), Store(replace(PICTURE, content=tmp_path / "gone.png")))
    for _ in range(5):
        with pytest.raises(ImageError) as caught:
            await way.deliver(done(), course)
        assert caught.value.problem is ImageProblem.GONE
    assert discord.shown == []


@pytest.mark.parametrize(("sent_before", "sent"), [(True, 0), (False, 1)])
async def test_earlier_direct_intent_is_checked(*, sent_before: bool, sent: int) -> None:
    """The card is not tried again; a sent message is not repeated."""
    discord = Discord(sent_before=sent_before)
    way = build_delivery(discord, Notes(intended=True), Store(PICTURE))
    assert await way.deliver(done(direct_at=START), DeliveryProgress()) is Delivery.DIRECT
    assert [place for place, _ in discord.shown] == ["direct"] * sent


async def test_direct_message_has_its_own_upload_limit() -> None:
    """The limit of the card's server may be ten times as high."""
    store = Store(PICTURE)
    way = build_delivery(Discord(card=False), Notes(), store)
    snapshot = done(place=make_context(upload_limit=10 * DIRECT_UPLOAD_LIMIT))
    (image,) = snapshot.pictures
    large = replace(image, file=replace(image.file, size=2 * DIRECT_UPLOAD_LIMIT))
    assert await way.deliver(replace(snapshot, pictures=(large,)), DeliveryProgress()) is Delivery.DIRECT
    assert store.limits == [2 * DIRECT_UPLOAD_LIMIT, DIRECT_UPLOAD_LIMIT]


async def test_direct_message_before_its_turn_is_put_off() -> None:
    discord, notes = Discord(card=False), Notes(wait=20.0)
    way = build_delivery(discord, notes, Store(PICTURE))
    with pytest.raises(RateLimitError) as caught:
        await way.deliver(done(), DeliveryProgress())
    assert (caught.value.retry_after, caught.value.in_channel, discord.shown) == (20.0, False, [])
    notes.wait = 0.0
    assert await way.deliver(done(direct_at=START), DeliveryProgress()) is Delivery.DIRECT


async def test_result_beyond_hourly_direct_messages_stays_in_history() -> None:
    discord = Discord(card=False)
    way = build_delivery(discord, Notes(used_up=True), Store(PICTURE))
    assert await way.deliver(done(), DeliveryProgress()) is Delivery.HISTORY
    assert discord.shown == []


@pytest.mark.parametrize(
    ("snapshot", "delivery"),
    [
        (replace(done(), pictures=()), Delivery.HISTORY),
        (Snapshot(job=make_job(state=State.FAILED, fault=FaultKind.CONTENT, charged=0)), Delivery.NOWHERE),
        (Snapshot(job=make_job(state=State.CANCELLED, charged=0)), Delivery.NOWHERE),
    ],
    ids=["pictures past their retention", "failed", "cancelled"],
)
async def test_result_without_content_sends_nothing(snapshot: Snapshot, delivery: Delivery) -> None:
    """No card and no images: no direct message and no intent."""
    discord, notes = Discord(card=False), Notes()
    assert await build_delivery(discord, notes, Store(PICTURE)).deliver(snapshot, DeliveryProgress()) is delivery
    assert discord.shown == []
    assert not notes.intended


async def test_age_restricted_job_without_a_card_stays_in_the_history() -> None:
    """A direct message is no age-restricted channel."""
    discord = Discord(card=False)
    way = build_delivery(discord, Notes(), Store(PICTURE))
    assert await way.deliver(done(age_restricted=True), DeliveryProgress()) is Delivery.HISTORY
    await way.send_copy(done(age_restricted=True), DeliveryProgress())
    assert discord.shown == []


@pytest.mark.parametrize("flagged", [True, False])
async def test_age_restricted_pictures_are_shown_while_their_channel_has_the_flag(flagged: bool) -> None:
    discord = Discord()
    discord.is_flagged = flagged
    way = build_delivery(discord, Notes(), Store(PICTURE))
    assert await way.deliver(done(age_restricted=True), DeliveryProgress()) is Delivery.CARD
    ((_, view),) = discord.shown
    galleries = [each for each in view.walk_children() if isinstance(each, ui.MediaGallery)]
    assert bool(galleries) is flagged
    note = "Made in an age-restricted channel: `/history` in such a channel shows it."
    assert texts(view)[-1].startswith(note) is not flagged
