"""*Make public* on a private card, on simcord."""

from contextlib import nullcontext
from typing import Any

import discord
import pytest
from sqlalchemy import update

from bot.domain.errors import (
    CannotPostError,
    ChannelGoneError,
    ChannelUnusedError,
    NotAdmittedError,
    NotAllowedError,
)
from bot.services.access import AccessService
from bot.services.guild_settings import GuildSettingsService
from bot.services.jobs import Actor
from bot.services.publications import PublicationService
from db.tables import jobs
from tests.cogs.bot_harness import BotHarness, ChannelHandle, InteractionResult, MemberActor, private, texts
from tests.cogs.test_remix import choose, entries, finished, press, told
from tests.services.sharing.conftest import Woken
from tests.support.factories import make_id


def posted(bot: BotHarness) -> list[discord.Message]:
    """Return the messages in the channel without a command."""
    return [message for message in bot.channel.history() if message.interaction_metadata is None]


def components_of(message: discord.Message) -> str:
    """Return a message's components as text."""
    return str([each.to_dict() for each in message.components])


async def asked(bot: BotHarness, member: MemberActor, **options: Any) -> tuple[InteractionResult, InteractionResult]:
    """Return a finished private card, and the question before it is posted."""
    card = await finished(bot, member, private=True, **options)
    return card, await choose(member, card, "publish")


async def test_only_private_card_offers_make_public(bot: BotHarness) -> None:
    card = await finished(bot, bot.member("member"), private=True)
    assert entries(card) == ["Again, edited…", "Make public", "Favourite", "Details", "Delete"]
    hint = "-# *Make public* under *More…* posts it in the channel."
    assert bot.card(card)[-1].splitlines()[-1] == hint


async def test_make_public_asks_then_posts_card_with_pictures(bot: BotHarness) -> None:
    member = bot.member("member")
    _, question = await asked(bot, member, images=2)
    assert told(question)[1] == (
        f"Post this in <#{bot.channel.id}> for everyone?\n-# The card has the pictures, the prompt and your name."
    )
    assert posted(bot) == []
    await press(member, question, "Make public")
    (message,) = posted(bot)
    shown = components_of(message)
    assert "fox" in shown
    assert f"for <@{member.id}>" in shown
    assert "atelier-1.png" in shown
    assert "atelier-2.png" in shown
    assert " left" not in shown
    assert "posts it in the channel" not in shown
    link = f"https://discord.com/channels/{bot.guild.id}/{bot.channel.id}/{message.id}"
    assert bot.card(question) == [f"Everyone in the channel can see this now: {link}"]


async def test_second_press_posts_nothing_more(bot: BotHarness) -> None:
    """By another question, or after a restart."""
    member = bot.member("member")
    card, question = await asked(bot, member)
    other = await choose(member, card, "publish")
    await press(member, question, "Make public")
    await press(member, other, "Make public")
    assert len(posted(bot)) == 1
    await bot.restart()
    again = await choose(member, card, "publish")
    await press(member, again, "Make public")
    (message,) = posted(bot)
    assert str(message.id) in bot.card(again)[0]


async def test_card_posted_before_crash_is_found_again(bot: BotHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    member = bot.member("member")
    card, question = await asked(bot, member)
    bot.expected = [ConnectionResetError]

    async def killed(*_: Any) -> bool:
        raise ConnectionResetError

    monkeypatch.setattr("bot.services.publications.PublicationService.finish", killed)
    await press(member, question, "Make public")
    monkeypatch.undo()
    await bot.restart()
    assert await bot.column("public_message_id") == [None]
    await press(member, await choose(member, card, "publish"), "Make public")
    (message,) = posted(bot)
    assert await bot.column("public_message_id") == [message.id]


async def test_others_use_public_card_like_any_other(bot: BotHarness) -> None:
    member, other = bot.member("member"), bot.member("other")
    _, question = await asked(bot, member)
    await press(member, question, "Make public")
    (message,) = posted(bot)
    again = await other.click(message, label="Again · 12")
    assert again.response is not None
    assert not again.response.ephemeral
    details = await other.select(message, ["details"])
    assert any("fox" in each for each in told(details))


@pytest.mark.parametrize("by_member", [True, False])
async def test_channel_closed_to_one_of_both_is_refused(bot: BotHarness, *, by_member: bool) -> None:
    bot.expected = [CannotPostError]
    member, me = bot.member("member"), bot.guild.me
    assert me is not None
    closed = discord.PermissionOverwrite(attach_files=False)
    bot.channel = bot.guild.create_text_channel("corner", overwrites={member if by_member else me: closed})
    _, refused = await asked(bot, member)
    subject = "You" if by_member else "The studio"
    words = f"{subject} may not post pictures in this channel, so this cannot be made public here."
    assert private(refused) == words
    assert await bot.column("public_at") == [None]


async def test_moderator_cannot_make_members_job_public(bot: BotHarness) -> None:
    """As with a forged press: nobody else sees the card."""
    await finished(bot, bot.member("member"), private=True)
    (job_id,) = await bot.column("id")
    service = PublicationService(
        database=bot.database,
        access=AccessService(database=bot.database, admitted="*", now=bot.clock.now),
        clock=bot.clock,
        new_id=make_id,
        waker=Woken(),
    )
    moderator = Actor(member_id=7, guild_id=bot.guild.id, moderator=True)
    with pytest.raises(NotAllowedError):
        await service.get(job_id, moderator)
    with pytest.raises(NotAllowedError):
        await service.begin(job_id, moderator, parent_channel_id=None, locale="en-US")
    assert await bot.column("public_at") == [None]


async def test_refused_card_stays_private(bot: BotHarness) -> None:
    """Discord decides, not its permissions."""
    bot.expected = [CannotPostError, NotAllowedError]
    member = bot.member("member")
    _, question = await asked(bot, member)
    bot.env.inject_error("POST", "*/messages", status=403, code=50013)
    await press(member, question, "Make public")
    assert posted(bot) == []
    assert await bot.column("public_at") == [None]


async def test_deleted_job_takes_its_public_card_along(bot: BotHarness) -> None:
    member = bot.member("member")
    card, question = await asked(bot, member)
    await press(member, question, "Make public")
    await press(member, await choose(member, card, "delete"), "Delete")
    assert posted(bot) == []


async def asked_elsewhere(bot: BotHarness, member: MemberActor) -> Any:
    """Return the question asked on a page of the history in another channel.

    The press is answered before Discord is asked for the rights there.
    """
    await finished(bot, member, private=True)
    page = await member.slash(bot.guild.create_text_channel("elsewhere"), "history")
    (answer,) = (await choose(member, page, "publish")).followups
    assert answer.ephemeral
    return answer


async def test_make_public_in_history_posts_card_in_the_jobs_channel(bot: BotHarness) -> None:
    member = bot.member("member")
    question = await asked_elsewhere(bot, member)
    assert texts(question.components)[1].startswith(f"Post this in <#{bot.channel.id}> for everyone?\n")
    await member.click(question, label="Make public")
    (message,) = posted(bot)
    assert "fox" in components_of(message)


@pytest.mark.parametrize("by_member", [True, False])
async def test_make_public_in_history_checks_rights_in_the_jobs_channel(bot: BotHarness, *, by_member: bool) -> None:
    bot.expected = [CannotPostError]
    member, me = bot.member("member"), bot.guild.me
    assert me is not None
    closed = discord.PermissionOverwrite(attach_files=False)
    bot.channel = bot.guild.create_text_channel("corner", overwrites={member if by_member else me: closed})
    refused = await asked_elsewhere(bot, member)
    subject = "You" if by_member else "The studio"
    words = f"{subject} may not post pictures in <#{bot.channel.id}>, so this cannot be made public there."
    assert refused.content == words
    assert await bot.column("public_at") == [None]


async def test_make_public_in_channel_that_is_gone_is_refused(bot: BotHarness) -> None:
    bot.expected = [ChannelGoneError]
    member = bot.member("member")
    await finished(bot, member, private=True)
    page = await member.slash(bot.guild.create_text_channel("elsewhere"), "history")
    await bot.database.write(lambda connection: connection.execute(update(jobs).values(channel_id=1)))
    (refused,) = (await choose(member, page, "publish")).followups
    assert refused.content == "The channel of this card is gone, or out of reach, so this cannot be made public there."
    assert await bot.column("public_at") == [None]


async def test_server_that_is_no_longer_admitted_gets_no_public_card(bot: BotHarness) -> None:
    """Also between the question and the press."""
    member = bot.member("member")
    await asked(bot, member)
    (job_id,) = await bot.column("id")
    access = AccessService(database=bot.database, admitted=frozenset(), now=bot.clock.now)
    service = PublicationService(database=bot.database, access=access, clock=bot.clock, new_id=make_id, waker=Woken())
    with pytest.raises(NotAdmittedError):
        await service.get(job_id, Actor(member_id=member.id))
    with pytest.raises(NotAdmittedError):
        await service.begin(job_id, Actor(member_id=member.id), parent_channel_id=None, locale="en-US")
    assert await bot.column("public_at") == [None]


def open_thread(bot: BotHarness) -> ChannelHandle:
    """Return a new thread in the channel of the studio."""
    thread = bot.env.backend.create_thread(bot.channel.id, "thread", bot.guild.owner.id)
    return ChannelHandle(bot.env, bot.guild, thread)


async def move_studio(bot: BotHarness, channel: ChannelHandle, **changes: Any) -> None:
    """Let the studio work in this channel alone."""
    settings = GuildSettingsService(database=bot.database, now=bot.clock.now, new_id=make_id)
    await settings.change(bot.guild.id, {"studio_channels": (channel.id,), **changes}, by=1)


async def test_thread_of_a_studio_channel_is_one(bot: BotHarness) -> None:
    member, parent = bot.member("member"), bot.channel
    bot.channel = open_thread(bot)
    await move_studio(bot, parent)
    _, question = await asked(bot, member)
    await press(member, question, "Make public")
    assert len(posted(bot)) == 1


@pytest.mark.parametrize("elsewhere", [True, False])
async def test_make_public_where_the_studio_works_no_more_is_refused(bot: BotHarness, *, elsewhere: bool) -> None:
    """Before the question and at its press, here and in the history."""
    bot.expected = [ChannelUnusedError]
    member, other = bot.member("member"), bot.guild.create_text_channel("other")
    bot.channel = open_thread(bot)
    words = f"The studio no longer works in <#{bot.channel.id}>, so this cannot be made public there."
    card = await finished(bot, member, private=True)
    page = await member.slash(other if elsewhere else bot.channel, "history")
    question = await choose(member, page if elsewhere else card, "publish")
    await move_studio(bot, other)
    message = question.followups[0] if elsewhere else question.response
    assert message is not None
    pressed = await member.click(message, label="Make public")
    assert [each.content for each in pressed.followups] == [words]
    again = await choose(member, page if elsewhere else card, "publish")
    refused = again.followups[0] if elsewhere else again.response
    assert refused is not None
    assert refused.content == words
    assert posted(bot) == []
    assert await bot.column("public_at") == [None]


async def test_public_card_is_in_the_language_of_the_server(bot: BotHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    member = bot.member("member")
    locales: list[str] = []

    def use_locale(name: str) -> nullcontext[None]:
        locales.append(name)
        return nullcontext()

    monkeypatch.setattr("bot.ui.delivery.result_delivery.use_locale", use_locale)
    _, question = await asked(bot, member)
    await move_studio(bot, bot.channel, locale="de")
    locales.clear()
    await press(member, question, "Make public")
    assert locales == ["de"]
