"""Marks of pictures on Discord, and "Was this made here?"."""

import io
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from PIL import Image
from sqlalchemy import Connection, func, select

from bot.images.marks import own_packet
from db.database import Database
from db.tables import fingerprint_keys, pictures
from sandbox.discord import Actor, Invocation, Message, Upload, text
from sandbox.providers import read_manifest
from sandbox.providers.assets import draw_job_picture
from tests.end_to_end.editing_member import EditingMember, png
from tests.end_to_end.system_harness import SystemHarness, has_images, says
from tests.support.image_server import drawn

pytestmark = pytest.mark.asyncio(loop_scope="module")

MENU = "Was this made here?"
NOT_FOUND = "Not found among this studio's public pictures."
KINDS = {"png": "image/png", "jpeg": "image/jpeg", "webp": "image/webp"}


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def system(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[SystemHarness]:
    """Yield a running bot with one provider."""
    system = SystemHarness(tmp_path_factory.mktemp("system"))
    try:
        public_url = f"http://127.0.0.1:{system.http_port}"
        await system.start(DEFAULT_ALLOWANCE="100000", WEBHOOK_PUBLIC_URL=public_url, PROVIDER_ORDER="reve2img")
        yield system
    finally:
        await system.close()


@pytest.fixture
def editor(system: SystemHarness) -> EditingMember:
    """Return a member of the first server."""
    return EditingMember(system=system, member=system.discord.actor("member"))


@pytest_asyncio.fixture(loop_scope="module")
async def signed(system: SystemHarness) -> AsyncIterator[SystemHarness]:
    """Yield the system with a provider of signed pictures."""
    system.reve2img.signs_pictures = True
    yield system
    system.reve2img.signs_pictures = False


async def finish(editor: EditingMember, asked: Invocation) -> tuple[Message, bytes]:
    """Let a provider finish the job; return its card and its picture."""
    await asked.response()
    server = editor.system.reve2img
    await server.wait_for(lambda: any(not job.terminal for job in server.jobs))
    await server.finish_and_wait()
    card = await asked.wait_until(has_images)
    (picture,) = await editor.system.pictures(card)
    return card, picture


async def ask(asker: Actor, message: Message) -> str:
    """Return the answer about a message, which only the asker sees."""
    asked = await asker.context_menu(MENU, message)
    answer = await asked.wait_until(lambda message: "Was this made here?" in text(message))
    assert answer.ephemeral
    return text(answer)


async def upload(member: Actor, *contents: bytes, kind: str = "image/png") -> Message:
    """Return a member's message with files."""
    files = [
        Upload(filename=f"a{place}.png", data=content, content_type=kind) for place, content in enumerate(contents)
    ]
    return await member.say("look", *files)


def copy(picture: bytes, file_format: str = "JPEG") -> bytes:
    """Return a smaller picture in another format."""
    with Image.open(io.BytesIO(picture)) as image:
        out = io.BytesIO()
        image.convert("RGB").resize((image.width // 2, image.height // 2)).save(out, file_format, quality=80)
    return out.getvalue()


@pytest.mark.parametrize("name", KINDS)
async def test_signed_picture_reaches_discord_byte_for_byte(
    signed: SystemHarness, editor: EditingMember, name: str
) -> None:
    asked = await editor.member.slash("imagine", prompt=f"a signed {name}", format=name)
    _, picture = await finish(editor, asked)
    job = signed.reve2img.jobs[-1]
    assert picture == await draw_job_picture(job, 0, signed=True)
    assert read_manifest(picture) is not None
    assert own_packet(picture) is None


@pytest.mark.parametrize("name", KINDS)
async def test_unsigned_picture_says_that_a_model_made_it(editor: EditingMember, name: str) -> None:
    asked = await editor.member.slash("imagine", prompt=f"an unsigned {name}", format=name)
    _, picture = await finish(editor, asked)
    original = await draw_job_picture(editor.system.reve2img.jobs[-1], 0, signed=False)
    packet = own_packet(picture)
    assert packet is not None
    assert b"digitalsourcetype/trainedAlgorithmicMedia<" in packet
    assert b"AISystemUsed>reve-2.0<" in packet
    with Image.open(io.BytesIO(picture)) as posted, Image.open(io.BytesIO(original)) as drawn_there:
        assert posted.tobytes() == drawn_there.tobytes()
    assert len(picture) - len(original) < 1000


async def test_edit_of_a_photo_says_so_and_so_does_its_edit(editor: EditingMember) -> None:
    asked = await editor.member.slash("edit", prompt="make it dusk", image=png(drawn()))
    card, picture = await finish(editor, asked)
    assert b"compositeWithTrainedAlgorithmicMedia" in (own_packet(picture) or b"")

    again = await editor.member.submit_modal(await editor.member.click(card, label="Vary · 20"), {})
    _, varied = await finish(editor, again)
    assert b"compositeWithTrainedAlgorithmicMedia" in (own_packet(varied) or b"")


async def test_edit_of_a_made_picture_counts_as_made(editor: EditingMember) -> None:
    asked = await editor.member.slash("imagine", prompt="a quay")
    card, _ = await finish(editor, asked)
    again = await editor.member.submit_modal(await editor.member.click(card, label="Vary · 20"), {})
    _, varied = await finish(editor, again)
    assert b"digitalsourcetype/trainedAlgorithmicMedia<" in (own_packet(varied) or b"")


async def test_own_card_is_found_with_model_and_date(editor: EditingMember) -> None:
    asked = await editor.member.slash("imagine", prompt="a lighthouse in fog")
    card, _ = await finish(editor, asked)
    answer = await ask(editor.system.discord.actor("moderator"), card)
    assert "Yes, this very file: reve-2.0 · <t:" in answer
    assert f"/{card.id})" in answer


async def test_each_picture_of_a_message_is_answered(editor: EditingMember) -> None:
    asked = await editor.member.slash("imagine", prompt="a harbour at noon")
    card, picture = await finish(editor, asked)
    message = await upload(editor.member, picture, copy(picture), drawn(), b"no picture", copy(picture, "WEBP"))

    answer = await ask(editor.member, message)

    assert "**Picture 1** · Yes, this very file" in answer
    assert "**Picture 2** · Yes, it looks like this one" in answer
    assert answer.count(f"/{card.id})") == 2
    assert f"**Picture 3** · {NOT_FOUND}" in answer
    assert f"**Picture 4** · {NOT_FOUND} It could not be read" in answer
    assert "Picture 5" not in answer
    assert "Only the first 4 pictures" in answer
    assert "A copy that was cropped, turned or changed a lot may not be found." in answer


async def test_private_picture_is_found_by_its_member_only(editor: EditingMember) -> None:
    asked = await editor.member.slash("imagine", prompt="a secret garden", private=True)
    _, picture = await finish(editor, asked)
    message = await upload(editor.member, picture, copy(picture))

    own = await ask(editor.member, message)
    others = await ask(editor.system.discord.actor("moderator"), message)

    assert own.count("Only you can see it: find it in `/history`.") == 2
    assert "discord.com/channels" not in own
    assert others.count(NOT_FOUND) == 2


async def test_deleted_picture_is_found_by_nobody(editor: EditingMember) -> None:
    asked = await editor.member.slash("imagine", prompt="a pier that goes")
    card, picture = await finish(editor, asked)
    database = await Database.open(editor.system.database_url)

    def keys(connection: Connection) -> tuple[int, int]:
        count = connection.execute(select(func.count()).select_from(fingerprint_keys)).scalar_one()
        prints = connection.execute(select(func.count(pictures.c.fingerprint))).scalar_one()
        return count, prints

    try:
        before = await database.read(keys)
        question = await (await editor.member.select(card, ["delete"])).wait_until(says("Delete this?"))
        await (await editor.member.click(question, label="Delete")).wait_until(says("Deleted."))
        after = await database.read(keys)
    finally:
        await database.close()

    answer = await ask(editor.member, await upload(editor.member, picture, copy(picture)))
    assert answer.count(NOT_FOUND) == 2
    assert (before[0] - after[0], before[1] - after[1]) == (16, 1)


async def test_message_without_pictures_says_so(editor: EditingMember) -> None:
    asked = await editor.member.context_menu(MENU, await editor.member.say("no picture"))
    assert "There is no picture in this message." in (await asked.response()).content


async def test_many_searches_are_limited(editor: EditingMember) -> None:
    asker = editor.system.discord.actor("owner")
    message = await upload(editor.member, drawn())
    for _ in range(6):
        await ask(asker, message)
    asked = await asker.context_menu(MENU, message)
    assert "Was this made here?" not in text(await asked.response())


async def test_picture_of_a_hidden_channel_is_found_only_by_who_sees_it(editor: EditingMember) -> None:
    moderator = editor.system.discord.actor("moderator")
    asked = await moderator.slash("imagine", prompt="a plan of the cellar", channel="moderators")
    _, picture = await finish(editor, asked)

    message = await upload(moderator, picture)

    assert NOT_FOUND in await ask(editor.member, message)
    assert "Yes, this very file" in await ask(moderator, message)
