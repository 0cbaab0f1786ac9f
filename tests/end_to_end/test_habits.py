"""Presets, defaults, private cards and user installs in the real process."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from sqlalchemy import Connection, select

from db.database import Database
from db.tables import jobs
from sandbox.discord import Actor, Channel, Invocation, Message, add_elsewhere, buttons, text
from sandbox.providers import expected_mark, read_mark
from tests.end_to_end.system_harness import SystemHarness, has_images
from tests.support.polling import poll

pytestmark = pytest.mark.asyncio(loop_scope="module")

ALONE = "To show it to others, save the picture and post it."


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def shared_system(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[SystemHarness]:
    """Yield a running bot with user installs, and places without the bot."""
    system = SystemHarness(tmp_path_factory.mktemp("system"))
    add_elsewhere(system.discord.world)
    try:
        await system.start(DEFAULT_ALLOWANCE="1000", USER_INSTALL="on")
        yield system
    finally:
        await system.close()


@pytest_asyncio.fixture(loop_scope="module")
async def roaming(shared_system: SystemHarness) -> AsyncIterator[SystemHarness]:
    """Return the system; afterwards the ledger balances with nothing held."""
    yield shared_system
    shared_system.discord.faults.clear()
    ledger = await shared_system.ledger()
    assert (ledger.problems, ledger.held) == ([], 0)


async def start_job(
    system: SystemHarness, who: Actor, channel: str | Channel = "general", **options: object
) -> Invocation:
    """Use `/imagine`.

    Return once the card exists and the provider has the job.
    """
    taken = len(system.skillboss.jobs)
    invocation = await who.slash("imagine", channel=channel, options=options)
    await invocation.response()
    await system.skillboss.wait_for(lambda: len(system.skillboss.jobs) > taken)
    return invocation


async def assert_image(system: SystemHarness, message: Message, prompt: str) -> None:
    """Expect a prompt's own image in a message."""
    (picture,) = await system.pictures(message)
    assert read_mark(picture) == expected_mark(prompt, 0)


async def row(system: SystemHarness, member: Actor) -> tuple[int, bool, str | None]:
    """Return guild, privacy and delivery of a member's latest delivered job."""
    database = await Database.open(system.database_url)

    def read(connection: Connection) -> tuple[int, bool, str | None] | None:
        mine = select(jobs).where(jobs.c.member_id == int(member.user.id)).order_by(jobs.c.id.desc())
        latest = connection.execute(mine).first()
        if latest is None or latest.delivered_at is None:
            return None
        return latest.guild_id, latest.private, latest.delivery

    try:
        found = await poll(lambda: database.read(read))
        assert found is not None
        return found
    finally:
        await database.close()


async def test_preset_is_saved_completed_and_used(roaming: SystemHarness) -> None:
    """The image has the prompt in the preset's frame.

    The preset is autocompleted.
    """
    member = roaming.discord.actor("member")
    saved = await member.slash("preset save", options={"name": "Noir", "prompt": "film noir, {prompt}", "images": 1})
    assert "Your preset \u2068Noir\u2069 is saved" in text(await saved.response())
    offered = await member.autocomplete("imagine", "preset", "no", options={"prompt": "a fox"})
    assert [choice["name"] for choice in offered] == ["Noir · yours"]
    invocation = await start_job(roaming, member, prompt="a fox", preset=offered[0]["value"])
    roaming.skillboss.finish()
    await assert_image(roaming, await invocation.wait_until(has_images), "film noir, a fox")

    deleted = await (await member.slash("preset delete", options={"name": "noir"})).response()
    await (await member.click(deleted, label="Undo")).acknowledged()
    listed = await (await member.slash("preset list")).response()
    assert deleted.ephemeral
    assert "film noir" in text(listed)


async def test_private_card_is_visible_to_its_member_only(roaming: SystemHarness) -> None:
    """The finished card says how to share it; its buttons work."""
    member, other = roaming.discord.actor("member"), roaming.discord.actor("member-two")
    invocation = await start_job(roaming, member, prompt="a secret", private=True)
    card = await invocation.response()
    assert card.ephemeral
    assert card not in other.sees()
    assert [button["label"] for button in buttons(card)] == ["Cancel"]
    roaming.skillboss.finish()
    card = await invocation.wait_until(has_images)
    assert "*Make public* under *More…* posts it in the channel." in text(card)
    assert "12 credits · " in text(card)
    await assert_image(roaming, card, "a secret")
    assert await row(roaming, member) == (int(roaming.discord.world.guild("Community").id), True, "card")


async def test_private_card_after_token_expiry_is_delivered_directly(roaming: SystemHarness) -> None:
    """One direct message after the token expired; the channel stays silent."""
    member = roaming.discord.actor("member-two")
    channel_before = len(roaming.discord.actor("member").sees())
    invocation = await start_job(roaming, member, prompt="a late secret", private=True)
    roaming.discord.expire_tokens()
    roaming.skillboss.finish()
    assert (await row(roaming, member))[1:] == (True, "direct")
    (direct,) = member.sees(roaming.discord.direct_message("member-two"))
    await assert_image(roaming, direct, "a late secret")
    assert len(roaming.discord.actor("member").sees()) == channel_before
    assert invocation.message is not None
    assert not has_images(invocation.message)


async def test_user_install_works_in_direct_messages(roaming: SystemHarness) -> None:
    """The account is outside all servers, the language is the member's.

    The token finishes the card.
    """
    traveller = roaming.discord.actor("traveller")
    direct = roaming.discord.direct_message("traveller")
    offered = {command["name"] for command in traveller.offered(direct)}
    assert {"imagine", "credits", "history", "settings", "preset", "help", "status"} <= offered
    assert "studio" not in offered

    async def balance() -> int:
        shown = text(await (await traveller.slash("credits balance", channel=direct)).response())
        return int(shown.removeprefix("## ").partition(" ")[0].replace(",", ""))

    before = await balance()
    invocation = await start_job(roaming, traveller, direct, prompt="a harbour")
    card = await invocation.response()
    assert not card.ephemeral
    roaming.skillboss.finish()
    await assert_image(roaming, await invocation.wait_until(has_images), "a harbour")
    assert await row(roaming, traveller) == (0, False, "card")
    assert await balance() == before - 12


@pytest.mark.parametrize("channel", ["lobby", "strict", "friends"])
async def test_user_install_works_in_foreign_places(roaming: SystemHarness, channel: str) -> None:
    """In a server without the bot and in a group.

    Private where external apps may not post.
    """
    traveller, private = roaming.discord.actor("traveller"), channel == "strict"
    invocation = await start_job(roaming, traveller, channel, prompt=f"a view of {channel}")
    card = await invocation.response()
    assert card.ephemeral is private
    roaming.skillboss.finish()
    card = await invocation.wait_until(has_images)
    await assert_image(roaming, card, f"a view of {channel}")
    assert (ALONE in text(card)) is private
    assert await row(roaming, traveller) == (0, private, "card")
    assert invocation.followups == []


async def test_user_install_result_beyond_reach_is_delivered_directly(roaming: SystemHarness) -> None:
    """The bot token does not work in a server without the bot."""
    traveller = roaming.discord.actor("traveller")
    place = roaming.discord.direct_message("traveller")
    before = len(traveller.sees(place))
    await start_job(roaming, traveller, "lobby", prompt="a late harbour")
    roaming.discord.expire_tokens()
    roaming.skillboss.finish()
    assert (await row(roaming, traveller))[2] == "direct"
    direct = traveller.sees(place)
    assert len(direct) == before + 1
    await assert_image(roaming, direct[-1], "a late harbour")


async def test_server_with_bot_charges_server_account(roaming: SystemHarness) -> None:
    """Also for members with a user install."""
    member = roaming.discord.actor("member")
    member.user.has_app = True
    try:
        invocation = await start_job(roaming, member, prompt="at home")
        roaming.skillboss.finish()
        await invocation.wait_until(has_images)
    finally:
        member.user.has_app = False
    assert (await row(roaming, member))[0] == int(roaming.discord.world.guild("Community").id)


async def test_user_install_off_keeps_commands_in_servers(system: SystemHarness) -> None:
    """No command is offered for user installs or in direct messages."""
    commands = {command["name"]: command for command in await system.discord.wait_commands()}
    assert {tuple(command["integration_types"]) for command in commands.values()} == {(0,)}
    assert commands["imagine"]["contexts"] == [0]


async def test_stray_command_in_foreign_server_names_the_place(system: SystemHarness) -> None:
    """A member's Discord may still offer it from the time of user installs."""
    add_elsewhere(system.discord.world)
    (imagine,) = [each for each in system.discord.commands.registered() if each["name"] == "imagine"]
    kept = dict(imagine)
    imagine.update(integration_types=[0, 1], contexts=[0, 1, 2])
    for channel in ("lobby", "friends"):
        invocation = await system.discord.actor("traveller").slash("imagine", channel=channel, prompt="a fox")
        answer = await invocation.response()
        assert text(answer).startswith("This works only in servers that have the studio.")
        assert answer.ephemeral
    imagine.update(kept)
