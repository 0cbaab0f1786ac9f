"""AutoMod's rules for prompts, over real sockets."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from db.database import Database
from db.guilds import GuildRepository
from sandbox.clock import StudioClock
from sandbox.discord import Actor, Guild, Message, Permission, buttons, text
from tests.end_to_end.system_harness import SystemHarness, says
from tests.end_to_end.test_appeals import message_in
from tests.support.polling import poll

pytestmark = pytest.mark.asyncio(loop_scope="module")

MANAGERS = "Managers"
ON, OFF = "Use AutoMod's rules", "Stop using AutoMod's rules"
NO_RULES = "AutoMod has no rule of your own words here"
REFUSED = "This server's AutoMod forbids"


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def system(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[SystemHarness]:
    """Yield a running bot in a server with review and log channels."""
    folder = tmp_path_factory.mktemp("system")
    system = SystemHarness(folder, clock=StudioClock(folder / "clock-offset"))
    try:
        await system.start()
        world = system.discord.world
        guild_id, channel_id = int(world.guild("Community").id), int(world.channel("moderators").id)
        database = await Database.open(system.database_url)
        change = {"review_channel_id": channel_id, "log_channel_id": channel_id, "block_limit": 0}
        await database.write(lambda connection: GuildRepository(connection).change_settings(guild_id, change))
        await database.close()
        yield system
    finally:
        await system.close()


async def card_that_says(system: SystemHarness, words: str) -> str:
    """Return the text of `/studio rules` once it has some words."""
    owner = system.discord.actor("owner")

    async def read() -> str:
        return text(await (await owner.slash("studio rules")).response())

    return await poll(read, lambda shown: words in shown)


def labels(message: Message) -> list[str]:
    """Return the labels of a message's buttons."""
    return [str(each.get("label")) for each in buttons(message)]


async def imagine(member: Actor, prompt: str, channel: str = "general") -> Message:
    """Return the answer to a prompt."""
    return await (await member.slash("imagine", channel=channel, prompt=prompt)).response()


async def press(system: SystemHarness, label: str, words: str) -> Message:
    """Press a button of `/studio rules`; return the changed card."""
    owner = system.discord.actor("owner")
    card = await (await owner.slash("studio rules")).response()
    await (await owner.click(card, label=label)).acknowledged()
    await system.discord.recorder.wait(lambda _: words in text(card))
    return card


@pytest_asyncio.fixture(loop_scope="module")
async def guild(system: SystemHarness) -> Guild:
    """Return the server, with AutoMod's rules switched on and none there."""
    discord = system.discord
    guild = discord.world.guild("Community")
    for rule in discord.automod.rules(guild):
        discord.automod.delete(rule)
    if MANAGERS not in {role.name for role in guild.roles.values()}:
        discord.create_role(MANAGERS)
    discord.edit_role(MANAGERS, permissions=Permission.MANAGE_GUILD)
    discord.give_role(discord.world.bot, MANAGERS)
    if "do not apply to prompts" in await card_that_says(system, "AutoMod"):
        await press(system, ON, NO_RULES)
    await card_that_says(system, NO_RULES)
    return guild


async def test_admin_switches_automod_on_once_the_bot_may_read_it(system: SystemHarness, guild: Guild) -> None:
    discord = system.discord
    card = await press(system, OFF, "AutoMod's rules do not apply to prompts.")
    assert "give my role Manage Server" not in text(card)
    discord.automod.add(guild, "Words", keywords=["kraken"])
    assert not text(await imagine(discord.actor("member"), "a kraken")).startswith(REFUSED)

    discord.take_role(discord.world.bot, MANAGERS)
    card = await press(system, ON, "I may not read AutoMod's rules here, so nothing was switched on.")
    assert "AutoMod's rules do not apply to prompts. To use them, first give my role Manage Server." in text(card)
    assert ON in labels(card)

    discord.give_role(discord.world.bot, MANAGERS)
    card = await press(
        system, ON, "1 rule of AutoMod applies to prompts of members without Manage Server: \u2068Words\u2069"
    )
    assert OFF in labels(card)
    assert text(await imagine(discord.actor("member"), "a kraken")).startswith(REFUSED)
    log = text(await (await discord.actor("owner").slash("studio audit")).response())
    assert "switched AutoMod's rules on for prompts" in log
    assert "switched AutoMod's rules off for prompts" in log


async def test_new_rule_refuses_prompts_and_its_appeal_is_allowed(system: SystemHarness, guild: Guild) -> None:
    discord = system.discord
    member, moderator, owner = (discord.actor(name) for name in ("member", "moderator", "owner"))
    exempt = (discord.world.channel("showcase").id,)
    discord.automod.add(guild, "No *fantasy*", keywords=["dragon*"], patterns=["(?=a)b"], exempt_channels=exempt)
    discord.automod.add(guild, "Lists", presets=(1,))
    discord.automod.add(guild, "Idle", keywords=["harbour"], enabled=False)
    discord.automod.add(guild, "Alerts", keywords=["harbour"], alerts_in=discord.world.channel("moderators").id)
    shown = await card_that_says(
        system, "1 rule of AutoMod applies to prompts of members without Manage Server: \u2068No \\*fantasy\\*\u2069"
    )
    assert "Not used of \u2068No \\*fantasy\\*\u2069: “\u2068\\(?=a\\)b\u2069” is no pattern" in shown

    prompt = "two dragons over the harbour"
    refused = await imagine(member, prompt)
    assert text(refused).splitlines()[:3] == [
        "This server's AutoMod forbids “\u2068dragon\u2069” in the prompt.",
        "Rule: \u2068No \\*fantasy\\*\u2069",
        "Nothing was charged. Reword it and send it again.",
    ]
    assert prompt in text(await imagine(discord.actor("member-two"), prompt, channel="showcase"))
    assert not text(await imagine(owner, prompt)).startswith(REFUSED)

    await (await member.click(refused, label="Appeal")).response()
    card = await message_in(system, "moderators", says("### An appeal waits for a decision"))
    assert "Rule: \u2068No \\*fantasy\\*\u2069 · of AutoMod, changed in the server's settings" in text(card)
    assert labels(card) == ["Allow this prompt", "Keep refused"]
    await moderator.click(card, label="Allow this prompt")
    await message_in(system, f"dm-{member.user.id}", says("A moderator allowed your prompt."))
    assert not text(await imagine(member, prompt)).startswith(REFUSED)


async def test_changed_and_deleted_rules_apply_at_once(system: SystemHarness, guild: Guild) -> None:
    discord, member = system.discord, system.discord.actor("member")
    rule = discord.automod.add(guild, "Words", keywords=["dragon"])
    await card_that_says(system, "\u2068Words\u2069")
    rule = discord.automod.edit(rule, name="Renamed", keywords=("*corn",))
    await card_that_says(system, "applies to prompts of members without Manage Server: \u2068Renamed\u2069")
    assert text(await imagine(member, "a unicorn")).startswith(f"{REFUSED} “\u2068corn\u2069”")
    discord.automod.delete(rule)
    await card_that_says(system, NO_RULES)


async def test_lost_right_is_told_and_comes_back(system: SystemHarness, guild: Guild) -> None:
    discord, member = system.discord, system.discord.actor("member")
    discord.automod.add(guild, "Monsters", keywords=["kraken"])
    await card_that_says(system, "\u2068Monsters\u2069")
    discord.edit_role(MANAGERS, permissions=0)
    await card_that_says(system, "AutoMod's rules do not apply: I lost Manage Server")
    await message_in(system, "moderators", says("I lost the right Manage Server, so AutoMod's rules"))
    assert not text(await imagine(member, "a kraken at noon")).startswith(REFUSED)

    discord.edit_role(MANAGERS, permissions=Permission.MANAGE_GUILD)
    await card_that_says(system, "applies to prompts of members without Manage Server: \u2068Monsters\u2069")
    assert text(await imagine(member, "a kraken at dusk")).startswith(REFUSED)
    discord.take_role(discord.world.bot, MANAGERS)
    await card_that_says(system, "I lost Manage Server")


async def test_outage_keeps_the_rules_as_last_read(system: SystemHarness, guild: Guild) -> None:
    discord = system.discord
    rule = discord.automod.add(guild, "Monsters", keywords=["kraken"])
    await card_that_says(system, "\u2068Monsters\u2069")
    # A proxy's page, such as Cloudflare's, and an odd answer.
    for fault in ({"status": 403}, {"status": 200, "body": [{"id": None}]}):
        failed = discord.faults.add("GET", r"/auto-moderation/rules", **fault)
        rule = discord.automod.edit(rule, keywords=("leviathan",))
        await failed.wait_hit()
        assert text(await imagine(discord.actor("member"), "a kraken")).startswith(REFUSED)
        assert "\u2068Monsters\u2069" in await card_that_says(system, "AutoMod")
    system.clock.advance(seconds=61)
    await poll(lambda: imagine(discord.actor("member-two"), "a leviathan"), lambda said: text(said).startswith(REFUSED))

    await press(system, OFF, "AutoMod's rules do not apply to prompts.")
    discord.faults.add("GET", r"/auto-moderation/rules", status=403)
    await press(system, ON, "Discord did not answer about AutoMod's rules, so nothing was switched on.")


async def test_rules_changed_during_a_stop_are_read_at_the_start(system: SystemHarness, guild: Guild) -> None:
    rule = system.discord.automod.add(guild, "Monsters", keywords=["kraken"])
    await card_that_says(system, "\u2068Monsters\u2069")
    await system.stop_bot()
    system.discord.automod.edit(rule, name="Whales", keywords=("leviathan",))
    await system.start_bot()
    await card_that_says(system, "\u2068Whales\u2069")
    refused = await imagine(system.discord.actor("member"), "a leviathan")
    assert text(refused).startswith(REFUSED)
