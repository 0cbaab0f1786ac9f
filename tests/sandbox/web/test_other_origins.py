"""Places without the bot, forwarded messages and other apps' posts, on the page."""

import pytest

from sandbox.discord import DiscordServer, Upload, add_elsewhere
from tests.sandbox.discord.fixture_bot import FixtureBot, picture
from tests.sandbox.web.conftest import OpenTab
from tests.sandbox.web.ws_client import RefusedError


@pytest.fixture
def discord_server(discord_server: DiscordServer) -> DiscordServer:
    """Give a stand-in with places in which the bot is not."""
    add_elsewhere(discord_server.world)
    return discord_server


async def test_the_application_can_be_put_on_an_account(bot: FixtureBot, open_tab: OpenTab) -> None:
    """With it, and only with it, commands are offered in a server without the bot and among people."""
    del bot
    tab = await open_tab("stranger", "lobby")
    guild = next(each for each in tab.world["guilds"] if each["name"] == "Elsewhere")
    (private,) = tab.world["private"]
    before = (await tab.open("lobby"))["commands"]

    await tab.ask("install", on=True)
    tab.world = await tab.ask("be", who="stranger")

    assert (guild["has_app"], private["name"], before) == (False, "Traveller", [])
    assert tab.world["me"]["has_app"]
    assert "hello" in {each["name"] for each in (await tab.open("lobby"))["commands"]}
    assert "hello" in {each["name"] for each in (await tab.ask("open", channel=private["id"]))["commands"]}
    assert (await tab.slash("hello"))["how"] == "message"
    await tab.ask("install", on=False)
    assert (await tab.open("lobby"))["commands"] == []


async def test_a_language_can_be_chosen(bot: FixtureBot, open_tab: OpenTab, discord_server: DiscordServer) -> None:
    """The bot is told the person's; one that is not offered is refused."""
    tab = await open_tab()
    coming = bot.next_quiet()
    await tab.ask("language", language="de")
    await tab.ask("slash", channel=tab.channel, command="quiet", options={})

    assert str((await coming).locale) == "de"
    assert discord_server.world.user("member").locale == "de"
    with pytest.raises(RefusedError):
        await tab.ask("language", language="xx")


async def test_commands_are_described_in_the_persons_language(
    bot: FixtureBot, open_tab: OpenTab, discord_server: DiscordServer
) -> None:
    """Descriptions, choices and the names of menus; a command and its options are typed by their own names."""
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
    tab = await open_tab()
    await tab.ask("language", language="de")
    offered = await tab.open("general")

    plan = next(each for each in offered["commands"] if each["name"] == "plan")
    assert (plan["description"], plan["options"][0]["description"]) == ("Planen", "Wie lange")
    assert plan["options"][0]["choices"] == [{"name": "Ein Tag", "value": "day"}]
    assert {"name": "Edit", "label": "Bearbeiten", "kind": "message"} in offered["menus"]


async def test_a_message_is_forwarded(bot: FixtureBot, open_tab: OpenTab, discord_server: DiscordServer) -> None:
    """What it shows stands in the new message, without anything to press."""
    del bot
    tab = await open_tab()
    used = await discord_server.actor("member").slash("imagine", prompt="a fox")
    card = await used.wait_until(lambda message: bool(message.attachments))
    target = discord_server.world.channel("showcase")

    await tab.ask("forward", message=card.id, channel=target.id)

    (view,) = (await tab.open("showcase"))["messages"]
    text, gallery = view["forwarded"]["components"]
    assert (view["text"], view["components"], view["reply"]) == ([], [], None)
    assert (text["type"], gallery["items"][0]["media"]["name"]) == (10, "a.png")
    with pytest.raises(RefusedError, match="does not see"):
        await tab.ask("forward", message=card.id, channel=discord_server.world.channel("moderators").id)


@pytest.mark.parametrize("way", ["embed", "gallery"])
async def test_another_app_posts(bot: FixtureBot, open_tab: OpenTab, way: str) -> None:
    """So that message menus can be tried on what it shows; the page shows the picture from its own address."""
    del bot
    tab = await open_tab()
    await tab.ask("example", way=way, channel=tab.channel)

    (view,) = (await tab.open("general"))["messages"]

    shown = (
        view["embeds"][0]["image"] if way == "embed" else view["components"][0]["components"][1]["items"][0]["media"]
    )
    assert shown["src"].startswith("/sandbox/page/media/")
    assert view["author"]["bot"]
    with pytest.raises(RefusedError):
        await tab.ask("example", way="song", channel=tab.channel)


async def test_addresses_run_out_and_the_page_goes_on(
    bot: FixtureBot, open_tab: OpenTab, discord_server: DiscordServer
) -> None:
    """Signed addresses are for the bot; what the page shows does not depend on them."""
    del bot
    message = await discord_server.actor("member").say("x", Upload("a.png", picture()))
    tab = await open_tab()
    await tab.ask("addresses")

    (view,) = (await tab.open("general"))["messages"]

    (attachment,) = message.attachments.values()
    assert view["files"][0]["src"].endswith(f"/{attachment.id}/a.png")
