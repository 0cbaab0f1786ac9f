"""A challenge from its start to its winners, over real sockets."""

import signal
from collections.abc import AsyncIterator, Callable

import pytest
import pytest_asyncio

from bot.domain.sharing.settings import ReviewMode
from bot.services.outbox import CLAIM_SECONDS
from db.database import Database
from db.guilds import GuildRepository
from db.sharing_settings import SharingSettingsRepository
from sandbox.clock import StudioClock
from sandbox.discord import Message, buttons, media, text
from sandbox.discord.message_reader import selects
from tests.end_to_end.system_harness import SystemHarness, has_images, says, wait_for_provider_job

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def system(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[SystemHarness]:
    """Yield a running bot in a server that shares without review."""
    folder = tmp_path_factory.mktemp("system")
    system = SystemHarness(folder, clock=StudioClock(folder / "clock-offset"))
    try:
        await system.start()
        database = await Database.open(system.database_url)
        guild_id = int(system.discord.world.guild("Community").id)
        await database.write(lambda connection: GuildRepository(connection).add(guild_id))
        rules = {"review": ReviewMode.NONE}
        await database.write(lambda connection: SharingSettingsRepository(connection).change(guild_id, rules))
        await database.close()
        yield system
    finally:
        await system.close()


async def posted(system: SystemHarness, condition: Callable[[Message], object]) -> Message:
    """Wait for the only message of the showcase with a condition."""
    messages = system.discord.world.channel("showcase").messages

    def found() -> list[Message]:
        return [each for each in messages.values() if not each.deleted and condition(each)]

    await system.discord.recorder.wait(lambda _: bool(found()))
    (message,) = found()
    return message


def labels(message: Message) -> list[str]:
    """Read the labels of the buttons of a message."""
    return [each["label"] for each in buttons(message)]


async def enter(system: SystemHarness, name: str, card: Message, prompt: str, title: str) -> None:
    """Make a picture as a member, and enter it."""
    actor = system.discord.actor(name)
    made = await actor.slash("imagine", prompt=prompt)
    system.skillboss.finish(await wait_for_provider_job(system.skillboss, prompt))
    await made.wait_until(has_images)
    menu = await (await actor.click(card, label="Enter a picture…")).response()
    assert menu.ephemeral
    value = next(each["value"] for each in selects(menu)[0]["options"] if prompt in each["label"])
    form = await actor.select(menu, [value])
    answer = await (await actor.submit_modal(form, {"title": title})).response()
    assert text(answer).startswith("Your picture is entered.")


async def test_challenge_runs_from_its_start_to_its_winners(system: SystemHarness) -> None:
    owner, member, moderator = (system.discord.actor(name) for name in ("owner", "member", "moderator"))
    begun = await owner.slash("challenge start", channel="showcase", theme="Light *houses*", entry_days=1, vote_days=1)
    assert text(await begun.response()).startswith("The challenge begins in <#")
    card = await posted(system, says("## Challenge: \u2068Light \\*houses\\*\u2069"))
    await enter(system, "member", card, "a red lighthouse", "Red")
    await enter(system, "moderator", card, "a blue lighthouse", "Blue")
    await posted(system, says("-# 2 entries"))
    twice = await (await member.click(card, label="Enter a picture…")).response()
    assert text(twice).startswith("You have entered a picture already.")

    system.clock.advance(seconds=86_400 + 30)
    page = await posted(system, says("Entries 1 to 2 · AI-generated"))
    assert len(media(page)) == 2
    assert "<@" not in text(page)  # nobody is named while the vote runs
    assert labels(page) == ["1", "2"]
    await posted(system, says(f"/{page.channel_id}/{page.id}"))  # the card links to its entries
    said = {}
    for label in ("1", "2"):
        said[label] = text(await (await member.click(page, label=label)).response())
    (own,) = (label for label, words in said.items() if words == "This entry is yours. Vote for others.")
    other = "2" if own == "1" else "1"
    assert said[other].startswith(f"Voted for {other}.\nYour votes: {other}.")

    await system.stop_bot(signal.SIGKILL)
    system.clock.advance(seconds=86_400 + CLAIM_SECONDS)
    await system.start_bot()
    winners = await posted(system, says("## Winners of “\u2068Light \\*houses\\*\u2069”"))
    assert f"**1st** · 1 vote · Entry {other} · \u2068Blue\u2069 · <@{moderator.user.id}>" in text(winners)
    assert len(media(winners)) == 1
    await posted(system, lambda each: each.id == page.id and f"<@{member.user.id}>" in text(each))
    results = await (await member.click(winners, label="All results")).response()
    assert text(results).splitlines()[1].startswith(f"1 vote · Entry {other}")
    await posted(system, lambda each: each.id == card.id and "All results" in labels(each))
    late = await (await member.click(card, label="All results")).response()
    assert late.ephemeral


@pytest.mark.parametrize(
    ("name", "prize", "who"), [("member", 0, "a moderator"), ("moderator", 5, "an admin of this server")]
)
async def test_challenge_needs_a_moderator_and_its_prize_an_admin(
    system: SystemHarness, name: str, prize: int, who: str
) -> None:
    started = await system.discord.actor(name).slash("challenge start", channel="general", theme="Rain", prize=prize)
    answer = await started.response()
    assert text(answer) == f"Only {who} can do that."
    assert answer.ephemeral
