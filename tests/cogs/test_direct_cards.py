"""Actions on results in direct messages, on simcord."""

from typing import Any

import discord
from discord import ComponentType

from bot.domain.errors import NotInServerError
from bot.ui.component_tree import walk
from tests.cogs.bot_harness import BotHarness, MemberActor, private, texts
from tests.cogs.test_notices import delivered, draw


async def direct_card(bot: BotHarness, member: MemberActor) -> discord.Message:
    """Return the direct message with the picture of a private card."""
    await member.slash(bot.channel, "settings set", when_done="direct", private=True)
    await draw(bot, member)
    bot.server.finish()
    await delivered(bot)
    (message,) = member.user.dm_channel.history()
    return message


def entries(message: discord.Message) -> list[str]:
    """Return the values of the menu."""
    components: list[Any] = [each.to_dict() for each in message.components]
    return [option["value"] for each in walk(components) for option in each.get("options", ())]


def shown(message: discord.Message) -> list[str]:
    """Return the labels of the buttons."""
    components: list[Any] = [each.to_dict() for each in message.components]
    return [each["label"] for each in walk(components) if each["type"] == ComponentType.button.value]


async def test_direct_card_makes_new_picture_there_on_its_own_account(bot: BotHarness) -> None:
    bot.outside = True
    await bot.restart()
    member = bot.member("member")
    message = await direct_card(bot, member)
    assert shown(message) == ["Again · 12", "Show prompt"]
    note = "-# What you make from here is made here, with your credits for direct messages instead of the server's."
    components: list[Any] = [each.to_dict() for each in message.components]
    assert note in texts(components)
    again = await member.user.click(message, label="Again · 12")
    assert again.acknowledged
    assert await bot.column("guild_id") == [bot.guild.id, 0]
    assert await bot.column("channel_id") == [bot.channel.id, member.user.dm_channel.id]


async def test_direct_card_of_studio_for_servers_alone_offers_what_costs_nothing(bot: BotHarness) -> None:
    member = bot.member("member")
    message = await direct_card(bot, member)
    assert shown(message) == ["Show prompt"]
    assert entries(message) == ["publish", "favourite", "details", "delete"]
    details = await member.user.select(message, ["details"])
    assert details.response is not None
    assert texts(details.response.components)[0] == "## Details"


async def test_direct_card_is_made_public_in_the_jobs_channel(bot: BotHarness) -> None:
    member = bot.member("member")
    message = await direct_card(bot, member)
    (question,) = (await member.user.select(message, ["publish"])).followups
    await member.user.click(question, label="Make public")
    assert len([each for each in bot.channel.history() if each.interaction_metadata is None]) == 1


async def test_deleted_job_takes_its_direct_card_along(bot: BotHarness) -> None:
    member = bot.member("member")
    message = await direct_card(bot, member)
    question = await member.user.select(message, ["delete"])
    assert question.response is not None
    await member.user.click(question.response, label="Delete")
    assert message.id not in [each.id for each in member.user.dm_channel.history()]


async def test_old_direct_press_outside_servers_is_refused(bot: BotHarness) -> None:
    """A button may be older than the setting."""
    bot.outside = True
    await bot.restart()
    member = bot.member("member")
    message = await direct_card(bot, member)
    bot.outside = False
    await bot.restart()
    bot.expected = [NotInServerError]
    refused = await member.user.click(message, label="Again · 12")
    assert private(refused).startswith("This works only in servers that have the studio.")
    assert len(await bot.column("id")) == 1
