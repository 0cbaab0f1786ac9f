"""The page's protocol: messages, commands, forms, menus, and refusals."""

import json

import pytest

from sandbox.discord import DiscordServer, Upload
from sandbox.discord.encoding import Json
from tests.sandbox.discord.fixture_bot import FixtureBot, picture
from tests.sandbox.web.conftest import OpenClient
from tests.sandbox.web.ws_client import RefusedError, plain_text


async def test_user_sees_only_permitted_channels(open_client: OpenClient) -> None:
    member, moderator = await open_client("member"), await open_client("moderator")

    def names(world: Json) -> list[str]:
        return [each["name"] for guild in world["guilds"] for each in guild["channels"]]

    assert "moderators" not in names(member.world)
    assert "moderators" in names(moderator.world)
    assert member.world["direct"]["name"] == "Atelier"
    restricted = next(each for each in member.world["guilds"][0]["channels"] if each["name"] == "restricted")
    assert restricted["nsfw"]


async def test_hidden_channel_sends_no_messages_and_cannot_be_opened(
    open_client: OpenClient, discord_server: DiscordServer
) -> None:
    client = await open_client("member")
    hidden = discord_server.world.channel("moderators")
    with pytest.raises(RefusedError):
        await client.ask("open", channel=hidden.id)
    await discord_server.actor("moderator").say("secret", channel="moderators")
    await discord_server.actor("moderator").say("public")
    await client.message(lambda message: message["raw"] == "public")
    assert "secret" not in json.dumps(client.events)


async def test_new_message_reaches_other_tab_as_tree(open_client: OpenClient) -> None:
    writer, reader = await open_client("member"), await open_client("member-two")
    await writer.ask("say", channel=writer.channel, text="**hi** <script>", uploads=[])
    heard = await reader.message()
    assert heard["author"]["account"] == "member"
    assert heard["text"] == [{"t": "p", "c": [{"t": "strong", "c": ["hi"]}, " <script>"]}]


async def test_command_card_updates_are_sent_with_local_image_addresses(
    bot: FixtureBot, open_client: OpenClient
) -> None:
    del bot
    client = await open_client()
    assert (await client.slash("imagine", prompt="a fox"))["how"] == "message"
    thinking = await client.message()
    card = await client.message(lambda message: bool(message["components"]))
    assert thinking["loading"]
    assert thinking["id"] == card["id"]
    assert card["used"]["command"] == "/imagine"
    text, gallery, _ = card["components"]
    assert plain_text(text["tree"]) == "a fox None 1"
    assert gallery["items"][0]["media"]["src"].startswith("/sandbox/page/media/")


async def test_ephemeral_is_sent_and_listed_for_one_user(bot: FixtureBot, open_client: OpenClient) -> None:
    del bot
    mine, other = await open_client("member"), await open_client("member-two")
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


async def test_dismissed_ephemeral_is_gone_and_public_message_is_refused(
    bot: FixtureBot, open_client: OpenClient
) -> None:
    del bot
    client = await open_client()
    await client.slash("hello", private=True)
    hidden = await client.message()
    await client.ask("dismiss", message=hidden["id"])
    await client.wait_for_event(lambda event: event["event"] == "gone" and event["message"] == hidden["id"])
    assert (await client.open("general"))["messages"] == []
    await client.slash("hello")
    public = await client.message(lambda message: message["only"] is None)
    with pytest.raises(RefusedError):
        await client.ask("dismiss", message=public["id"])


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
async def test_invalid_option_is_refused_with_its_field(
    bot: FixtureBot, open_client: OpenClient, options: dict[str, object], field: str
) -> None:
    client = await open_client()
    with pytest.raises(RefusedError) as refused:
        await client.slash("imagine", **options)
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
async def test_malformed_request_is_refused_and_socket_continues(open_client: OpenClient, text: str) -> None:
    client = await open_client()
    await client.send_text(text)
    assert await client.ask("open", channel=client.channel)


@pytest.mark.parametrize("what", ["fly", "press", "choose", "fill", "menu", "dismiss", "slash", "open", "break"])
async def test_request_without_fields_is_refused(open_client: OpenClient, what: str) -> None:
    client = await open_client()
    with pytest.raises(RefusedError):
        await client.ask(what)


async def test_commands_depend_on_channel_and_list_subcommands(bot: FixtureBot, open_client: OpenClient) -> None:
    del bot
    client = await open_client()
    here, direct = await client.open("general"), await client.open("direct")
    names = [each["name"] for each in here["commands"]]
    assert "credits balance" in names
    assert "credits balance" not in [each["name"] for each in direct["commands"]]
    imagine = next(each for each in here["commands"] if each["name"] == "imagine")
    assert imagine["options"][0]["name"] == "prompt"
    assert imagine["options"][0]["required"]
    assert here["menus"] == [{"name": "Report", "label": "Report", "kind": "message"}]


async def test_autocompletion_asks_bot_with_current_options(bot: FixtureBot, open_client: OpenClient) -> None:
    del bot
    client = await open_client()
    answer = await client.ask(
        "complete",
        channel=client.channel,
        command="imagine",
        option="model",
        typed="nano",
        options={"prompt": "a fox", "model": "nano"},
    )
    assert [each["value"] for each in answer["choices"]] == ["nano-banana", "nano-banana-pro"]


async def test_uploaded_file_reaches_option_and_unknown_id_is_refused(bot: FixtureBot, open_client: OpenClient) -> None:
    del bot
    client = await open_client()
    upload = await client.upload(picture(), "photo.png")
    assert (await client.slash("edit", image={"upload": upload}))["how"] == "message"
    assert (await client.message())["raw"].startswith("photo.png 30x20")
    with pytest.raises(RefusedError):
        await client.slash("edit", image={"upload": "99"})


async def test_too_large_upload_is_refused(open_client: OpenClient) -> None:
    client = await open_client()
    with pytest.raises(RefusedError):
        await client.upload(b"x" * (10 * 1024 * 1024 + 1), "large.bin")


async def test_form_refuses_invalid_fields_and_sends_valid_ones(bot: FixtureBot, open_client: OpenClient) -> None:
    del bot
    client = await open_client()
    opened = await client.slash("form")
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
            await client.ask("fill", interaction=interaction, values=values)
        assert refused.value.field == field
    upload = await client.upload(picture(), "photo.png")
    filled = {"prompt": "a fox", "model": ["reve-2.0"], "image": {"uploads": [upload]}}
    started = await client.ask("fill", interaction=interaction, values=filled)
    assert (await client.settled(started))["how"] == "message"
    assert (await client.message())["raw"] == "a fox ['reve-2.0'] ['photo.png']"


async def test_form_of_other_user_is_refused(bot: FixtureBot, open_client: OpenClient) -> None:
    del bot
    mine, other = await open_client("member"), await open_client("member-two")
    opened = await mine.slash("form")
    with pytest.raises(RefusedError):
        await other.ask("fill", interaction=opened["interaction"], values={"prompt": "a"})


async def test_pressed_button_updates_message_and_unknown_one_is_refused(
    bot: FixtureBot, open_client: OpenClient
) -> None:
    del bot
    client = await open_client()
    await client.slash("imagine", prompt="a fox")
    card = await client.message(lambda message: bool(message["components"]))
    started = await client.ask("press", message=card["id"], custom_id="a1:again:77")
    assert (await client.settled(started))["how"] == "update"
    with pytest.raises(RefusedError):
        await client.ask("press", message=card["id"], custom_id="a1:again:78")


async def test_message_menu_response_names_menu(bot: FixtureBot, open_client: OpenClient) -> None:
    del bot
    client = await open_client()
    await client.ask("say", channel=client.channel, text="look", uploads=[])
    target = await client.message()
    started = await client.ask("menu", kind="message", name="Report", target=target["id"], channel=client.channel)
    await client.settled(started)
    answer = await client.message(lambda message: message["raw"] == "reported look")
    assert answer["used"]["command"] == "Report"


async def test_command_without_response_settles_as_none(
    bot: FixtureBot, discord_server: DiscordServer, open_client: OpenClient
) -> None:
    del bot
    client = await open_client()
    discord_server.world.acknowledge_within = 0.1
    assert (await client.slash("quiet"))["how"] == "none"


async def test_invalid_message_is_refused(open_client: OpenClient) -> None:
    client = await open_client()
    for text, uploads in ((" ", []), ("x" * 2001, []), ("", ["nothing"])):
        with pytest.raises(RefusedError):
            await client.ask("say", channel=client.channel, text=text, uploads=uploads)


async def test_long_channel_opens_with_latest_messages_and_pages_back(
    open_client: OpenClient, discord_server: DiscordServer
) -> None:
    for number in range(600):
        await discord_server.actor("member").say(str(number))
    client = await open_client()
    latest = await client.open("general")
    assert latest["earlier"]
    first = latest["messages"][0]["id"]
    earlier = await client.ask("earlier", channel=client.channel, before=first)
    assert not earlier["earlier"]
    shown = [each["raw"] for each in earlier["messages"] + latest["messages"]]
    assert shown == [str(number) for number in range(600)]


async def test_file_keeps_page_address_over_edits(open_client: OpenClient, discord_server: DiscordServer) -> None:
    await discord_server.actor("member").say("look", Upload("a.png", picture()))
    client = await open_client()
    first = (await client.open("general"))["messages"][0]["files"][0]["src"]
    again = (await client.open("general"))["messages"][0]["files"][0]["src"]
    assert first == again
