"""Messages to a member about a finished job, on simcord."""

from typing import Any

import pytest

from bot.domain.jobs import Job, State
from tests.cogs.bot_harness import BotHarness, InteractionResult, MemberActor, panel, texts
from tests.support.clock import let_others_run


async def delivered(bot: BotHarness) -> None:
    """Wait until every job's end is recorded as delivered."""
    while None in await bot.column("delivered_at"):
        await bot.look()


async def draw(bot: BotHarness, member: MemberActor, *, takes: float = 6, **options: Any) -> InteractionResult:
    """Draw a fox in some seconds."""
    result = await bot.imagine(member, prompt="a fox", **options)
    await bot.reaches(State.QUEUED)
    bot.clock.advance(takes)
    return result


def pings(bot: BotHarness, result: InteractionResult) -> list[Any]:
    """Return the replies to a card in the channel."""
    assert result.response is not None
    card = int(result.response.id)
    return [
        message
        for message in bot.channel.history()
        if message.reference is not None
        and message.reference.message_id == card
        and message.interaction_metadata is None
    ]


async def test_setting_of_notice_is_shown(bot: BotHarness) -> None:
    member = bot.member("member")
    changed = await member.slash(bot.channel, "settings set", when_done="ping")
    assert panel(changed)[1:] == ["**When done** · a ping in the channel", "-# was: no message"]
    shown = await member.slash(bot.channel, "settings set", when_done="direct")
    assert panel(shown)[1:] == ["**When done** · a direct message", "-# was: a ping in the channel"]


async def test_ping_replies_to_card_and_mentions_member_alone(bot: BotHarness) -> None:
    member = bot.member("member")
    await member.slash(bot.channel, "settings set", when_done="ping")
    result = await draw(bot, member, images=2)
    bot.server.finish()
    await delivered(bot)
    (ping,) = pings(bot, result)
    assert ping.content == f"<@{member.id}> Your 2 pictures are ready."
    assert [each.id for each in ping.mentions] == [member.id]
    assert await bot.column("delivery") == ["card"]


@pytest.mark.parametrize(("takes", "setting"), [(1, "ping"), (60, "off"), (1, "direct")])
async def test_short_job_and_unchanged_setting_send_nothing(bot: BotHarness, *, takes: float, setting: str) -> None:
    member = bot.member("member")
    await member.slash(bot.channel, "settings set", when_done=setting)
    result = await draw(bot, member, takes=takes)
    bot.server.finish()
    await delivered(bot)
    assert pings(bot, result) == []
    assert bot.requests("POST", "/users/@me/channels") == 0


async def test_private_card_is_never_pinged(bot: BotHarness) -> None:
    """The channel does not learn of it."""
    member = bot.member("member")
    await member.slash(bot.channel, "settings set", when_done="ping")
    await draw(bot, member, private=True)
    before = bot.requests("POST", "/messages")
    bot.server.finish()
    await delivered(bot)
    assert bot.requests("POST", "/messages") == before


async def test_direct_message_links_to_public_card(bot: BotHarness) -> None:
    member = bot.member("member")
    await member.slash(bot.channel, "settings set", when_done="direct")
    result = await draw(bot, member)
    bot.server.finish()
    await delivered(bot)
    (message,) = member.user.dm_channel.history()
    assert result.response is not None
    link = f"https://discord.com/channels/{bot.guild.id}/{bot.channel.id}/{result.response.id}"
    assert message.content == f"Your picture is ready. {link}\n-# \u2068a fox\u2069"
    assert await bot.column("delivery") == ["card"]


async def test_direct_message_of_private_card_carries_picture(bot: BotHarness) -> None:
    member = bot.member("member")
    await member.slash(bot.channel, "settings set", when_done="direct", private=True)
    await draw(bot, member)
    bot.server.finish()
    await delivered(bot)
    (message,) = member.user.dm_channel.history()
    components: list[Any] = [each.to_dict() for each in message.components]
    assert texts(components)[0] == "-# From your private card, as you asked in `/settings`."
    assert "atelier-1.png" in str(components)
    assert await bot.column("delivery") == ["card"]


async def test_failure_is_told_too(bot: BotHarness) -> None:
    member = bot.member("member")
    await member.slash(bot.channel, "settings set", when_done="ping")
    result = await draw(bot, member)
    bot.server.store.fail(bot.server.jobs[-1], "the request was rejected (content policy)")
    await delivered(bot)
    (ping,) = pings(bot, result)
    assert ping.content == f"<@{member.id}> No picture came of this: the card says why."


async def crash_before_delivery_is_recorded(bot: BotHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    """Finish the job; the process ends after the notice and before the record."""
    reached: list[str] = []

    async def killed(job_id: str, *_: Any) -> None:
        reached.append(job_id)
        raise ConnectionError

    monkeypatch.setattr(bot._card_updater._card_store, "mark_delivered", killed)
    bot.server.finish()
    while not reached:
        await bot.look()
    await bot.restart()


@pytest.mark.parametrize("setting", ["ping", "direct"])
async def test_notice_is_not_repeated_after_crash(
    bot: BotHarness, monkeypatch: pytest.MonkeyPatch, *, setting: str
) -> None:
    member = bot.member("member")
    await member.slash(bot.channel, "settings set", when_done=setting)
    result = await draw(bot, member)
    await crash_before_delivery_is_recorded(bot, monkeypatch)
    await delivered(bot)
    sent = pings(bot, result) if setting == "ping" else member.user.dm_channel.history()
    assert len(sent) == 1


@pytest.mark.parametrize("setting", ["ping", "direct"])
async def test_notice_that_was_only_intended_is_sent_after_crash(
    bot: BotHarness, monkeypatch: pytest.MonkeyPatch, *, setting: str
) -> None:
    member = bot.member("member")
    await member.slash(bot.channel, "settings set", when_done=setting)
    result = await draw(bot, member)
    begun: list[str] = []
    begin = bot._card_updater._card_store.begin_notice

    async def killed(job: Job) -> None:
        await begin(job)
        begun.append(job.id)
        raise ConnectionError

    monkeypatch.setattr(bot._card_updater._card_store, "begin_notice", killed)
    bot.server.finish()
    while not begun:
        await bot.look()
    assert pings(bot, result) == []
    await bot.restart()
    await delivered(bot)
    sent = pings(bot, result) if setting == "ping" else member.user.dm_channel.history()
    assert len(sent) == 1


async def test_refused_notice_does_not_hold_up_delivery(bot: BotHarness) -> None:
    """A channel where the bot may not post still has the card."""
    member = bot.member("member")
    await member.slash(bot.channel, "settings set", when_done="ping")
    result = await draw(bot, member)
    bot.env.inject_error("POST", "*/messages", status=403, code=50013)
    bot.server.finish()
    await delivered(bot)
    await let_others_run()
    assert pings(bot, result) == []
    assert await bot.column("delivery") == ["card"]
