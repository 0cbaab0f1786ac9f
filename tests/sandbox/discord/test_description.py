from dataclasses import replace

import discord
import pytest

from sandbox.discord import DiscordServer, Post, Upload, media
from tests.sandbox.discord.fixture_bot import FixtureBot, picture, png
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
