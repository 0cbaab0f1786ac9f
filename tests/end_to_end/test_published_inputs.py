"""Inputs without a public URL: sanitized copies on the card."""

import asyncio
import hashlib
import io
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pillow_heif
import pytest
import pytest_asyncio
from PIL import Image
from sqlalchemy import select

from bot.domain.errors import FaultKind
from db.database import Database
from db.tables import jobs
from sandbox.discord import Upload, media, text
from sandbox.discord.faults import Faults
from tests.end_to_end.editing_member import EditingMember, png
from tests.end_to_end.system_harness import PATIENCE, SystemHarness, has_images, says
from tests.support.image_server import drawn
from tests.support.polling import poll

pytestmark = pytest.mark.asyncio(loop_scope="module")

MENU = "Edit this image"
PLACE = b"51.5007 N"

pillow_heif.register_heif_opener()


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def editor(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[EditingMember]:
    """Yield a member of a running bot without a public URL."""
    system = SystemHarness(tmp_path_factory.mktemp("system"))
    try:
        await system.start(DEFAULT_ALLOWANCE="100000")
        yield EditingMember(system=system, member=system.discord.actor("member"))
    finally:
        async with asyncio.timeout(PATIENCE):
            await system.close()


def located(size: tuple[int, int] = (96, 64)) -> tuple[Image.Image, bytes]:
    """Return a picture, and EXIF data that names a place."""
    notes = Image.Exif()
    notes[0x010F] = PLACE.decode()
    notes.get_ifd(0x8825)[1] = "N"
    return Image.open(io.BytesIO(drawn(size=size))).convert("RGB"), notes.tobytes()


def photo_in(file_format: str) -> bytes:
    """Return a photo with its place, such as "JPEG" or "PNG moving"."""
    name, _, moving = file_format.partition(" ")
    image, notes = located((8064, 6048) if moving == "48" else (96, 64))
    options: dict[str, Any] = {"comment": PLACE} if name == "GIF" else {"exif": notes}
    if moving == "moving":
        options |= {"save_all": True, "append_images": [image.rotate(180)]}
    out = io.BytesIO()
    image.save(out, name, **options)
    return out.getvalue()


async def fetched(editor: EditingMember, before: int) -> bytes:
    """Return the bytes of the provider's one input."""
    await editor.at_provider(before)
    (url,) = editor.system.reve2img.jobs[-1].submit_body["image_urls"]
    status, content = await editor.system.status(url)
    assert status == 200
    return content


@pytest.mark.parametrize("private", [False, True])
@pytest.mark.parametrize(
    "file_format", ["JPEG", "PNG", "WEBP", "GIF moving", "PNG moving", "WEBP moving", "HEIF", "AVIF", "JPEG 48"]
)
async def test_provider_fetches_copy_without_metadata(
    editor: EditingMember, file_format: str, *, private: bool
) -> None:
    before, photo = editor.taken, photo_in(file_format)
    assert PLACE in photo
    kind = {"HEIF": "application/octet-stream"}.get(file_format, "image/jpg")
    upload = Upload(filename="photo.heic", data=photo, content_type=kind)
    asked = await editor.member.slash("edit", prompt="make it dusk", image=upload, private=private)
    await asked.response()
    content = await fetched(editor, before)
    assert PLACE not in content
    with Image.open(io.BytesIO(content)) as image:
        assert image.format in {"JPEG", "PNG", "WEBP"}
        assert not image.getexif()
    live = await asked.wait_until(says("Generating"))
    assert ["/atelier-input-1." in each["url"] for each in media(live)] == [True]
    made = await editor.system.reve2img.finish_and_wait()
    assert [each.sha256 for each in made.inputs] == [hashlib.sha256(content).hexdigest()]
    card = await asked.wait_until(has_images)
    assert ["/atelier-1." in each["url"] for each in media(card)] == [True]
    assert [each.filename.startswith("atelier-1.") for each in card.attachments.values()] == [True]


async def test_results_used_again_are_attached_too(editor: EditingMember) -> None:
    before = editor.taken
    asked = await editor.member.slash("edit", prompt="make it dusk", image=png(drawn()))
    card, picture = await editor.finished(asked, before)
    varied = await editor.member.submit_modal(await editor.member.click(card, label="Vary · 20"), {})
    await fetched(editor, before + 1)
    made = await editor.system.reve2img.finish_and_wait()
    assert [each.sha256 for each in made.inputs] == [hashlib.sha256(picture).hexdigest()]
    await varied.wait_until(has_images)
    again = await editor.member.click(card, label="Again · 20")
    await fetched(editor, before + 2)
    await editor.system.reve2img.finish_and_wait()
    await again.wait_until(has_images)
    message = await editor.system.discord.actor("member-two").say("look", png(photo_in("JPEG"), "p.jpg"))
    opened = await editor.member.context_menu(MENU, message)
    await opened.modal()
    edited = await editor.member.submit_modal(opened, {"prompt": "at night"})
    assert PLACE not in await fetched(editor, before + 3)
    await editor.system.reve2img.finish_and_wait()
    await edited.wait_until(has_images)


async def test_kill_between_attachment_and_submit_submits_once(tmp_path: Path) -> None:
    system = SystemHarness(tmp_path)
    try:
        await system.start(MAX_ACTIVE_JOBS_PER_MEMBER="1")
        editor = EditingMember(system=system, member=system.discord.actor("member"))
        first = await editor.member.slash("edit", prompt="first", image=png(drawn()))
        await first.response()
        await editor.at_provider(0)
        second = await editor.member.slash("edit", prompt="second", image=png(photo_in("JPEG"), "p.jpg"))
        shown = await second.wait_until(lambda card: bool(media(card)) and "Queued" in text(card))
        (attached,) = shown.attachments
        await system.stop_bot(signal.SIGKILL)
        await system.start_bot(MAX_ACTIVE_JOBS_PER_MEMBER="1")
        await system.reve2img.finish_and_wait()
        content = await fetched(editor, 1)
        assert PLACE not in content
        live = await second.wait_until(says("Generating"))
        assert list(live.attachments) == [attached]
        await system.reve2img.finish_and_wait()
        await second.wait_until(has_images)
        assert editor.taken == 2
        ledger = await system.ledger()
        assert (ledger.held, ledger.charged, ledger.problems) == (0, 40, [])
    finally:
        async with asyncio.timeout(PATIENCE):
            await system.close()


async def test_failed_job_drops_its_input_from_the_card(editor: EditingMember) -> None:
    before = editor.taken
    asked = await editor.member.slash("edit", prompt="make it dusk", image=png(drawn()))
    await asked.response()
    await fetched(editor, before)
    editor.system.reve2img.store.fail(editor.system.reve2img.jobs[-1], "no")
    card = await asked.wait_until(says("Nothing was charged"))
    assert (media(card), dict(card.attachments)) == ([], {})


async def last_fault(system: SystemHarness) -> str | None:
    """Return the fault of the newest job."""
    database = await Database.open(system.database_url)
    try:
        newest = select(jobs.c.fault).order_by(jobs.c.created_at.desc()).limit(1)
        return await database.read(lambda connection: connection.execute(newest).scalar())
    finally:
        await database.close()


@pytest.fixture
def faults(editor: EditingMember) -> Iterator[Faults]:
    """Yield Discord's faults; they end with the test."""
    yield editor.system.discord.faults
    editor.system.discord.faults.clear()


async def test_job_without_a_card_fails_unpaid_and_gives_no_address(editor: EditingMember, faults: Faults) -> None:
    before = editor.taken
    fault = faults.add("PATCH", "@original$", status=404, body={"code": 10008, "message": "Unknown Message"}, times=99)
    asked = await editor.member.slash("edit", prompt="make it dusk", image=png(photo_in("JPEG"), "p.jpg"))
    await asked.response()
    await fault.wait_hit()
    assert await poll(lambda: last_fault(editor.system)) == FaultKind.INPUT_UNPUBLISHED
    ledger = await editor.system.ledger()
    assert (editor.taken, ledger.held, ledger.problems) == (before, 0, [])


async def test_lost_reply_to_the_attachment_leaves_one_copy(editor: EditingMember, faults: Faults) -> None:
    before = editor.taken
    fault = faults.add("PATCH", "@original$", reset=True, uploads=True, when="after")
    asked = await editor.member.slash("edit", prompt="make it dusk", image=png(photo_in("JPEG"), "p.jpg"))
    await asked.response()
    await fault.wait_hit()
    assert PLACE not in await fetched(editor, before)
    live = await asked.wait_until(says("Generating"))
    assert len(live.attachments) == len(media(live)) == 1
    await editor.system.reve2img.finish_and_wait()
    await asked.wait_until(has_images)
    assert editor.taken == before + 1


async def test_copy_that_discord_finds_too_large_is_made_smaller(editor: EditingMember, faults: Faults) -> None:
    before = editor.taken
    body = {"code": 40005, "message": "Request entity too large"}
    fault = faults.add("PATCH", "@original$", status=413, body=body, uploads=True, times=2)
    photo = io.BytesIO()
    Image.effect_noise((2000, 1500), 90).convert("RGB").save(photo, "PNG")
    assert len(photo.getvalue()) > 4 * 1024 * 1024
    asked = await editor.member.slash("edit", prompt="make it dusk", image=png(photo.getvalue()))
    await asked.response()
    content = await fetched(editor, before)
    assert fault.hits == 2
    assert len(content) <= 10 * 1024 * 1024 // 4
    await editor.system.reve2img.finish_and_wait()
    await asked.wait_until(has_images)
