"""Changes of roles, members, channels and servers, seen by the bot."""

from collections.abc import Awaitable, Callable
from typing import Any

import discord
import pytest

from sandbox.discord import ClientRefusal, DiscordServer, Permission
from sandbox.discord.gateway import MEMBERS_INTENT
from tests.sandbox.discord.conftest import Connect
from tests.sandbox.discord.fixture_bot import PATIENCE, FixtureBot

MEMBERS = discord.Intents(guilds=True, members=True)


async def seen_roles(server: DiscordServer, bot: FixtureBot, name: str = "member") -> list[str]:
    """Return the roles of a person as an interaction of theirs shows them."""
    await (await server.actor(name).slash("hello")).response()
    user = bot.seen[-1].user
    assert isinstance(user, discord.Member)
    return [role.name for role in user.roles]


def events(server: DiscordServer, name: str) -> list[str]:
    """Return the sent events of a name."""
    (session,) = server.gateway.sessions.values()
    return [text for _, text in session.events if f'"t":"{name}"' in text]


async def test_created_role_is_known_to_bot_and_in_interaction(server: DiscordServer, bot: FixtureBot) -> None:
    created = bot.wait_for("guild_role_create", timeout=PATIENCE)
    server.create_role("Painters", permissions=Permission.MANAGE_MESSAGES)
    role = await created
    server.give_role("member", "Painters")

    assert role.permissions.manage_messages
    assert await seen_roles(server, bot) == ["@everyone", "Painters"]
    assert bot.seen[-1].permissions.manage_messages


async def test_taken_role_is_missing_in_next_interaction(server: DiscordServer, bot: FixtureBot) -> None:
    server.give_role("member", "Patrons")
    assert await seen_roles(server, bot) == ["@everyone", "Patrons"]
    server.take_role("member", "Patrons")
    assert await seen_roles(server, bot) == ["@everyone"]


async def test_deleted_role_is_gone_everywhere(server: DiscordServer, bot: FixtureBot) -> None:
    guild = bot.guilds[0]
    moderators = server.world.role(server.world.guild("Community"), "Moderators")
    deleted = bot.wait_for("guild_role_delete", timeout=PATIENCE)
    updated = bot.wait_for("guild_channel_update", timeout=PATIENCE)
    server.delete_role("Moderators")

    assert (await deleted).name == "Moderators"
    assert (await updated)[1].name == "moderators"
    assert guild.get_role(int(moderators.id)) is None
    assert await seen_roles(server, bot, "moderator") == ["@everyone"]
    with pytest.raises(ClientRefusal):
        await server.actor("moderator").say("hello", channel="moderators")


async def test_edited_role_has_new_permissions(server: DiscordServer, bot: FixtureBot) -> None:
    updated = bot.wait_for("guild_role_update", timeout=PATIENCE)
    server.edit_role("Patrons", name="Friends", permissions=Permission.MANAGE_GUILD)

    _, role = await updated
    assert (role.name, role.permissions.manage_guild) == ("Friends", True)


async def test_member_events_need_their_intent(server: DiscordServer, bot: FixtureBot) -> None:
    stranger = server.world.add_user("stranger")
    server.give_role("member", "Patrons")
    server.join_guild(stranger)
    server.leave_guild("member-two")
    await seen_roles(server, bot)

    for name in ("GUILD_MEMBER_UPDATE", "GUILD_MEMBER_ADD", "GUILD_MEMBER_REMOVE"):
        assert events(server, name) == []


async def test_member_events_reach_bot_with_their_intent(server: DiscordServer, connect: Connect) -> None:
    server.world.application.privileged_intents = MEMBERS_INTENT
    bot = await connect(server, FixtureBot(MEMBERS))
    updated = bot.wait_for("member_update", timeout=PATIENCE)
    server.give_role("member", "Patrons")
    _, after = await updated
    assert [role.name for role in after.roles] == ["@everyone", "Patrons"]

    joined = bot.wait_for("member_join", timeout=PATIENCE)
    server.join_guild(server.world.add_user("stranger"))
    assert (await joined).name == "stranger"

    gone = bot.wait_for("raw_member_remove", timeout=PATIENCE)
    server.leave_guild("stranger")
    assert (await gone).user.name == "stranger"


async def test_bot_sees_changes_of_its_own_roles_without_intent(server: DiscordServer, bot: FixtureBot) -> None:
    role = server.create_role("Helpers", permissions=Permission.MANAGE_MESSAGES)
    updated = bot.wait_for("member_update", timeout=PATIENCE)
    server.give_role(server.world.bot, role)
    await updated

    assert bot.guilds[0].me.guild_permissions.manage_messages


async def test_overwrite_changes_permissions_of_bot(server: DiscordServer, bot: FixtureBot) -> None:
    channel = server.world.channel("general")
    updated = bot.wait_for("guild_channel_update", timeout=PATIENCE)
    server.set_overwrite("general", server.world.bot, deny=Permission.ATTACH_FILES)
    await updated
    seen = bot.get_channel(int(channel.id))
    assert isinstance(seen, discord.TextChannel)
    assert not seen.permissions_for(seen.guild.me).attach_files

    updated = bot.wait_for("guild_channel_update", timeout=PATIENCE)
    server.set_overwrite("general", server.world.bot)
    await updated
    assert seen.permissions_for(seen.guild.me).attach_files
    assert channel.overwrites == []


async def test_language_of_server_reaches_bot(server: DiscordServer, bot: FixtureBot) -> None:
    updated = bot.wait_for("guild_update", timeout=PATIENCE)
    server.edit_guild(locale="de", name="Werkstatt")
    _, guild = await updated
    assert (guild.name, guild.preferred_locale) == ("Werkstatt", discord.Locale.german)
    assert [channel.name for channel in guild.channels] == [
        channel.name for channel in server.world.guild_channels(server.world.guild("Werkstatt"))
    ]


async def test_created_channel_is_known_to_bot(server: DiscordServer, bot: FixtureBot) -> None:
    created = bot.wait_for("guild_channel_create", timeout=PATIENCE)
    server.create_channel("studio", topic="Pictures")
    channel = await created
    assert isinstance(channel, discord.TextChannel)
    assert channel.topic == "Pictures"


async def test_invitation_with_permissions_makes_role_of_bot(server: DiscordServer, bot: FixtureBot) -> None:
    guild = server.world.add_guild("New place", owner=server.world.add_user("founder"), with_bot=False)
    joined = bot.wait_for("guild_join", timeout=PATIENCE)
    server.join(guild, permissions=Permission.MANAGE_MESSAGES)
    seen = await joined
    own = seen.self_role
    assert own is not None
    assert (own.name, own.managed, seen.me.guild_permissions.manage_messages) == ("Atelier", True, True)

    removed = bot.wait_for("guild_remove", timeout=PATIENCE)
    server.leave(guild)
    await removed
    assert list(guild.roles) == [guild.id]


Change = Callable[[DiscordServer], Any]


@pytest.mark.parametrize(
    "change",
    [
        lambda server: server.give_role("member", "Atelier"),
        lambda server: server.take_role(server.world.bot, "Atelier"),
        lambda server: server.delete_role("Atelier"),
        lambda server: server.give_role("member", "@everyone"),
        lambda server: server.delete_role("@everyone"),
        lambda server: server.create_role(" "),
        lambda server: server.edit_role("Patrons", name="x" * 101),
        lambda server: server.leave_guild("owner"),
    ],
    ids=["give-own", "take-own", "delete-own", "give-everyone", "delete-everyone", "no-name", "long-name", "owner"],
)
async def test_change_that_client_does_not_offer_is_refused(server: DiscordServer, change: Change) -> None:
    with pytest.raises(ClientRefusal):
        change(server)


async def test_role_member_counts_leave_everyone_out(server: DiscordServer, bot: FixtureBot) -> None:
    server.give_role("member", "Patrons")
    server.give_role("member-two", "Patrons")
    guild = server.world.guild("Community")
    route = discord.http.Route("GET", "/guilds/{guild_id}/roles/member-counts", guild_id=guild.id)

    counts = await bot.http.request(route)

    assert {guild.roles[role_id].name: count for role_id, count in counts.items()} == {
        "Moderators": 1,
        "Atelier": 1,
        "Patrons": 2,
    }


async def test_own_guilds_are_listed_with_counts_and_permissions(server: DiscordServer, bot: FixtureBot) -> None:
    other = server.world.add_guild("Second", owner=server.world.user("member"))
    server.world.add_guild("Without the bot", owner=server.world.user("member"), with_bot=False)

    found = [guild async for guild in bot.fetch_guilds()]
    first = [guild async for guild in bot.fetch_guilds(limit=1)]
    later = [guild async for guild in bot.fetch_guilds(after=discord.Object(first[0].id))]

    assert [guild.name for guild in found] == ["Community", "Second"]
    assert [guild.approximate_member_count for guild in found] == [5, 2]
    assert [str(guild.id) for guild in later] == [other.id]


async def test_bot_leaves_guild_by_itself(server: DiscordServer, bot: FixtureBot) -> None:
    removed = bot.wait_for("guild_remove", timeout=PATIENCE)
    await bot.guilds[0].leave()
    await removed
    assert server.world.bot.id not in server.world.guild("Community").members
    assert list(bot.guilds) == []


Read = Callable[[FixtureBot, DiscordServer], Awaitable[Any]]


async def _member_list(bot: FixtureBot, server: DiscordServer) -> object:
    return await bot.http.get_members(server.world.guild("Community").id, 1, None)


@pytest.mark.parametrize(
    ("read", "code"),
    [
        (lambda bot, _: bot.guilds[0].fetch_member(99), 10013),
        (lambda bot, server: bot.guilds[0].fetch_member(int(server.world.add_user("stranger").id)), 10007),
        (lambda bot, _: bot.guilds[0].fetch_role(99), 10011),
        (lambda bot, _: bot.fetch_guild(99), 10004),
        (_member_list, 50001),
        (lambda bot, _: bot.http.start_private_message("99"), 10013),
        (lambda bot, server: bot.http.start_private_message(server.world.bot.id), 50007),
        (lambda bot, _: bot.http.start_private_message("nobody"), 50035),
    ],
    ids=["user", "member", "role", "guild", "list", "dm-unknown", "dm-bot", "dm-malformed"],
)
async def test_failed_read_has_code_of_discord(server: DiscordServer, bot: FixtureBot, read: Read, code: int) -> None:
    with pytest.raises(discord.HTTPException) as failed:
        await read(bot, server)
    assert failed.value.code == code


async def test_member_list_is_served_with_its_intent(server: DiscordServer, connect: Connect) -> None:
    server.world.application.privileged_intents = MEMBERS_INTENT
    bot = await connect(server, FixtureBot(MEMBERS))
    names = [member.name async for member in bot.guilds[0].fetch_members()]
    assert sorted(names) == ["atelier", "member", "member-two", "moderator", "owner"]


async def test_member_who_left_is_unknown_and_out_of_reach(server: DiscordServer, bot: FixtureBot) -> None:
    """Messages and reactions stay; coming back makes them a member again."""
    leaver = server.world.user("member")
    message = await server.actor("member").say(f"<@{server.world.bot.id}> look")
    await server.actor("member").react(message, "⭐")
    person = await bot.fetch_user(int(leaver.id))
    await person.send("hello")
    server.leave_guild("member")
    with pytest.raises(discord.NotFound) as unknown:
        await bot.guilds[0].fetch_member(int(leaver.id))
    assert unknown.value.code == 10007
    with pytest.raises(discord.Forbidden) as refused:
        await person.send("hello again")
    assert refused.value.code == 50278
    channel = bot.get_partial_messageable(int(message.channel_id))
    fetched = await channel.fetch_message(int(message.id))
    assert (fetched.author.id, fetched.reactions[0].count) == (int(leaver.id), 1)
    with pytest.raises(ClientRefusal):
        await server.actor("member").react(message, "🐙")

    server.join_guild("member")
    assert (await bot.guilds[0].fetch_member(int(leaver.id))).id == int(leaver.id)
    await person.send("welcome back")
