from dataclasses import replace

import discord
import pytest

from sandbox.discord import DiscordServer, Permission, Post, Upload, media
from sandbox.discord.entities import FORUM_CHANNEL
from tests.sandbox.discord.fixture_bot import FixtureBot, card, picture, png
from tests.support.fidelity import Fidelity, find_description

GALLERY = {"type": 12, "items": [{"media": {"url": "attachment://a.png"}}]}


async def test_requests_and_responses_match_openapi_description(server: DiscordServer, bot: FixtureBot) -> None:
    path = find_description()
    if path is None:
        pytest.skip("ATELIER_TEST_DATA has no discord-openapi.json")
    member = server.actor("member")
    painted = await member.slash("imagine", prompt="a lighthouse")
    message = await painted.wait_until(lambda each: bool(media(each)))
    await (await member.click(message, label="Again")).acknowledged()
    await (await member.slash("hello", private=True)).response()
    await bot.seen[-1].edit_original_response(content="with a file", attachments=[png()])
    await bot.seen[-1].followup.send("more")
    await member.autocomplete("imagine", "model", "re")
    form = await member.slash("form")
    await (await member.submit_modal(form, {"prompt": "x"})).response()
    channel = bot.get_partial_messageable(int(server.world.channel("general").id))
    sent = await channel.send("plain", nonce="1")
    await sent.edit(content="edited")
    await channel.fetch_message(sent.id)
    assert [each.id async for each in channel.history(limit=1)] == [sent.id]
    posts = (Post(embeds=[{"image": {"url": "attachment://a.png"}}]), Post(components=[GALLERY]))
    for post in posts:
        posted = server.post_as("other-bot", replace(post, uploads=[Upload("a.png", picture())]))
        await channel.fetch_message(int(posted.id))
    assert bot.user is not None
    await sent.add_reaction("⭐")
    assert [user.id async for user in (await channel.fetch_message(sent.id)).reactions[0].users()] == [bot.user.id]
    await sent.remove_reaction("⭐", bot.user)
    await use_pins_threads_and_rules(server, bot, sent)
    await sent.delete()
    await (await bot.fetch_user(int(member.user.id))).create_dm()
    await bot.application_info()
    await bot.fetch_guild(bot.guilds[0].id)
    await bot.guilds[0].fetch_member(int(member.user.id))
    await bot.guilds[0].fetch_roles()
    await bot.guilds[0].fetch_channels()
    with pytest.raises(discord.NotFound):
        await channel.fetch_message(1)
    fidelity = Fidelity(path)
    for request in server.requests:
        assert fidelity.problems(request) == [], request
        assert fidelity.answer_problems(request) == [], request


async def use_pins_threads_and_rules(server: DiscordServer, bot: FixtureBot, message: discord.Message) -> None:
    """Make one request of each kind about pins, threads, forums and AutoMod."""
    managers = server.create_role(
        "Managers", permissions=Permission.MANAGE_GUILD | Permission.PIN_MESSAGES | Permission.MANAGE_THREADS
    )
    server.give_role(server.world.bot, managers)
    community, guild = server.world.guild("Community"), bot.guilds[0]
    server.automod.add(community, "Words", keywords=["rude"])
    server.automod.add(community, "Lists", presets=(1,))
    assert len(await guild.fetch_automod_rules()) == 2
    await message.pin()
    channel = message.channel
    assert isinstance(channel, discord.abc.Messageable)
    assert [each.id async for each in channel.pins()] == [message.id]
    await message.unpin()
    made = server.create_channel("gallery", kind=FORUM_CHANNEL, tags=["portrait"], default_reaction="⭐")
    forum = await bot.fetch_channel(int(made.id))
    assert isinstance(forum, discord.ForumChannel)
    view, file = card("a post", "attachment://SPOILER_a.png"), png("SPOILER_a.png")
    thread, post = await forum.create_thread(name="Post", view=view, files=[file], applied_tags=forum.available_tags)
    await thread.send("a file", file=png("SPOILER_b.png"))
    await post.edit(view=card("edited"))
    await thread.edit(locked=True)
    await guild.active_threads()
    await thread.edit(archived=True)
    assert [each.id async for each in forum.archived_threads()] == [thread.id]
    await thread.delete()
    text_channel = await bot.fetch_channel(int(server.world.channel("general").id))
    assert isinstance(text_channel, discord.TextChannel)
    await text_channel.create_thread(name="From a message", message=message)
    await text_channel.create_thread(name="Aside", type=discord.ChannelType.public_thread)
    await text_channel.fetch_message(message.id)
