"""Places without the bot, forwarded messages and other apps' posts."""

import pytest

from sandbox.discord import DiscordServer, Upload, add_elsewhere
from tests.sandbox.discord.fixture_bot import FixtureBot, picture
from tests.sandbox.web.conftest import OpenClient
from tests.sandbox.web.ws_client import RefusedError


@pytest.fixture
def discord_server(discord_server: DiscordServer) -> DiscordServer:
    """Return a fake Discord with places without the bot."""
    add_elsewhere(discord_server.world)
    return discord_server


async def test_account_app_offers_commands_without_bot_in_server(bot: FixtureBot, open_client: OpenClient) -> None:
    del bot
    client = await open_client("stranger", "lobby")
    guild = next(each for each in client.world["guilds"] if each["name"] == "Elsewhere")
    (private,) = client.world["private"]
    before = (await client.open("lobby"))["commands"]

    await client.ask("install", on=True)
    client.world = await client.ask("be", who="stranger")

    assert (guild["has_app"], private["name"], before) == (False, "Traveller", [])
    assert client.world["me"]["has_app"]
    assert "hello" in {each["name"] for each in (await client.open("lobby"))["commands"]}
    assert "hello" in {each["name"] for each in (await client.ask("open", channel=private["id"]))["commands"]}
    assert (await client.slash("hello"))["how"] == "message"
    await client.ask("install", on=False)
    assert (await client.open("lobby"))["commands"] == []


async def test_language_is_sent_to_bot_and_unknown_one_refused(
    bot: FixtureBot, open_client: OpenClient, discord_server: DiscordServer
) -> None:
    client = await open_client()
    coming = bot.next_quiet()
    await client.ask("language", language="de")
    await client.ask("slash", channel=client.channel, command="quiet", options={})

    assert str((await coming).locale) == "de"
    assert discord_server.world.user("member").locale == "de"
    with pytest.raises(RefusedError):
        await client.ask("language", language="xx")


async def test_command_descriptions_are_translated_but_names_are_not(
    bot: FixtureBot, open_client: OpenClient, discord_server: DiscordServer
) -> None:
    del bot
    choice = {"name": "A day", "name_localizations": {"de": "Ein Tag"}, "value": "day"}
    option = {"name": "period", "type": 3, "description": "How long", "description_localizations": {"de": "Wie lange"}}
    discord_server.commands.add(
        {
            "name": "plan",
            "description": "Plan",
            "description_localizations": {"de": "Planen"},
            "options": [{**option, "choices": [choice]}],
        }
    )
    discord_server.commands.add({"name": "Edit", "name_localizations": {"de": "Bearbeiten"}, "type": 3})
    client = await open_client()
    await client.ask("language", language="de")
    offered = await client.open("general")

    plan = next(each for each in offered["commands"] if each["name"] == "plan")
    assert (plan["description"], plan["options"][0]["description"]) == ("Planen", "Wie lange")
    assert plan["options"][0]["choices"] == [{"name": "Ein Tag", "value": "day"}]
    assert {"name": "Edit", "label": "Bearbeiten", "kind": "message"} in offered["menus"]


async def test_forwarded_message_has_content_without_buttons(
    bot: FixtureBot, open_client: OpenClient, discord_server: DiscordServer
) -> None:
    del bot
    client = await open_client()
    used = await discord_server.actor("member").slash("imagine", prompt="a fox")
    card = await used.wait_until(lambda message: bool(message.attachments))
    target = discord_server.world.channel("showcase")

    await client.ask("forward", message=card.id, channel=target.id)

    (view,) = (await client.open("showcase"))["messages"]
    text, gallery = view["forwarded"]["components"]
    assert (view["text"], view["components"], view["reply"]) == ([], [], None)
    assert (text["type"], gallery["items"][0]["media"]["name"]) == (10, "a.png")
    with pytest.raises(RefusedError, match="does not see"):
        await client.ask("forward", message=card.id, channel=discord_server.world.channel("moderators").id)


@pytest.mark.parametrize("way", ["embed", "gallery"])
async def test_example_post_image_has_local_address(bot: FixtureBot, open_client: OpenClient, way: str) -> None:
    del bot
    client = await open_client()
    await client.ask("example", way=way, channel=client.channel)

    (view,) = (await client.open("general"))["messages"]

    shown = (
        view["embeds"][0]["image"] if way == "embed" else view["components"][0]["components"][1]["items"][0]["media"]
    )
    assert shown["src"].startswith("/sandbox/page/media/")
    assert view["author"]["bot"]
    with pytest.raises(RefusedError):
        await client.ask("example", way="song", channel=client.channel)


async def test_expired_addresses_do_not_affect_page(
    bot: FixtureBot, open_client: OpenClient, discord_server: DiscordServer
) -> None:
    del bot
    message = await discord_server.actor("member").say("x", Upload("a.png", picture()))
    client = await open_client()
    await client.ask("addresses")

    (view,) = (await client.open("general"))["messages"]

    (attachment,) = message.attachments.values()
    assert view["files"][0]["src"].endswith(f"/{attachment.id}/a.png")
