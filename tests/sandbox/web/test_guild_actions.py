"""Roles, people, servers and the bot's rights, changed from the panel."""

import discord
import pytest

from sandbox.discord import DiscordServer, Permission
from sandbox.discord.encoding import Json
from tests.sandbox.discord.fixture_bot import PATIENCE, FixtureBot
from tests.sandbox.web.conftest import OpenClient
from tests.sandbox.web.ws_client import RefusedError, WsClient


def server_in(panel: Json, name: str) -> Json:
    """Return a server of the panel's state."""
    found: Json = next(each for each in panel["servers"] if each["name"] == name)
    return found


def ids(client: WsClient) -> dict[str, str]:
    """Return the ids of the community's guild, roles, people and channels."""
    community = server_in(client.world["panel"], "Community")
    named = {each["account"]: each["id"] for each in client.world["people"]}
    named |= {each["name"]: each["id"] for each in community["roles"] + community["channels"]}
    return {**named, "guild": community["id"], "moderators": named["moderators"]}


async def test_created_and_given_role_is_in_panel_of_all_tabs(open_client: OpenClient) -> None:
    client, other = await open_client("owner"), await open_client("member")
    known = ids(client)
    role = (await client.ask("role", action="create", guild=known["guild"], name="Painters"))["role"]
    await client.ask("role", action="give", guild=known["guild"], role=role, user=known["member"])
    await client.ask("role", action="right", guild=known["guild"], role=role, right="Manage Server", on=True)

    def shown(event: Json) -> bool:
        if event["event"] != "panel":
            return False
        roles = {each["name"]: each for each in server_in(event["panel"], "Community")["roles"]}
        painters = roles.get("Painters", {})
        return (painters.get("count"), painters.get("rights")) == (1, ["Manage Server"])

    await other.wait_for_event(shown)
    world = await other.wait_for_event(lambda event: event["event"] == "world")
    assert "Painters" in [each["name"] for each in world["world"]["guilds"][0]["roles"]]


async def test_role_with_rights_opens_admin_commands_and_channels(
    bot: FixtureBot, open_client: OpenClient, discord_server: DiscordServer
) -> None:
    del bot
    client = await open_client("member")
    known = ids(client)
    assert "moderators" not in [each["name"] for each in client.world["guilds"][0]["channels"]]
    moderators = discord_server.world.role(discord_server.world.guild("Community"), "Moderators").id
    await client.ask("role", action="give", guild=known["guild"], role=moderators, user=known["member"])
    opened = await client.wait_for_event(lambda event: event["event"] == "world")
    assert "moderators" in [each["name"] for each in opened["world"]["guilds"][0]["channels"]]

    client.events.clear()
    await client.ask("role", action="take", guild=known["guild"], role=moderators, user=known["member"])
    closed = await client.wait_for_event(lambda event: event["event"] == "world")
    assert "moderators" not in [each["name"] for each in closed["world"]["guilds"][0]["channels"]]


async def test_deleted_role_is_gone(open_client: OpenClient, discord_server: DiscordServer) -> None:
    client = await open_client("owner")
    known = ids(client)
    await client.ask("role", action="delete", guild=known["guild"], role=known["Patrons"])
    assert known["Patrons"] not in discord_server.world.guild("Community").roles


@pytest.mark.parametrize("right", ["Attach Files", "View Channel", "Manage Messages"])
async def test_right_of_bot_is_switched_off_and_on(
    bot: FixtureBot, open_client: OpenClient, discord_server: DiscordServer, right: str
) -> None:
    client = await open_client("owner")
    channel = ids(client)["general"]
    attribute = right.lower().replace(" ", "_")
    for on in (True, False, True):
        updated = bot.wait_for("guild_channel_update", timeout=PATIENCE)
        await client.ask("bot_right", channel=channel, right=right, on=on)
        await updated
        place = discord_server.world.channel("general")
        held = discord_server.world.may(discord_server.world.bot.id, place, Permission[attribute.upper()])
        assert held is on
    seen = bot.get_channel(int(channel))
    assert isinstance(seen, discord.TextChannel)
    assert getattr(seen.permissions_for(seen.guild.me), attribute)


async def test_right_of_everyone_is_switched_off_and_on_in_one_channel(
    open_client: OpenClient, discord_server: DiscordServer
) -> None:
    client = await open_client("owner")
    channel, member = ids(client)["showcase"], discord_server.world.user("member").id
    showcase, general = discord_server.world.channel("showcase"), discord_server.world.channel("general")
    for on in (False, True):
        await client.ask("bot_right", channel=channel, whose="everyone", right="Add Reactions", on=on)
        assert discord_server.world.may(member, showcase, Permission.ADD_REACTIONS) is on
        assert discord_server.world.may(member, general, Permission.ADD_REACTIONS)
    await client.ask("bot_right", channel=channel, whose="everyone", right="Pin Messages", on=True)
    assert discord_server.world.may(member, showcase, Permission.PIN_MESSAGES)


async def test_bot_is_invited_to_new_server_and_removed(bot: FixtureBot, open_client: OpenClient) -> None:
    client = await open_client("moderator")
    await client.ask("server", action="create", name="Painters' hall")
    event = await client.wait_for_event(
        lambda each: each["event"] == "panel" and any(s["name"] == "Painters' hall" for s in each["panel"]["servers"])
    )
    hall = server_in(event["panel"], "Painters' hall")
    assert (hall["has_app"], hall["channels"]) == (False, [])

    joined = bot.wait_for("guild_join", timeout=PATIENCE)
    await client.ask("server", action="invite", guild=hall["id"])
    guild = await joined
    assert guild.me.guild_permissions.attach_files
    assert guild.self_role is not None

    removed = bot.wait_for("guild_remove", timeout=PATIENCE)
    await client.ask("server", action="remove", guild=hall["id"])
    assert (await removed).id == guild.id


async def test_person_leaves_and_rejoins_without_roles(open_client: OpenClient, discord_server: DiscordServer) -> None:
    client = await open_client("owner")
    known, guild = ids(client), discord_server.world.guild("Community")
    await client.ask("membership", guild=known["guild"], user=known["moderator"], on=False)
    assert known["moderator"] not in guild.members
    await client.ask("membership", guild=known["guild"], user=known["moderator"], on=True)
    assert guild.members[known["moderator"]].role_ids == []


async def test_channel_is_created_and_deleted(bot: FixtureBot, open_client: OpenClient) -> None:
    client = await open_client("owner")
    guild = ids(client)["guild"]
    created = bot.wait_for("guild_channel_create", timeout=PATIENCE)
    channel = (await client.ask("channel", action="create", guild=guild, name="Review Room"))["channel"]
    assert (await created).name == "review-room"
    deleted = bot.wait_for("guild_channel_delete", timeout=PATIENCE)
    await client.ask("channel", action="delete", guild=guild, channel=channel)
    assert str((await deleted).id) == channel


async def test_language_of_server_is_changed(bot: FixtureBot, open_client: OpenClient) -> None:
    client = await open_client("owner")
    updated = bot.wait_for("guild_update", timeout=PATIENCE)
    await client.ask("server", action="language", guild=ids(client)["guild"], language="fr")
    assert (await updated)[1].preferred_locale is discord.Locale.french


async def test_direct_messages_are_refused_and_allowed(
    bot: FixtureBot, open_client: OpenClient, discord_server: DiscordServer
) -> None:
    client = await open_client("member")
    channel = discord_server.direct_message("member").id
    await client.ask("direct_messages", on=False)
    with pytest.raises(discord.Forbidden):
        await bot.http.request(discord.http.Route("POST", "/channels/{id}/messages", id=channel), json={"content": "x"})
    await client.ask("direct_messages", on=True)
    await bot.http.request(discord.http.Route("POST", "/channels/{id}/messages", id=channel), json={"content": "x"})


async def test_owner_of_application_can_be_another_person(bot: FixtureBot, open_client: OpenClient) -> None:
    client = await open_client("member")
    await client.ask("app_owner", user=client.world["me"]["id"])
    assert (await bot.application_info()).owner.name == "member"


@pytest.mark.parametrize(
    ("what", "body"),
    [
        ("role", {"action": "create", "name": ""}),
        ("role", {"action": "fly"}),
        ("role", {"action": "give", "role": "1", "user": "member"}),
        ("role", {"action": "right", "role": "Patrons", "right": "Fly", "on": True}),
        ("membership", {"user": "owner", "on": False}),
        ("membership", {"user": "nobody", "on": True}),
        ("server", {"action": "create", "name": "x"}),
        ("server", {"action": "sell"}),
        ("bot_right", {"channel": "1", "right": "View Channel", "on": True}),
        ("app_owner", {"user": "atelier"}),
        ("server", {"action": "language", "language": "xx"}),
        ("channel", {"action": "create", "name": " "}),
        ("channel", {"action": "delete", "channel": "1"}),
        ("channel", {"action": "move"}),
    ],
    ids=[
        "no-name",
        "no-action",
        "no-role",
        "no-right",
        "owner",
        "nobody",
        "short",
        "sell",
        "no-channel",
        "bot",
        "language",
        "blank",
        "gone",
        "move",
    ],
)
async def test_impossible_change_is_refused(open_client: OpenClient, what: str, body: Json) -> None:
    client = await open_client("owner")
    with pytest.raises(RefusedError):
        await client.ask(what, **{"guild": ids(client)["guild"], **body})
