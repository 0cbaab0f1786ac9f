"""Presets, defaults, private cards, and the application on a member's own account, with the real process."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from sqlalchemy import Connection, select

from db.database import Database
from db.tables import jobs
from sandbox.discord import Actor, Channel, Invocation, Message, add_elsewhere, buttons, text
from sandbox.providers import expected_mark, read_mark
from tests.end_to_end.system_harness import PATIENCE, SystemHarness, is_done

pytestmark = pytest.mark.asyncio(loop_scope="module")

ALONE = "Only you can see this. To show it to others, save the picture and post it."


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def open_house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[SystemHarness]:
    """A running bot that members may bring along; there are places where only they do."""
    house = SystemHarness(tmp_path_factory.mktemp("house"))
    add_elsewhere(house.discord.world)
    try:
        await house.start(DEFAULT_ALLOWANCE="1000", USER_INSTALL="on")
        yield house
    finally:
        await house.close()


@pytest_asyncio.fixture(loop_scope="module")
async def studio(open_house: SystemHarness) -> AsyncIterator[SystemHarness]:
    """Return the house; the books must balance at the end, with nothing held."""
    yield open_house
    open_house.discord.faults.clear()
    ledger = await open_house.ledger()
    assert (ledger.problems, ledger.held) == ([], 0)


async def at_work(
    house: SystemHarness, who: Actor, channel: str | Channel = "general", **options: object
) -> Invocation:
    """Use `/imagine`, and return once its card is there and the job at the provider."""
    taken = len(house.skillboss.jobs)
    invocation = await who.slash("imagine", channel=channel, options=options)
    await invocation.response()
    await house.skillboss.wait_for(lambda: len(house.skillboss.jobs) > taken)
    return invocation


async def pictured(house: SystemHarness, message: Message, prompt: str) -> None:
    """Expect a prompt's own picture in a message."""
    (picture,) = await house.pictures(message)
    assert read_mark(picture) == expected_mark(prompt, 0)


async def row(house: SystemHarness, member: Actor) -> tuple[int, bool, str | None]:
    """Return a member's latest job once it was delivered: its community, whether it is private, and where it came."""
    database = await Database.open(house.database_url)

    def read(connection: Connection) -> tuple[int, bool, str | None] | None:
        mine = select(jobs).where(jobs.c.member_id == int(member.user.id)).order_by(jobs.c.id.desc())
        latest = connection.execute(mine).first()
        if latest is None or latest.delivered_at is None:
            return None
        return latest.guild_id, latest.private, latest.delivery

    try:
        async with asyncio.timeout(PATIENCE):
            while (found := await database.read(read)) is None:
                pass
        return found
    finally:
        await database.close()


async def test_a_preset_is_saved_found_and_used(studio: SystemHarness) -> None:
    """The picture is that of the prompt in its frame; the preset is told by name while the command is written."""
    member = studio.discord.actor("member")
    saved = await member.slash("preset save", options={"name": "Noir", "prompt": "film noir, {prompt}", "images": 1})
    assert "Your preset \u2068Noir\u2069 is saved" in text(await saved.response())
    offered = await member.autocomplete("imagine", "preset", "no", options={"prompt": "a fox"})
    assert [choice["name"] for choice in offered] == ["Noir · yours"]
    invocation = await at_work(studio, member, prompt="a fox", preset=offered[0]["value"])
    studio.skillboss.finish()
    await pictured(studio, await invocation.wait_until(is_done), "film noir, a fox")

    deleted = await (await member.slash("preset delete", options={"name": "noir"})).response()
    await (await member.click(deleted, label="Undo")).acknowledged()
    listed = await (await member.slash("preset list")).response()
    assert deleted.ephemeral
    assert "film noir" in text(listed)


async def test_a_private_card_is_seen_by_its_member_alone(studio: SystemHarness) -> None:
    """From the first state to the picture, which says how to show it to others; its buttons work."""
    member, other = studio.discord.actor("member"), studio.discord.actor("member-two")
    invocation = await at_work(studio, member, prompt="a secret", private=True)
    card = await invocation.response()
    assert card.ephemeral
    assert card not in other.sees()
    assert [button["label"] for button in buttons(card)] == ["Cancel"]
    studio.skillboss.finish()
    card = await invocation.wait_until(is_done)
    assert ALONE in text(card)
    assert "12 credits · " in text(card)
    await pictured(studio, card, "a secret")
    assert await row(studio, member) == (int(studio.discord.world.guild("Community").id), True, "card")


async def test_a_private_card_that_no_token_reaches_comes_directly(studio: SystemHarness) -> None:
    """A quarter of an hour later the picture comes by direct message, once, and nothing is said in the channel."""
    member = studio.discord.actor("member-two")
    channel_before = len(studio.discord.actor("member").sees())
    invocation = await at_work(studio, member, prompt="a late secret", private=True)
    studio.discord.expire_tokens()
    studio.skillboss.finish()
    assert (await row(studio, member))[1:] == (True, "direct")
    (direct,) = member.sees(studio.discord.direct_message("member-two"))
    await pictured(studio, direct, "a late secret")
    assert len(studio.discord.actor("member").sees()) == channel_before
    assert invocation.message is not None
    assert not is_done(invocation.message)


async def test_who_brings_the_studio_along_uses_it_in_direct_messages(studio: SystemHarness) -> None:
    """With an account outside all servers, in their own language's place; the card is finished by its token."""
    traveller = studio.discord.actor("traveller")
    direct = studio.discord.direct_message("traveller")
    offered = {command["name"] for command in traveller.offered(direct)}
    assert {"imagine", "credits", "history", "settings", "preset", "help", "status"} <= offered
    assert "studio" not in offered

    async def balance() -> int:
        shown = text(await (await traveller.slash("credits balance", channel=direct)).response())
        return int(shown.removeprefix("## ").partition(" ")[0].replace(",", ""))

    before = await balance()
    invocation = await at_work(studio, traveller, direct, prompt="a harbour")
    card = await invocation.response()
    assert not card.ephemeral
    studio.skillboss.finish()
    await pictured(studio, await invocation.wait_until(is_done), "a harbour")
    assert await row(studio, traveller) == (0, False, "card")
    assert await balance() == before - 12


@pytest.mark.parametrize("channel", ["lobby", "strict", "friends"])
async def test_who_brings_the_studio_along_uses_it_elsewhere(studio: SystemHarness, channel: str) -> None:
    """In a server without the bot and among friends; where external apps may not speak, for the member alone."""
    traveller, private = studio.discord.actor("traveller"), channel == "strict"
    invocation = await at_work(studio, traveller, channel, prompt=f"a view of {channel}")
    card = await invocation.response()
    assert card.ephemeral is private
    studio.skillboss.finish()
    card = await invocation.wait_until(is_done)
    await pictured(studio, card, f"a view of {channel}")
    assert (ALONE in text(card)) is private
    assert await row(studio, traveller) == (0, private, "card")
    assert invocation.followups == []


async def test_what_the_bot_cannot_reach_elsewhere_comes_directly(studio: SystemHarness) -> None:
    """Its own token is nothing in a server without it."""
    traveller = studio.discord.actor("traveller")
    place = studio.discord.direct_message("traveller")
    before = len(traveller.sees(place))
    await at_work(studio, traveller, "lobby", prompt="a late harbour")
    studio.discord.expire_tokens()
    studio.skillboss.finish()
    assert (await row(studio, traveller))[2] == "direct"
    direct = traveller.sees(place)
    assert len(direct) == before + 1
    await pictured(studio, direct[-1], "a late harbour")


async def test_in_a_server_that_has_the_bot_its_account_counts(studio: SystemHarness) -> None:
    """Also for who has brought the studio along."""
    member = studio.discord.actor("member")
    member.user.has_app = True
    try:
        invocation = await at_work(studio, member, prompt="at home")
        studio.skillboss.finish()
        await invocation.wait_until(is_done)
    finally:
        member.user.has_app = False
    assert (await row(studio, member))[0] == int(studio.discord.world.guild("Community").id)


async def test_without_the_setting_the_studio_stays_in_its_servers(house: SystemHarness) -> None:
    """Discord is told that no command is for members' own accounts, and in direct messages there is no `/imagine`."""
    commands = {command["name"]: command for command in await house.discord.wait_commands()}
    assert {tuple(command["integration_types"]) for command in commands.values()} == {(0,)}
    assert commands["imagine"]["contexts"] == [0]
