"""Rights of moderators: those of the whole server count, not of a channel."""

from typing import Any

import discord
import pytest
from discord import ui
from sqlalchemy import Connection

from bot.domain.errors import NotAllowedError
from bot.domain.reports import ReportCase, ReportOutcome
from bot.services.guild_settings import GuildSettingsService
from bot.ui.buttons import REPORT_DISMISS, REVIEW_BULK, guild_target
from bot.ui.render.job_card import payload_view
from db.reports import ReportRepository
from tests.cogs.bot_harness import BotHarness, ChannelHandle, MemberActor
from tests.cogs.test_remix import finished
from tests.support.factories import make_id


async def name_moderators(bot: BotHarness) -> Any:
    """Name a role of moderators; return it."""
    role = bot.guild.create_role("reviewers")
    settings = GuildSettingsService(database=bot.database, now=bot.clock.now, new_id=make_id)
    await settings.change(bot.guild.id, {"moderator_roles": (role.id,)}, by=1)
    return role


async def post(channel: ChannelHandle, bot: BotHarness, *buttons: ui.Button[ui.LayoutView]) -> Any:
    """Post a card of the bot with buttons; return it."""
    known: Any = bot.client.get_channel(channel.id)
    container: ui.Container[ui.LayoutView] = ui.Container(ui.ActionRow(*buttons))
    return await known.send(view=payload_view(container))


async def may_review(bot: BotHarness, who: MemberActor, channel: ChannelHandle | None = None) -> bool:
    """Return whether a member gets the list of the queue's card."""
    card = await post(channel or bot.channel, bot, REVIEW_BULK.build(guild_target(bot.guild.id)))
    pressed = await who.click(card, label="Decide several")
    if pressed.response is None or not pressed.response.content:
        return True
    assert pressed.response.content == "Only a moderator can do that."
    return False


async def test_manage_server_moderates_without_the_named_role(bot: BotHarness) -> None:
    bot.expected = [NotAllowedError]
    role = await name_moderators(bot)
    of_role = bot.guild.add_member(bot.env.create_user("reviewer"), roles=[role])
    assert await may_review(bot, bot.member("admin", manage_guild=True))
    assert await may_review(bot, of_role)
    # Once a role is named, it counts in place of Manage Messages.
    assert not await may_review(bot, bot.member("cleaner", manage_messages=True))
    assert not await may_review(bot, bot.member("member"))


async def test_right_in_one_channel_does_not_moderate_the_server(bot: BotHarness) -> None:
    bot.expected = [NotAllowedError]
    host = bot.member("host")
    own = bot.guild.create_text_channel("own", overwrites={host: discord.PermissionOverwrite(manage_messages=True)})
    assert not await may_review(bot, host, own)
    assert await may_review(bot, bot.member("cleaner", manage_messages=True), own)


async def report_of_own_picture(bot: BotHarness, who: MemberActor) -> tuple[str, Any]:
    """Return a case about a member's own picture, and its card."""
    await finished(bot, who)
    job_id = (await bot.column("id"))[-1]
    new = ReportCase(id=make_id(), guild_id=bot.guild.id, job_id=job_id, at=bot.clock.now())
    case = await bot.database.write(lambda connection: ReportRepository(connection).open_case(new))
    return case.id, await post(bot.channel, bot, REPORT_DISMISS.build(case.id))


@pytest.mark.parametrize("is_admin", [True, False], ids=["Manage Server alone", "named role alone"])
async def test_own_picture_is_cleared_by_manage_server_alone(bot: BotHarness, *, is_admin: bool) -> None:
    bot.expected = [NotAllowedError]
    role = await name_moderators(bot)
    if is_admin:
        who = bot.member("admin", manage_guild=True)
    else:
        who = bot.guild.add_member(bot.env.create_user("reviewer"), roles=[role])
    case_id, card = await report_of_own_picture(bot, who)
    pressed = await who.click(card, label="Dismiss")

    def outcome(connection: Connection) -> ReportOutcome | None:
        return ReportRepository(connection).get(case_id).outcome

    assert await bot.database.read(outcome) == (ReportOutcome.DISMISSED if is_admin else None)
    if not is_admin:
        assert pressed.response is not None
        assert pressed.response.content == "Only another moderator can do that."
