"""Commands, data and permissions with a user installation only."""

from typing import Any

import discord
import pytest

from sandbox.discord import ClientRefusal, DiscordServer, add_elsewhere, text
from tests.sandbox.discord.conftest import Connect
from tests.sandbox.discord.fixture_bot import PATIENCE, FixtureBot


@pytest.fixture
async def elsewhere(server: DiscordServer, connect: Connect) -> FixtureBot:
    """Give the connected bot of a world in which there are places without it."""
    add_elsewhere(server.world)
    return await connect(server, FixtureBot())


async def asked(server: DiscordServer, bot: FixtureBot, who: str, channel: Any) -> discord.Interaction:
    """Use a command that the test answers."""
    coming = bot.next_quiet()
    await server.actor(who).slash("quiet", channel=channel)
    return await coming


def commands_of(server: DiscordServer, who: str, channel: Any) -> set[str]:
    """Return the names of a person's offered commands, each once."""
    names = [command["name"] for command in server.actor(who).offered(channel)]
    assert len(names) == len(set(names))
    return set(names)


async def test_commands_are_offered_by_installation_and_context(server: DiscordServer, elsewhere: FixtureBot) -> None:
    """Those for servers where the bot is, those for accounts wherever their owner is, each only in its contexts."""
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


async def test_a_command_is_for_what_the_application_is(server: DiscordServer, elsewhere: FixtureBot) -> None:
    """Without `integration_types` it follows the application's own settings."""
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
async def test_the_bot_is_told_where_and_by_whom(
    server: DiscordServer, elsewhere: FixtureBot, who: str, channel: str | None, context: int, owners: dict[str, str]
) -> None:
    """Context, owners, language and limits are those of the place; outside servers there is no guild."""
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


async def test_both_installations_are_named(server: DiscordServer, elsewhere: FixtureBot) -> None:
    """A person with the application, in a server that has it."""
    server.world.user("member").has_app = True

    interaction = await asked(server, elsewhere, "member", "general")

    assert (interaction.is_guild_integration(), interaction.is_user_integration()) == (True, True)


async def test_without_the_right_answers_are_private(server: DiscordServer, elsewhere: FixtureBot) -> None:
    """Where external apps may not speak, only the person sees the answer."""
    for channel, hidden in (("lobby", False), ("strict", True)):
        interaction = await asked(server, elsewhere, "traveller", channel)
        await interaction.response.send_message("here")
        (answer,) = server.actor("traveller").sees(channel)
        assert answer.ephemeral is hidden
        assert [text(each) for each in server.actor("stranger").sees(channel)] == ([] if hidden else ["here"])


async def test_the_bots_own_token_does_not_reach_it(server: DiscordServer, elsewhere: FixtureBot) -> None:
    """Neither reading nor writing, in a server and among people; the interaction's token edits, five times it posts."""
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


async def test_nothing_is_heard_where_the_bot_is_not(server: DiscordServer, elsewhere: FixtureBot) -> None:
    """Messages there are no events for the bot, not even its own answers."""
    await server.actor("traveller").say("among us", channel="friends")
    await server.actor("traveller").say("in the lobby", channel="lobby")
    session = server.gateway.connected[0]

    assert not any("among us" in event or "in the lobby" in event for _, event in session.events)
    del elsewhere


async def test_who_presses_needs_no_installation(server: DiscordServer, elsewhere: FixtureBot) -> None:
    """A button on an answer works for everybody who sees it, by the installation of who began."""
    interaction = await asked(server, elsewhere, "traveller", "friends")
    view = discord.ui.View(timeout=None)
    view.add_item(discord.ui.Button(label="Go", custom_id="go"))
    await interaction.response.send_message("here", view=view)
    coming = elsewhere.wait_for("interaction", timeout=PATIENCE)

    await server.actor("stranger").click(server.actor("stranger").sees("friends")[0], label="Go")

    pressed = await coming
    assert pressed._integration_owners == {1: int(server.world.user("traveller").id)}
    assert pressed.message is not None


async def test_who_has_the_application_can_be_written_to(server: DiscordServer, elsewhere: FixtureBot) -> None:
    """Directly, with no server in common; others cannot."""
    for who, reached in (("traveller", True), ("stranger", False)):
        channel = await elsewhere.create_dm(discord.Object(int(server.world.user(who).id)))
        if reached:
            await channel.send("hello")
            continue
        with pytest.raises(discord.Forbidden) as refused:
            await channel.send("hello")
        assert refused.value.code == 50278
