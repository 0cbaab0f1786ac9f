"""Rules of AutoMod, read by the bot."""

import discord
import pytest

from sandbox.discord import ClientRefusal, DiscordServer, Permission
from tests.sandbox.discord.conftest import Connect
from tests.sandbox.discord.fixture_bot import PATIENCE, FixtureBot


async def test_rules_are_read_with_manage_server_alone(server: DiscordServer, bot: FixtureBot) -> None:
    community, guild = server.world.guild("Community"), bot.guilds[0]
    server.automod.add(community, "Words", keywords=["*swear*", "rude"], patterns=["b+ad"], allowed=["badge"])
    with pytest.raises(discord.Forbidden) as caught:
        await guild.fetch_automod_rules()
    assert caught.value.code == 50013

    server.give_role(server.world.bot, server.create_role("Managers", permissions=Permission.MANAGE_GUILD))
    (rule,) = await guild.fetch_automod_rules()
    assert (rule.name, rule.enabled) == ("Words", True)
    assert rule.trigger.keyword_filter == ["*swear*", "rude"]
    assert rule.trigger.regex_patterns == ["b+ad"]
    assert rule.trigger.allow_list == ["badge"]


async def test_changed_and_deleted_rules_are_seen_at_next_read(server: DiscordServer, bot: FixtureBot) -> None:
    community, guild = server.world.guild("Community"), bot.guilds[0]
    server.give_role(server.world.bot, server.create_role("Managers", permissions=Permission.MANAGE_GUILD))
    rule = server.automod.add(community, "Words", keywords=["rude"])
    presets = server.automod.add(community, "Discord's lists", presets=(1, 3))
    server.automod.edit(rule, enabled=False, exempt_roles=(community.id,))
    first, second = await guild.fetch_automod_rules()
    assert (first.enabled, first.exempt_role_ids) == (False, {guild.id})
    assert second.trigger.presets.profanity
    server.automod.delete(rule)
    server.automod.delete(presets)
    assert await guild.fetch_automod_rules() == []


async def test_changes_are_announced_with_manage_server_alone(server: DiscordServer, connect: Connect) -> None:
    community = server.world.guild("Community")
    bot = await connect(server, FixtureBot(discord.Intents(guilds=True, auto_moderation_configuration=True)))
    created = bot.wait_for("automod_rule_create", timeout=PATIENCE)
    server.automod.add(community, "Unseen", keywords=["rude"])
    server.give_role(server.world.bot, server.create_role("Managers", permissions=Permission.MANAGE_GUILD))
    rule = server.automod.add(community, "Words", keywords=["rude"])
    assert (await created).name == "Words"
    updated = bot.wait_for("automod_rule_update", timeout=PATIENCE)
    rule = server.automod.edit(rule, enabled=False)
    assert not (await updated).enabled
    deleted = bot.wait_for("automod_rule_delete", timeout=PATIENCE)
    server.automod.delete(rule)
    assert (await deleted).id == int(rule.id)


async def test_bot_without_intent_gets_no_events_of_rules(server: DiscordServer, bot: FixtureBot) -> None:
    server.give_role(server.world.bot, server.create_role("Managers", permissions=Permission.MANAGE_GUILD))
    server.automod.add(server.world.guild("Community"), "Words", keywords=["rude"])
    assert bot.is_ready()
    (session,) = server.gateway.sessions.values()
    assert [text for _, text in session.events if "AUTO_MODERATION" in text] == []


def test_rule_beyond_limits_is_refused(server: DiscordServer) -> None:
    community = server.world.guild("Community")
    for wrong in ({"keywords": ["x" * 61]}, {"patterns": ["x"] * 11}, {"keywords": [""]}):
        with pytest.raises(ClientRefusal):
            server.automod.add(community, "Words", **wrong)
    for number in range(6):
        server.automod.add(community, f"Words {number}", keywords=["rude"])
    with pytest.raises(ClientRefusal):
        server.automod.add(community, "Words", keywords=["rude"])
