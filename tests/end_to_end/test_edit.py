"""Pictures from pictures, in the real process: a member's photo reaches the provider, and its edit the member."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
import pytest_asyncio
from sqlalchemy import Connection, select

from db.database import Database
from db.inputs import InputImageRepository
from db.jobs import JobRepository
from db.tables import inputs, jobs
from sandbox.discord import Actor, Invocation, Message, Upload, buttons, media, text
from sandbox.discord.cdn import measured
from sandbox.providers import derives_from
from sandbox.providers.sizes import pixels
from tests.end_to_end.system_harness import PATIENCE, SystemHarness, is_done, says
from tests.support.image_server import a_photo, animated, bomb, drawn, lying

pytestmark = pytest.mark.asyncio(loop_scope="module")

MENU = "Edit this image"


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[SystemHarness]:
    """A running bot that providers can fetch from."""
    house = SystemHarness(tmp_path_factory.mktemp("house"))
    try:
        await house.start(DEFAULT_ALLOWANCE="100000", WEBHOOK_PUBLIC_URL=f"http://127.0.0.1:{house.http_port}")
        yield house
    finally:
        await house.close()


@dataclass(slots=True, kw_only=True)
class Desk:
    """A member at work, and what the provider was sent of theirs."""

    house: SystemHarness
    member: Actor

    async def at_provider(self, before: int) -> None:
        """Return once another job has come to the provider."""
        await self.house.reve2img.wait_for(lambda: len(self.house.reve2img.jobs) > before)

    async def finished(self, asked: Invocation, before: int) -> tuple[Message, bytes]:
        """Let the provider finish; return the card and its picture."""
        card = await asked.response()
        await self.at_provider(before)
        await self.house.reve2img.finished()
        card = await asked.wait_until(is_done)
        (picture,) = await self.house.pictures(card)
        return card, picture

    @property
    def taken(self) -> int:
        """How many jobs the provider has had."""
        return len(self.house.reve2img.jobs)


@pytest.fixture
def desk(house: SystemHarness) -> Desk:
    """Return a member of the studio's first server."""
    return Desk(house=house, member=house.discord.actor("member"))


def png(content: bytes, name: str = "photo.png") -> Upload:
    """Return a file to attach."""
    kinds = {"png": "image/png", "jpg": "image/jpeg", "gif": "image/gif", "pdf": "application/pdf"}
    return Upload(filename=name, data=content, content_type=kinds[name.rpartition(".")[2]])


def plain(answer: Message) -> str:
    """Return what is read of an answer, without the marks that keep a name's direction its own."""
    return answer.content.translate({0x2068: None, 0x2069: None})


async def rows(house: SystemHarness) -> list[tuple[str | None, str | None]]:
    """Return what the database keeps of where the inputs of ended jobs came from: addresses and tokens."""
    database = await Database.open(house.database_url)

    def read(connection: Connection) -> list[tuple[str | None, str | None]]:
        InputImageRepository(connection).erase_secrets()
        return [(row.url, row.token_hash) for row in connection.execute(select(inputs))]

    try:
        return await database.write(read)
    finally:
        await database.close()


async def test_a_photo_is_edited(desk: Desk) -> None:
    """From the attachment to the edit of that very photo, by an address that only the provider knew, and only then."""
    photo, before = a_photo(), desk.taken
    asked = await desk.member.slash("edit", prompt="make it dusk", image=png(photo))
    card, picture = await desk.finished(asked, before)

    assert derives_from(picture, photo)
    assert "reve-2.0 · 3:2 · 1 picture" in text(card)
    assert "from 1 picture" in text(card)
    assert "-# 20 credits" in text(card)
    (url,) = desk.house.reve2img.jobs[-1].asked["image_urls"]
    assert url.startswith(f"http://127.0.0.1:{desk.house.http_port}/inputs/")
    status, _ = await desk.house.status(url)
    assert status == 404
    assert url.rpartition("/")[2] not in desk.house.log()
    assert set(await rows(desk.house)) == {(None, None)}


async def test_a_photo_that_was_not_held_straight_is_edited_upright(desk: Desk) -> None:
    """Discord says the sides of its pixels, 3:2; the card, its Details and the picture have the form that is seen."""
    photo, before = lying(a_photo("rocket.jpg"), 6), desk.taken
    asked = await desk.member.slash("edit", prompt="at night", image=png(photo, "rocket.jpg"))
    card, picture = await desk.finished(asked, before)
    assert "reve-2.0 · 2:3 · 1 picture" in text(card)
    assert "-# 20 credits" in text(card)
    assert measured(picture)[:2] == pixels("2:3")
    details = await (await desk.member.select(card, ["details"])).response()
    assert "`aspect_ratio` 2:3" in text(details)

    again = await desk.member.click(card, label="Again")
    card, picture = await desk.finished(again, before + 1)
    assert ("reve-2.0 · 2:3" in text(card), measured(picture)[:2]) == (True, pixels("2:3"))

    asked = await desk.member.slash("edit", prompt="wide", image=png(photo, "rocket.jpg"), aspect_ratio="3:2")
    card, picture = await desk.finished(asked, before + 2)
    assert ("reve-2.0 · 3:2" in text(card), measured(picture)[:2]) == (True, pixels("3:2"))


async def test_four_pictures_go_in_their_order(desk: Desk) -> None:
    """The first is the one that is changed."""
    before = desk.taken
    files = [drawn(size=(64 + 8 * number, 64)) for number in range(4)]
    names = ("image", "image2", "image3", "image4")
    options = {name: png(each, f"{name}.png") for name, each in zip(names, files, strict=True)}
    asked = await desk.member.slash("edit", prompt="together", options=options)
    _, picture = await desk.finished(asked, before)
    made = desk.house.reve2img.jobs[-1]
    assert [each.sha256 for each in made.inputs] == [hashlib.sha256(each).hexdigest() for each in files]
    assert derives_from(picture, files[0])


async def test_of_a_gif_the_first_frame_is_edited(desk: Desk) -> None:
    """What reaches the provider is a PNG."""
    before = desk.taken
    asked = await desk.member.slash("edit", prompt="calm", image=png(animated(), "dance.gif"))
    await desk.finished(asked, before)
    assert [each.format for each in desk.house.reve2img.jobs[-1].inputs] == ["png"]


@pytest.mark.parametrize(
    ("upload", "words"),
    [
        (
            png(b"%PDF-1.7", "letter.pdf"),
            "“letter.pdf” is not a kind of picture that can be edited. Nothing was charged.",
        ),
        (png(drawn(size=(1, 1))), "“photo.png” is too small: each side takes 16 pixels or more. Nothing was charged."),
        (png(bomb()), "“photo.png” cannot be read as a picture. Nothing was charged."),
        (
            png(drawn(size=(8200, 20))),
            "“photo.png” is too large. Nothing was charged.\nScale it down",
        ),
        (png(b"not a picture at all"), "“photo.png” cannot be read as a picture. Nothing was charged."),
    ],
    ids=["pdf", "tiny", "bomb", "wide", "garbage"],
)
async def test_what_metadata_tells_is_refused_at_once(desk: Desk, upload: Upload, words: str) -> None:
    """To the member alone, and nothing is held or fetched."""
    before = desk.taken
    asked = await desk.member.slash("edit", prompt="x", image=upload)
    answer = await asked.response()
    assert answer.visible_to == desk.member.user.id
    assert plain(answer).startswith(words)
    assert len(plain(answer).splitlines()) <= 3
    assert (desk.taken, (await desk.house.ledger()).held) == (before, 0)


async def test_the_menu_edits_the_one_picture_of_a_message(desk: Desk) -> None:
    """One form: what to change, and by which model at which price."""
    photo, before = a_photo("rocket.jpg"), desk.taken
    message = await desk.house.discord.actor("member-two").say("look", png(photo, "rocket.jpg"))
    opened = await desk.member.context_menu(MENU, message)
    modal = await opened.modal()
    assert [each["label"] for each in modal["components"]] == ["What to change", "Model"]
    asked = await desk.member.submit_modal(opened, {"prompt": "at night"})
    card, picture = await desk.finished(asked, before)
    assert derives_from(picture, photo)
    assert card.id != message.id
    assert "3:2" in text(card)


async def test_of_several_pictures_it_asks_which(desk: Desk) -> None:
    """Files, what a link shows, by Discord's copy alone, and what was forwarded."""
    first, second, linked = drawn(size=(80, 60)), drawn("JPEG", (60, 90)), drawn(size=(100, 50))
    message = await desk.member.say(
        "see https://example.org/a.png",
        png(first, "one.png"),
        png(b"%PDF", "notes.pdf"),
        png(second, "two.jpg"),
        pictures={"https://example.org/a.png": png(linked, "a.png")},
    )
    forwarded = await desk.member.forward(message)
    for target in (message, forwarded):
        before = desk.taken
        opened = await desk.member.context_menu(MENU, target)
        modal = await opened.modal()
        which = modal["components"][0]["component"]
        labels = [each["label"] for each in which["options"]]
        assert labels[:2] == ["Picture 1 · one.png · 80x60", "Picture 2 · two.jpg · 60x90"]
        assert len(labels) == 3
        assert labels[2].endswith("100x50")
        asked = await desk.member.submit_modal(opened, {"prompt": "both", "pictures": ["1", "2"]})
        _, picture = await desk.finished(asked, before)
        made = desk.house.reve2img.jobs[-1]
        assert [each.sha256 for each in made.inputs] == [hashlib.sha256(each).hexdigest() for each in (second, linked)]
        assert derives_from(picture, second)


async def test_a_card_of_the_studio_is_edited_by_the_menu(desk: Desk) -> None:
    """It has no attachments; the new job knows its parent, and nothing is fetched that is here."""
    before = desk.taken
    asked = await desk.member.slash("edit", prompt="make it dusk", image=png(drawn()))
    card, made = await desk.finished(asked, before)
    assert media(card)
    opened = await desk.member.context_menu(MENU, card)
    again = await desk.member.submit_modal(opened, {"prompt": "make it snow"})
    _, picture = await desk.finished(again, before + 1)
    assert derives_from(picture, made)

    database = await Database.open(desk.house.database_url)
    try:
        ids = await database.read(
            lambda connection: list(connection.execute(select(jobs.c.id).order_by(jobs.c.id.desc()).limit(2)).scalars())
        )
        latest = await database.read(lambda connection: JobRepository(connection).get(ids[0]))
    finally:
        await database.close()
    assert latest.origin is not None
    assert latest.origin.job_id == ids[1]


async def test_a_message_without_pictures_says_so(desk: Desk) -> None:
    """And what can be edited."""
    message = await desk.member.say("just words")
    answer = await (await desk.member.context_menu(MENU, message)).response()
    assert answer.content == (
        "There is no picture in this message. Nothing was charged.\n"
        "Choose one with a PNG, JPEG, WebP or GIF, or attach yours to `/edit`."
    )
    assert answer.visible_to == desk.member.user.id


async def test_a_picture_that_went_while_the_form_was_open_costs_nothing(desk: Desk) -> None:
    """Its address has run out, as it does when a message is deleted: the card says so, and what to do."""
    message = await desk.member.say("look", png(drawn()))
    opened = await desk.member.context_menu(MENU, message)
    await opened.modal()
    desk.house.discord.expire_addresses()
    asked = await desk.member.submit_modal(opened, {"prompt": "at night"})
    card = await asked.wait_until(says("is not there any more"))
    assert (
        "The picture is not there any more: its message was deleted, or its link ran out.\n"
        "Nothing was charged: 20 credits returned"
    ) in text(card)
    assert "Cancel" not in [each["label"] for each in buttons(card)]
    ledger = await desk.house.ledger()
    assert (ledger.held, ledger.problems) == (0, [])


async def test_without_a_public_address_the_attachments_own_is_given(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The provider fetches it from Discord; a GIF, which would have to be changed first, is refused with a way out."""
    house = SystemHarness(tmp_path_factory.mktemp("closed"))
    try:
        await house.start()
        desk = Desk(house=house, member=house.discord.actor("member"))
        photo = drawn()
        asked = await desk.member.slash("edit", prompt="make it dusk", image=png(photo))
        _, picture = await desk.finished(asked, 0)
        assert derives_from(picture, photo)
        (url,) = house.reve2img.jobs[-1].asked["image_urls"]
        assert url.startswith(house.discord.api_url.removesuffix("/api/v10"))
        assert (await house.status(f"http://127.0.0.1:{house.http_port}/inputs/x"))[0] == 404

        refused = await desk.member.slash("edit", prompt="calm", image=png(animated(), "dance.gif"))
        answer = await refused.response()
        assert plain(answer) == (
            "“dance.gif” is a GIF, and this studio can only pass pictures on as they are. Nothing was charged.\n"
            "Save it as PNG or JPEG and attach that to `/edit`."
        )
    finally:
        async with asyncio.timeout(PATIENCE):
            await house.close()
