"""Edits in the real process, from a member's photo to the finished edit."""

import hashlib
from collections.abc import AsyncIterator, Callable

import pytest
import pytest_asyncio
from sqlalchemy import Connection, select

from db.database import Database
from db.inputs import InputImageRepository
from db.jobs import JobRepository
from db.tables import inputs, jobs
from sandbox.discord import Message, Upload, buttons, media, text
from sandbox.discord.cdn import measured
from sandbox.providers import derives_from
from sandbox.providers.sizes import pixels
from tests.end_to_end.editing_member import EditingMember, png
from tests.end_to_end.system_harness import SystemHarness, says
from tests.support.image_server import a_photo, animated, bomb, drawn, lying

pytestmark = pytest.mark.asyncio(loop_scope="module")

MENU = "Edit this image"


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def system(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[SystemHarness]:
    """Yield a running bot with a public URL for providers."""
    system = SystemHarness(tmp_path_factory.mktemp("system"))
    try:
        await system.start(DEFAULT_ALLOWANCE="100000", WEBHOOK_PUBLIC_URL=f"http://127.0.0.1:{system.http_port}")
        yield system
    finally:
        await system.close()


@pytest.fixture
def editor(system: SystemHarness) -> EditingMember:
    """Return a member of the first server."""
    return EditingMember(system=system, member=system.discord.actor("member"))


def plain(answer: Message) -> str:
    """Return the text of an answer without directional isolates."""
    return answer.content.translate({0x2068: None, 0x2069: None})


async def rows(system: SystemHarness) -> list[tuple[str | None, str | None]]:
    """Return the stored addresses and tokens of inputs of ended jobs."""
    database = await Database.open(system.database_url)

    def read(connection: Connection) -> list[tuple[str | None, str | None]]:
        InputImageRepository(connection).erase_secrets()
        return [(row.url, row.token_hash) for row in connection.execute(select(inputs))]

    try:
        return await database.write(read)
    finally:
        await database.close()


async def test_edit_sends_attached_photo_to_provider(editor: EditingMember) -> None:
    """Nobody else knows the address, and it dies with the job."""
    photo, before = a_photo(), editor.taken
    asked = await editor.member.slash("edit", prompt="make it dusk", image=png(photo))
    card, picture = await editor.finished(asked, before)

    assert derives_from(picture, photo)
    assert "reve-2.0 · 3:2 · 1 picture" in text(card)
    assert "from 1 picture" in text(card)
    assert "-# 20 credits" in text(card)
    (url,) = editor.system.reve2img.jobs[-1].submit_body["image_urls"]
    assert url.startswith(f"http://127.0.0.1:{editor.system.http_port}/inputs/")
    status, _ = await editor.system.status(url)
    assert status == 404
    assert url.rpartition("/")[2] not in editor.system.log()
    assert set(await rows(editor.system)) == {(None, None)}


async def test_edit_of_rotated_photo_keeps_upright_ratio(editor: EditingMember) -> None:
    """Discord names the sides of the stored pixels, 3:2.

    Card, Details and image have the upright ratio.
    """
    photo, before = lying(a_photo("rocket.jpg"), 6), editor.taken
    asked = await editor.member.slash("edit", prompt="at night", image=png(photo, "rocket.jpg"))
    card, picture = await editor.finished(asked, before)
    assert "reve-2.0 · 2:3 · 1 picture" in text(card)
    assert "-# 20 credits" in text(card)
    assert measured(picture)[:2] == pixels("2:3")
    details = await (await editor.member.select(card, ["details"])).response()
    assert "`aspect_ratio` 2:3" in text(details)

    again = await editor.member.click(card, label="Again · 20")
    card, picture = await editor.finished(again, before + 1)
    assert ("reve-2.0 · 2:3" in text(card), measured(picture)[:2]) == (True, pixels("2:3"))

    asked = await editor.member.slash("edit", prompt="wide", image=png(photo, "rocket.jpg"), aspect_ratio="3:2")
    card, picture = await editor.finished(asked, before + 2)
    assert ("reve-2.0 · 3:2" in text(card), measured(picture)[:2]) == (True, pixels("3:2"))


async def test_edit_with_four_images_keeps_order(editor: EditingMember) -> None:
    before = editor.taken
    files = [drawn(size=(64 + 8 * number, 64)) for number in range(4)]
    names = ("image", "image2", "image3", "image4")
    options = {name: png(each, f"{name}.png") for name, each in zip(names, files, strict=True)}
    asked = await editor.member.slash("edit", prompt="together", options=options)
    _, picture = await editor.finished(asked, before)
    made = editor.system.reve2img.jobs[-1]
    assert [each.sha256 for each in made.inputs] == [hashlib.sha256(each).hexdigest() for each in files]
    assert derives_from(picture, files[0])


async def test_edit_of_gif_sends_first_frame(editor: EditingMember) -> None:
    """The provider gets a PNG."""
    before = editor.taken
    asked = await editor.member.slash("edit", prompt="calm", image=png(animated(), "dance.gif"))
    await editor.finished(asked, before)
    assert [each.format for each in editor.system.reve2img.jobs[-1].inputs] == ["png"]


@pytest.mark.parametrize(
    ("upload", "words"),
    [
        (
            png(b"%PDF-1.7", "letter.pdf"),
            "“letter.pdf” is not a kind of picture that can be edited.",
        ),
        (
            png(drawn(size=(1, 1))),
            "“photo.png” is too small: each side takes 16 pixels or more.",
        ),
    ],
    ids=["pdf", "tiny"],
)
async def test_edit_with_bad_attachment_metadata_is_refused_before_hold(
    editor: EditingMember, upload: Upload, words: str
) -> None:
    """The answer is private; nothing is held or fetched."""
    before = editor.taken
    asked = await editor.member.slash("edit", prompt="x", image=upload)
    answer = await asked.response()
    assert answer.visible_to == editor.member.user.id
    assert plain(answer).startswith(words)
    assert len(plain(answer).splitlines()) <= 3
    assert (editor.taken, (await editor.system.ledger()).held) == (before, 0)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (bomb, "The picture is too large.\nNothing was charged"),
        (drawn(size=(8200, 20)), "The picture is too small: each side takes 16 pixels or more.\nNothing was"),
        (b"not a picture at all", "The picture is not a kind of picture that can be edited.\nNothing was charged"),
    ],
    ids=["bomb", "wide", "garbage"],
)
async def test_edit_with_odd_attachment_is_judged_by_its_content(
    editor: EditingMember, content: bytes | Callable[[], bytes], words: str
) -> None:
    before = editor.taken
    upload = png(content() if callable(content) else content)
    asked = await editor.member.slash("edit", prompt="x", image=upload)
    await asked.wait_until(says(words))
    assert (editor.taken, (await editor.system.ledger()).held) == (before, 0)


async def test_edit_menu_with_one_image_opens_form(editor: EditingMember) -> None:
    """The form has the prompt and the models with prices."""
    photo, before = a_photo("rocket.jpg"), editor.taken
    message = await editor.system.discord.actor("member-two").say("look", png(photo, "rocket.jpg"))
    opened = await editor.member.context_menu(MENU, message)
    modal = await opened.modal()
    assert [each["label"] for each in modal["components"]] == ["What to change", "Model"]
    asked = await editor.member.submit_modal(opened, {"prompt": "at night"})
    card, picture = await editor.finished(asked, before)
    assert derives_from(picture, photo)
    assert card.id != message.id
    assert "3:2" in text(card)


async def test_edit_menu_with_several_images_asks_which(editor: EditingMember) -> None:
    """Files, link previews (by Discord's copy alone) and forwarded images."""
    first, second, linked = drawn(size=(80, 60)), drawn("JPEG", (60, 90)), drawn(size=(100, 50))
    message = await editor.member.say(
        "see https://example.org/a.png",
        png(first, "one.png"),
        png(b"%PDF", "notes.pdf"),
        png(second, "two.jpg"),
        pictures={"https://example.org/a.png": png(linked, "a.png")},
    )
    forwarded = await editor.member.forward(message)
    for target in (message, forwarded):
        before = editor.taken
        opened = await editor.member.context_menu(MENU, target)
        modal = await opened.modal()
        which = modal["components"][0]["component"]
        labels = [each["label"] for each in which["options"]]
        assert labels[:2] == ["Picture 1 · one.png · 80x60", "Picture 2 · two.jpg · 60x90"]
        assert len(labels) == 3
        assert labels[2].endswith("100x50")
        asked = await editor.member.submit_modal(opened, {"prompt": "both", "pictures": ["1", "2"]})
        _, picture = await editor.finished(asked, before)
        made = editor.system.reve2img.jobs[-1]
        assert [each.sha256 for each in made.inputs] == [hashlib.sha256(each).hexdigest() for each in (second, linked)]
        assert derives_from(picture, second)


async def test_edit_menu_on_job_card_links_parent(editor: EditingMember) -> None:
    """The new job knows its parent, and the stored file is used."""
    before = editor.taken
    asked = await editor.member.slash("edit", prompt="make it dusk", image=png(drawn()))
    card, made = await editor.finished(asked, before)
    assert media(card)
    opened = await editor.member.context_menu(MENU, card)
    again = await editor.member.submit_modal(opened, {"prompt": "make it snow"})
    _, picture = await editor.finished(again, before + 1)
    assert derives_from(picture, made)

    database = await Database.open(editor.system.database_url)
    try:
        ids = await database.read(
            lambda connection: list(connection.execute(select(jobs.c.id).order_by(jobs.c.id.desc()).limit(2)).scalars())
        )
        latest = await database.read(lambda connection: JobRepository(connection).get(ids[0]))
    finally:
        await database.close()
    assert latest.origin is not None
    assert latest.origin.job_id == ids[1]


async def test_edit_menu_without_images_is_refused(editor: EditingMember) -> None:
    """The answer names the editable kinds."""
    message = await editor.member.say("just words")
    answer = await (await editor.member.context_menu(MENU, message)).response()
    assert answer.content == (
        "There is no picture in this message.\nChoose one with a picture, or attach yours to `/edit`."
    )
    assert answer.visible_to == editor.member.user.id


async def test_edit_of_image_deleted_during_form_costs_nothing(editor: EditingMember) -> None:
    """The address has expired, as after a deleted message.

    The card says so with the next step.
    """
    message = await editor.member.say("look", png(drawn()))
    opened = await editor.member.context_menu(MENU, message)
    await opened.modal()
    editor.system.discord.expire_addresses()
    asked = await editor.member.submit_modal(opened, {"prompt": "at night"})
    card = await asked.wait_until(says("is not there any more"))
    assert (
        "The picture is not there any more: its message was deleted, or its link ran out.\n"
        "Nothing was charged: 20 credits returned"
    ) in text(card)
    assert "Cancel" not in [each["label"] for each in buttons(card)]
    ledger = await editor.system.ledger()
    assert (ledger.held, ledger.problems) == (0, [])
