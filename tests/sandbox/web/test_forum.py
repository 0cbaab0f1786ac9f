"""Forums, reactions, pins and AutoMod in the page's protocol."""

import pytest

from sandbox.discord import Channel, DiscordServer, Permission, Upload, add_sharing
from sandbox.discord.encoding import Json
from sandbox.discord.entities import COMPONENTS_V2
from sandbox.discord.messages import MessageForm
from tests.sandbox.discord.fixture_bot import picture
from tests.sandbox.web.conftest import OpenClient
from tests.sandbox.web.ws_client import RefusedError, WsClient


@pytest.fixture
def forum(discord_server: DiscordServer) -> Channel:
    """Give the demo's forum."""
    add_sharing(discord_server.world)
    return discord_server.world.channel("showcase-forum")


async def posts(client: WsClient, forum: Channel) -> list[Json]:
    """Return a forum's posts as the page lists them."""
    listed: list[Json] = (await client.ask("open", channel=forum.id))["posts"]
    return listed


async def test_created_post_is_listed_with_tags_words_and_picture(open_client: OpenClient, forum: Channel) -> None:
    client = await open_client()
    upload = await client.upload(picture(), "SPOILER_a.png")
    tag = next(tag.id for tag in forum.tags if tag.name == "landscape")
    words = "**Look**, <@{}>\n||secret||".format(client.world["me"]["id"])
    body = {"channel": forum.id, "title": " Hills ", "text": words, "tags": [tag], "uploads": [upload]}
    made = (await client.ask("post", **body))["post"]

    (listed,) = await posts(client, forum)
    assert (listed["id"], listed["title"], listed["excerpt"]) == (made, "Hills", "Look, @Member (spoiler)")
    assert [each["name"] for each in listed["tags"]] == ["landscape"]
    assert listed["picture"]["spoiler"]
    world = await client.wait_for_event(
        lambda event: event["event"] == "world" and event["world"]["guilds"][0]["threads"]
    )
    (thread,) = world["world"]["guilds"][0]["threads"]
    assert (thread["parent"], thread["writable"], thread["tags"]) == (forum.id, True, ["landscape"])
    assert (await client.ask("open", channel=made))["messages"][0]["raw"] == words


async def test_post_of_bot_shows_first_picture_of_gallery(
    open_client: OpenClient, discord_server: DiscordServer, forum: Channel
) -> None:
    gallery = {"type": 12, "items": [{"media": {"url": "attachment://a.png"}, "spoiler": True}]}
    form = MessageForm(
        payload={"flags": COMPONENTS_V2, "components": [{"type": 17, "components": [gallery]}]},
        files={"0": Upload("a.png", picture())},
    )
    discord_server.threads.create_post(forum, discord_server.world.bot, {"name": "By the bot"}, form)
    (listed,) = await posts(await open_client(), forum)
    assert listed["author"]["bot"]
    assert listed["picture"]["spoiler"]
    assert listed["picture"]["src"].startswith("/sandbox/page/media/")


async def test_pinned_post_is_first_and_closed_one_last(
    open_client: OpenClient, discord_server: DiscordServer, forum: Channel
) -> None:
    owner = discord_server.actor("owner")
    old, closed, new = [await owner.create_post(name, name, forum=forum) for name in ("old", "closed", "new")]
    client = await open_client("owner")
    await client.ask("thread", channel=old.id, action="pin")
    await client.ask("thread", channel=closed.id, action="archive")
    await client.ask("thread", channel=new.id, action="lock")
    listed = await posts(client, forum)
    assert [each["title"] for each in listed] == ["old", "new", "closed"]
    assert (listed[0]["pinned"], listed[1]["locked"], listed[2]["archived"]) == (True, True, True)
    await client.ask("thread", channel=new.id, action="delete")
    assert [each["title"] for each in await posts(client, forum)] == ["old", "closed"]


@pytest.mark.parametrize(
    ("what", "body"),
    [
        ("post", {"title": "", "text": "x"}),
        ("post", {"title": "x", "text": ""}),
        ("post", {"title": "x", "text": "x", "tags": ["1"]}),
        ("say", {"text": "x"}),
        ("thread", {"action": "lock"}),
        ("thread", {"action": "delete"}),
    ],
    ids=["no-title", "no-text", "no-tag", "say", "no-thread", "no-thread-to-delete"],
)
async def test_impossible_post_is_refused(open_client: OpenClient, forum: Channel, what: str, body: Json) -> None:
    client = await open_client()
    with pytest.raises(RefusedError):
        await client.ask(what, channel=forum.id, **body)
    assert await posts(client, forum) == []


async def test_reaction_reaches_other_tab_and_is_taken_back(
    open_client: OpenClient, discord_server: DiscordServer
) -> None:
    mine, other = await open_client("member"), await open_client("member-two")
    message = await discord_server.actor("owner").say("look")
    await mine.ask("react", message=message.id, emoji="⭐", on=True)
    shown = await other.message(lambda each: bool(each["reactions"]))
    assert shown["reactions"] == [{"emoji": "⭐", "people": [mine.world["me"]["id"]]}]
    assert not shown["edited"]
    other.events.clear()
    await mine.ask("react", message=message.id, emoji="⭐", on=False)
    assert (await other.message())["reactions"] == []
    discord_server.set_overwrite("general", discord_server.world.user("member"), deny=Permission.ADD_REACTIONS)
    with pytest.raises(RefusedError):
        await mine.ask("react", message=message.id, emoji="⭐", on=True)


async def test_pin_is_shown_with_its_notice(open_client: OpenClient, discord_server: DiscordServer) -> None:
    client, member = await open_client("owner"), await open_client("member")
    message = await discord_server.actor("member").say("look")
    await client.ask("pin", message=message.id, on=True)
    notice = await client.message(lambda each: each["notice"] == "pin")
    assert notice["reply"]["id"] == message.id
    (shown, _) = (await client.open("general"))["messages"]
    assert shown["pinned"]
    with pytest.raises(RefusedError):
        await member.ask("pin", message=message.id, on=False)


async def test_forum_is_created_and_age_restricted_in_panel(
    open_client: OpenClient, discord_server: DiscordServer
) -> None:
    client = await open_client("owner")
    guild = discord_server.world.guild("Community").id
    made = (await client.ask("channel", action="create", guild=guild, name="Gallery", kind="forum"))["channel"]
    await client.ask("channel", action="nsfw", guild=guild, channel=made, on=True)
    channel = discord_server.world.channels[made]
    assert (channel.kind, channel.nsfw) == (15, True)


async def test_automod_rule_is_created_switched_and_deleted(
    open_client: OpenClient, discord_server: DiscordServer
) -> None:
    client = await open_client("owner")
    guild = discord_server.world.guild("Community")
    await client.ask("automod", action="create", guild=guild.id, name="Words", words="rude, *swear*\n")
    (rule,) = discord_server.automod.rules(guild)
    assert rule.keywords == ("rude", "*swear*")
    await client.ask("automod", action="switch", guild=guild.id, rule=rule.id, on=False)
    assert not discord_server.automod.rules(guild)[0].enabled
    await client.ask("automod", action="delete", guild=guild.id, rule=rule.id)
    assert discord_server.automod.rules(guild) == []
    with pytest.raises(RefusedError):
        await client.ask("automod", action="create", guild=guild.id, name="Words", words=" ")
