"""Commands, data and permissions with a user installation only."""

from typing import Any

import discord
import pytest

from sandbox.discord import ClientRefusal, DiscordServer, add_elsewhere, text
from tests.sandbox.discord.conftest import Connect
from tests.sandbox.discord.fixture_bot import PATIENCE, FixtureBot


@pytest.fixture
async def elsewhere(server: DiscordServer, connect: Connect) -> FixtureBot:
    """Return the connected bot, in a world with places outside its guilds."""
    add_elsewhere(server.world)
    return await connect(server, FixtureBot())


async def asked(server: DiscordServer, bot: FixtureBot, who: str, channel: Any) -> discord.Interaction:
    """Use a command; the test answers."""
    coming = bot.next_quiet()
    await server.actor(who).slash("quiet", channel=channel)
    return await coming


def commands_of(server: DiscordServer, who: str, channel: Any) -> set[str]:
    """Return the names of a person's offered commands, each once."""
    names = [command["name"] for command in server.actor(who).offered(channel)]
    assert len(names) == len(set(names))
    return set(names)


async def test_commands_are_offered_by_installation_and_context(server: DiscordServer, elsewhere: FixtureBot) -> None:
    del elsewhere
    for name, types, contexts in (("server", [0], None), ("account", [1], [0, 2]), ("both", [0, 1], [0, 1, 2])):
        server.commands.add({"name": name, "description": "x", "integration_types": types, "contexts": contexts})
    tried = {"server", "account", "both"}
    direct = server.direct_message("traveller")

    assert tried & commands_of(server, "member", "general") == {"server", "both"}
    assert tried & commands_of(server, "member", "lobby") == set()
    assert tried & commands_of(server, "traveller", "lobby") == {"account", "both"}
    assert tried & commands_of(server, "traveller", "friends") == {"account", "both"}
    assert tried & commands_of(server, "stranger", "friends") == set()
    assert tried & commands_of(server, "traveller", direct) == {"both"}
    with pytest.raises(ClientRefusal, match="not offered"):
        await server.actor("traveller").slash("server", channel="lobby")


async def test_command_without_integration_types_follows_application(
    server: DiscordServer, elsewhere: FixtureBot
) -> None:
    del elsewhere
    both = server.commands.add({"name": "first", "description": "x"})
    server.world.application.installable = (0,)
    one = server.commands.add({"name": "second", "description": "x"})

    assert (both["integration_types"], one["integration_types"]) == ([0, 1], [0])


@pytest.mark.parametrize(
    ("who", "channel", "context", "owners"),
    [
        ("member", "general", 0, {"0": "Community"}),
        ("traveller", "lobby", 0, {"1": "traveller"}),
        ("traveller", "friends", 2, {"1": "traveller"}),
        ("member", None, 1, {"0": "0"}),
        ("traveller", None, 1, {"1": "traveller"}),
    ],
)
async def test_interaction_has_context_owners_and_locale(
    server: DiscordServer, elsewhere: FixtureBot, who: str, channel: str | None, context: int, owners: dict[str, str]
) -> None:
    """Outside servers it has no guild."""
    world = server.world
    named = {"Community": world.guild("Community").id, "traveller": world.user("traveller").id, "0": "0"}
    place = world.channel(channel) if channel else server.direct_message(who)
    interaction = await asked(server, elsewhere, who, place)

    assert interaction.context.to_array() == [context]
    assert {key: named[value] for key, value in owners.items()} == {
        str(key): str(value)
        for key, value in (
            ("0", interaction._integration_owners.get(0)),
            ("1", interaction._integration_owners.get(1)),
        )
        if value is not None
    }
    assert str(interaction.locale) == ("de" if who == "traveller" else "en-US")
    assert (interaction.guild_locale is None) == (place.guild_id is None)
    assert interaction.filesize_limit == 10 * 1024 * 1024
    if channel == "lobby":
        assert str(interaction.guild_locale) == "fr"
        assert interaction.app_permissions.attach_files
        assert not interaction.app_permissions.send_messages


async def test_interaction_names_both_installations(server: DiscordServer, elsewhere: FixtureBot) -> None:
    server.world.user("member").has_app = True

    interaction = await asked(server, elsewhere, "member", "general")

    assert (interaction.is_guild_integration(), interaction.is_user_integration()) == (True, True)


async def test_response_without_external_apps_permission_is_ephemeral(
    server: DiscordServer, elsewhere: FixtureBot
) -> None:
    for channel, hidden in (("lobby", False), ("strict", True)):
        interaction = await asked(server, elsewhere, "traveller", channel)
        await interaction.response.send_message("here")
        (answer,) = server.actor("traveller").sees(channel)
        assert answer.ephemeral is hidden
        assert [text(each) for each in server.actor("stranger").sees(channel)] == ([] if hidden else ["here"])


async def test_bot_token_cannot_read_or_write_outside_its_guilds(server: DiscordServer, elsewhere: FixtureBot) -> None:
    """The interaction's token can edit, and post five times."""
    for channel in ("lobby", "friends"):
        interaction = await asked(server, elsewhere, "traveller", channel)
        await interaction.response.send_message("here")
        place = elsewhere.get_partial_messageable(int(server.world.channel(channel).id))
        for attempt in (place.send("late"), place.fetch_message(int(server.actor("traveller").sees(channel)[0].id))):
            with pytest.raises(discord.Forbidden) as caught:
                await attempt
            assert caught.value.code == 50001
        for number in range(5):
            await interaction.followup.send(str(number))
        with pytest.raises(discord.HTTPException) as too_many:
            await interaction.followup.send("6")
        assert too_many.value.code == 40094
        for _ in range(6):
            await interaction.edit_original_response(content="edited")


async def test_messages_outside_its_guilds_are_no_events(server: DiscordServer, elsewhere: FixtureBot) -> None:
    await server.actor("traveller").say("among us", channel="friends")
    await server.actor("traveller").say("in the lobby", channel="lobby")
    session = server.gateway.connected[0]

    assert not any("among us" in event or "in the lobby" in event for _, event in session.events)
    del elsewhere


async def test_press_needs_no_installation(server: DiscordServer, elsewhere: FixtureBot) -> None:
    """It counts under the installation behind the message."""
    interaction = await asked(server, elsewhere, "traveller", "friends")
    view = discord.ui.View(timeout=None)
    view.add_item(discord.ui.Button(label="Go", custom_id="go"))
    await interaction.response.send_message("here", view=view)
    coming = elsewhere.wait_for("interaction", timeout=PATIENCE)

    await server.actor("stranger").click(server.actor("stranger").sees("friends")[0], label="Go")

    pressed = await coming
    assert pressed._integration_owners == {1: int(server.world.user("traveller").id)}
    assert pressed.message is not None


async def test_direct_message_to_user_install_needs_no_common_guild(
    server: DiscordServer, elsewhere: FixtureBot
) -> None:
    """Other accounts cannot be reached."""
    for who, reached in (("traveller", True), ("stranger", False)):
        channel = await elsewhere.create_dm(discord.Object(int(server.world.user(who).id)))
        if reached:
            await channel.send("hello")
            continue
        with pytest.raises(discord.Forbidden) as refused:
            await channel.send("hello")
        assert refused.value.code == 50278
