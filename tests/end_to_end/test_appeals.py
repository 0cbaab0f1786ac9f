"""An appeal against a refused prompt, over real sockets."""

from collections.abc import AsyncIterator, Callable

import pytest
import pytest_asyncio

from bot.domain.prompt_rules import PromptRule, PromptRuleKind
from db.database import Database
from db.guilds import GuildRepository
from db.prompt_rules import PromptRuleRepository, StoredRule
from sandbox.clock import StudioClock
from sandbox.discord import Message, buttons, text
from tests.end_to_end.system_harness import SystemHarness, says
from tests.support.factories import make_id

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def system(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[SystemHarness]:
    """Yield a running bot in a server with a review channel and a prompt rule."""
    folder = tmp_path_factory.mktemp("system")
    system = SystemHarness(folder, clock=StudioClock(folder / "clock-offset"))
    try:
        await system.start()
        world = system.discord.world
        guild_id, owner = int(world.guild("Community").id), int(world.user("owner").id)
        database = await Database.open(system.database_url)
        change = {"review_channel_id": int(world.channel("moderators").id)}
        rule = PromptRule(id=make_id(), kind=PromptRuleKind.WORD, text="dragon", guild_id=guild_id)
        stored = StoredRule(rule=rule, set_by=owner, set_at=system.clock.now())
        await database.write(lambda connection: GuildRepository(connection).add(guild_id))
        await database.write(lambda connection: GuildRepository(connection).change_settings(guild_id, change))
        await database.write(lambda connection: PromptRuleRepository(connection).add([stored]))
        await database.write(lambda connection: PromptRuleRepository(connection).set_version(guild_id, make_id()))
        await database.close()
        yield system
    finally:
        await system.close()


async def message_in(system: SystemHarness, channel: str, condition: Callable[[Message], object]) -> Message:
    """Return the latest message of a channel with a condition, once it exists."""
    messages = system.discord.world.channel(channel).messages

    def found() -> list[Message]:
        return [each for each in messages.values() if not each.deleted and condition(each)]

    await system.discord.recorder.wait(lambda _: bool(found()))
    return found()[-1]


async def test_refused_member_appeals_and_sends_the_allowed_prompt(system: SystemHarness) -> None:
    member, moderator, owner = (system.discord.actor(name) for name in ("member", "moderator", "owner"))
    prompt = "a dragon over the harbour"
    refused = await (await member.slash("imagine", prompt=prompt)).response()
    assert text(refused).startswith("A rule of this server forbids “\u2068dragon\u2069” in the prompt.")
    assert prompt in text(refused)
    told = await (await member.click(refused, label="Appeal")).response()
    assert text(told).startswith("A moderator will look at your prompt.")
    card = await message_in(system, "moderators", says("### An appeal waits for a decision"))
    assert f"\u2068{prompt}\u2069" in text(card)
    assert f"From <@{member.user.id}> · 1 refused prompt of theirs in 30 days" in text(card)
    assert f"Rule: \u2068dragon\u2069 · set by <@{owner.user.id}>" in text(card)

    await moderator.click(card, label="Allow this prompt")
    await message_in(system, "moderators", says(f"### This prompt was allowed by <@{moderator.user.id}>"))
    assert buttons(card) == []
    answer = await message_in(system, f"dm-{member.user.id}", says("A moderator allowed your prompt."))
    shown = await (await member.click(answer, label="Show my prompt")).response()
    assert prompt in text(shown)
    made = await member.slash("imagine", prompt=prompt)
    assert prompt in text(await made.response())
