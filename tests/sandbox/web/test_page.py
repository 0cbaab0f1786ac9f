"""The page's protocol: seeing, writing, using commands, forms and menus, and refusing what Discord would refuse."""

import json

import pytest

from sandbox.discord import DiscordServer, Upload
from sandbox.discord.encoding import Json
from tests.sandbox.discord.fixture_bot import FixtureBot, picture
from tests.sandbox.web.conftest import OpenTab
from tests.sandbox.web.ws_client import RefusedError, written


async def test_a_person_sees_their_channels(open_tab: OpenTab) -> None:
    """Each sees what they may: the moderators' room is not a member's."""
    member, moderator = await open_tab("member"), await open_tab("moderator")

    def names(world: Json) -> list[str]:
        return [each["name"] for guild in world["guilds"] for each in guild["channels"]]

    assert "moderators" not in names(member.world)
    assert "moderators" in names(moderator.world)
    assert member.world["direct"]["name"] == "Atelier"
    restricted = next(each for each in member.world["guilds"][0]["channels"] if each["name"] == "restricted")
    assert restricted["nsfw"]


async def test_a_channel_that_is_hidden_stays_hidden(open_tab: OpenTab, discord_server: DiscordServer) -> None:
    """Neither opening nor hearing it is possible."""
    tab = await open_tab("member")
    hidden = discord_server.world.channel("moderators")
    with pytest.raises(RefusedError):
        await tab.ask("open", channel=hidden.id)
    await discord_server.actor("moderator").say("secret", channel="moderators")
    await discord_server.actor("moderator").say("public")
    await tab.message(lambda message: message["raw"] == "public")
    assert "secret" not in json.dumps(tab.events)


async def test_messages_are_live(open_tab: OpenTab) -> None:
    """What one writes the other reads, as a tree."""
    writer, reader = await open_tab("member"), await open_tab("member-two")
    await writer.ask("say", channel=writer.channel, text="**hi** <script>", uploads=[])
    heard = await reader.message()
    assert heard["author"]["account"] == "member"
    assert heard["text"] == [{"t": "p", "c": [{"t": "strong", "c": ["hi"]}, " <script>"]}]


async def test_a_command_is_answered_and_its_message_edited_in_place(bot: FixtureBot, open_tab: OpenTab) -> None:
    """The card is heard as it changes; its pictures have local addresses, and it names the command."""
    del bot
    tab = await open_tab()
    assert (await tab.slash("imagine", prompt="a fox"))["how"] == "message"
    thinking = await tab.message()
    card = await tab.message(lambda message: bool(message["components"]))
    assert thinking["loading"]
    assert thinking["id"] == card["id"]
    assert card["used"]["command"] == "/imagine"
    text, gallery, _ = card["components"]
    assert written(text["tree"]) == "a fox None 1"
    assert gallery["items"][0]["media"]["src"].startswith("/sandbox/page/media/")


async def test_two_people_see_different_ephemerals(bot: FixtureBot, open_tab: OpenTab) -> None:
    """An answer for one is heard and listed by that one only."""
    del bot
    mine, other = await open_tab("member"), await open_tab("member-two")
    await mine.slash("hello", private=True)
    hidden = await mine.message()
    await mine.slash("hello")
    await other.message()
    assert hidden["only"] == mine.world["me"]["id"]
    assert [each["message"]["only"] for each in other.events if each["event"] == "message"] == [None]
    listed = (await other.open("general"))["messages"]
    assert hidden["id"] not in [each["id"] for each in listed]
    listed = (await mine.open("general"))["messages"]
    assert hidden["id"] in [each["id"] for each in listed]


async def test_an_ephemeral_can_be_dismissed(bot: FixtureBot, open_tab: OpenTab) -> None:
    """It goes for good; what everybody sees cannot be dismissed."""
    del bot
    tab = await open_tab()
    await tab.slash("hello", private=True)
    hidden = await tab.message()
    await tab.ask("dismiss", message=hidden["id"])
    await tab.hear(lambda event: event["event"] == "gone" and event["message"] == hidden["id"])
    assert (await tab.open("general"))["messages"] == []
    await tab.slash("hello")
    public = await tab.message(lambda message: message["only"] is None)
    with pytest.raises(RefusedError):
        await tab.ask("dismiss", message=public["id"])


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({}, "prompt"),
        ({"prompt": "x" * 101}, "prompt"),
        ({"prompt": 5}, "prompt"),
        ({"prompt": "a fox", "images": 9}, "images"),
        ({"prompt": "a fox", "images": "2"}, "images"),
        ({"prompt": "a fox", "images": True}, "images"),
        ({"prompt": "a fox", "images": [1]}, "images"),
        ({"prompt": "a fox", "colour": "red"}, "colour"),
    ],
)
async def test_wrong_options_are_refused_beside_the_field(
    bot: FixtureBot, open_tab: OpenTab, options: dict[str, object], field: str
) -> None:
    """The bot never hears of them."""
    tab = await open_tab()
    with pytest.raises(RefusedError) as refused:
        await tab.slash("imagine", **options)
    assert refused.value.field == field
    assert bot.seen == []


@pytest.mark.parametrize(
    "text",
    [
        "no json",
        "[]",
        '{"n": 1, "do": "slash", "options": {"prompt": NaN}}',
        r'{"n": 1, "do": "say", "text": "\ud800"}',
        '{"n": 1}' * 2,
        "[" * 5000,
    ],
)
async def test_what_no_page_says_is_refused(open_tab: OpenTab, text: str) -> None:
    """The socket goes on after it."""
    tab = await open_tab()
    await tab.send_text(text)
    assert await tab.ask("open", channel=tab.channel)


@pytest.mark.parametrize("what", ["fly", "press", "choose", "fill", "menu", "dismiss", "slash", "open", "break"])
async def test_unfinished_requests_are_refused(open_tab: OpenTab, what: str) -> None:
    """Every action refuses a request without its fields."""
    tab = await open_tab()
    with pytest.raises(RefusedError):
        await tab.ask(what)


async def test_commands_are_offered_where_they_are_usable(bot: FixtureBot, open_tab: OpenTab) -> None:
    """Subcommands are spelled out; a command for servers is not offered in direct messages."""
    del bot
    tab = await open_tab()
    here, direct = await tab.open("general"), await tab.open("direct")
    names = [each["name"] for each in here["commands"]]
    assert "credits balance" in names
    assert "credits balance" not in [each["name"] for each in direct["commands"]]
    imagine = next(each for each in here["commands"] if each["name"] == "imagine")
    assert imagine["options"][0]["name"] == "prompt"
    assert imagine["options"][0]["required"]
    assert here["menus"] == [{"name": "Report", "label": "Report", "kind": "message"}]


async def test_an_option_is_completed_by_the_bot(bot: FixtureBot, open_tab: OpenTab) -> None:
    """The bot is asked live, with what is filled in so far."""
    del bot
    tab = await open_tab()
    answer = await tab.ask(
        "complete",
        channel=tab.channel,
        command="imagine",
        option="model",
        typed="nano",
        options={"prompt": "a fox", "model": "nano"},
    )
    assert [each["value"] for each in answer["choices"]] == ["nano-banana", "nano-banana-pro"]


async def test_a_file_goes_into_an_option(bot: FixtureBot, open_tab: OpenTab) -> None:
    """It is uploaded first and named by its id; an unknown id is refused."""
    del bot
    tab = await open_tab()
    upload = await tab.upload(picture(), "photo.png")
    assert (await tab.slash("edit", image={"upload": upload}))["how"] == "message"
    assert (await tab.message())["raw"].startswith("photo.png 30x20")
    with pytest.raises(RefusedError):
        await tab.slash("edit", image={"upload": "99"})


async def test_a_file_that_is_too_large_is_refused(open_tab: OpenTab) -> None:
    """As Discord's client refuses it, before it is sent."""
    tab = await open_tab()
    with pytest.raises(RefusedError):
        await tab.upload(b"x" * (10 * 1024 * 1024 + 1), "large.bin")


async def test_a_form_is_filled_in_and_sent(bot: FixtureBot, open_tab: OpenTab) -> None:
    """What the form does not take is refused beside its field, and the form stays open."""
    del bot
    tab = await open_tab()
    opened = await tab.slash("form")
    assert opened["how"] == "modal"
    assert opened["modal"]["title"] == "Edit"
    interaction = opened["interaction"]
    for values, field in (
        ({}, "prompt"),
        ({"prompt": "x" * 51}, "prompt"),
        ({"prompt": "a", "model": ["no such"]}, "model"),
        ({"prompt": "a", "model": ["reve-2.0", "nano-banana"]}, "model"),
        ({"prompt": "a", "image": ["1"]}, "image"),
        ({"prompt": 7}, "prompt"),
    ):
        with pytest.raises(RefusedError) as refused:
            await tab.ask("fill", interaction=interaction, values=values)
        assert refused.value.field == field
    upload = await tab.upload(picture(), "photo.png")
    filled = {"prompt": "a fox", "model": ["reve-2.0"], "image": {"uploads": [upload]}}
    begun = await tab.ask("fill", interaction=interaction, values=filled)
    assert (await tab.settled(begun))["how"] == "message"
    assert (await tab.message())["raw"] == "a fox ['reve-2.0'] ['photo.png']"


async def test_a_form_is_only_for_whom_it_was_opened(bot: FixtureBot, open_tab: OpenTab) -> None:
    """Somebody else's form cannot be sent."""
    del bot
    mine, other = await open_tab("member"), await open_tab("member-two")
    opened = await mine.slash("form")
    with pytest.raises(RefusedError):
        await other.ask("fill", interaction=opened["interaction"], values={"prompt": "a"})


async def test_a_button_is_pressed(bot: FixtureBot, open_tab: OpenTab) -> None:
    """The message changes in place; a button that is not there is refused."""
    del bot
    tab = await open_tab()
    await tab.slash("imagine", prompt="a fox")
    card = await tab.message(lambda message: bool(message["components"]))
    begun = await tab.ask("press", message=card["id"], custom_id="a1:again:77")
    assert (await tab.settled(begun))["how"] == "update"
    with pytest.raises(RefusedError):
        await tab.ask("press", message=card["id"], custom_id="a1:again:78")


async def test_a_menu_is_used_on_a_message(bot: FixtureBot, open_tab: OpenTab) -> None:
    """Its answer names the menu."""
    del bot
    tab = await open_tab()
    await tab.ask("say", channel=tab.channel, text="look", uploads=[])
    target = await tab.message()
    begun = await tab.ask("menu", kind="message", name="Report", target=target["id"], channel=tab.channel)
    await tab.settled(begun)
    answer = await tab.message(lambda message: message["raw"] == "reported look")
    assert answer["used"]["command"] == "Report"


async def test_no_answer_is_said(bot: FixtureBot, discord_server: DiscordServer, open_tab: OpenTab) -> None:
    """When the time for an answer is over the application did not respond."""
    del bot
    tab = await open_tab()
    discord_server.world.acknowledge_within = 0.1
    assert (await tab.slash("quiet"))["how"] == "none"


async def test_writing_is_refused_as_the_client_refuses_it(open_tab: OpenTab) -> None:
    """Empty, too long, too many files."""
    tab = await open_tab()
    for text, uploads in ((" ", []), ("x" * 2001, []), ("", ["nothing"])):
        with pytest.raises(RefusedError):
            await tab.ask("say", channel=tab.channel, text=text, uploads=uploads)


async def test_an_old_channel_opens_with_its_latest_messages(open_tab: OpenTab, discord_server: DiscordServer) -> None:
    """Earlier ones come on demand, in order, each once."""
    for number in range(600):
        await discord_server.actor("member").say(str(number))
    tab = await open_tab()
    latest = await tab.open("general")
    assert latest["earlier"]
    first = latest["messages"][0]["id"]
    earlier = await tab.ask("earlier", channel=tab.channel, before=first)
    assert not earlier["earlier"]
    shown = [each["raw"] for each in earlier["messages"] + latest["messages"]]
    assert shown == [str(number) for number in range(600)]


async def test_pictures_keep_their_address_over_edits(open_tab: OpenTab, discord_server: DiscordServer) -> None:
    """Discord signs anew each time; an address that changed would make the picture flicker."""
    await discord_server.actor("member").say("look", Upload("a.png", picture()))
    tab = await open_tab()
    first = (await tab.open("general"))["messages"][0]["files"][0]["src"]
    again = (await tab.open("general"))["messages"][0]["files"][0]["src"]
    assert first == again
