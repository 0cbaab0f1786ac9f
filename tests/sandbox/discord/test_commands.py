import discord
import pytest

from sandbox.discord import ClientRefusal, DiscordServer, NoAnswerError, Upload, media, text
from sandbox.discord.state import ACKNOWLEDGE_WITHIN
from tests.sandbox.discord.fixture_bot import Clock, FixtureBot, picture


async def test_immediate_response_is_visible_to_channel(server: DiscordServer, bot: FixtureBot) -> None:
    invocation = await server.actor("member").slash("hello")
    message = await invocation.response()
    assert text(message) == "Hello"
    assert invocation.acknowledged_after == 0
    assert message in server.actor("member-two").sees("general")
    assert bot.seen[0].user.name == "member"


async def test_interaction_has_user_channel_permissions_and_limits(server: DiscordServer, bot: FixtureBot) -> None:
    await (await server.actor("moderator").slash("hello", channel="restricted")).response()
    interaction = bot.seen[0]
    assert isinstance(interaction.user, discord.Member)
    assert interaction.permissions.manage_messages
    assert interaction.app_permissions.send_messages
    assert not interaction.app_permissions.manage_messages
    assert isinstance(interaction.channel, discord.TextChannel)
    assert interaction.channel.is_nsfw()
    assert interaction.guild == bot.guilds[0]
    assert interaction.filesize_limit == 10 * 1024 * 1024
    assert interaction.locale is discord.Locale.american_english
    assert interaction.is_guild_integration()


async def test_deferred_response_is_edited_in_place(server: DiscordServer, bot: FixtureBot) -> None:
    """Each step is kept as a revision."""
    invocation = await server.actor("member").slash("imagine", prompt="a lighthouse", images=2)
    first = await invocation.response()
    message = await invocation.wait_until(lambda each: bool(media(each)))
    assert message is first
    assert text(message) == "a lighthouse None 2"
    assert message.payload["attachments"] == []
    assert [bool(revision.payload["flags"] & 128) for revision in message.revisions] == [True, False]
    assert bot.seen[0].response.is_done()


async def test_command_in_direct_message_has_user_and_no_guild(server: DiscordServer, bot: FixtureBot) -> None:
    invocation = await server.actor("member").slash("hello", channel=server.direct_message("member"))
    await invocation.response()
    assert bot.seen[0].guild is None
    assert bot.seen[0].user.name == "member"
    assert isinstance(bot.seen[0].channel, discord.DMChannel)


async def test_file_and_member_options_are_resolved(server: DiscordServer, bot: FixtureBot) -> None:
    del bot
    photo = Upload("my photo.png", picture(40, 25))
    invocation = await server.actor("member").slash("edit", image=photo, member="moderator")
    assert text(await invocation.response()) == f"my_photo.png 40x25 {len(photo.data)} moderator"


async def test_slash_accepts_subcommands_and_choices_by_value_or_name(server: DiscordServer, bot: FixtureBot) -> None:
    del bot
    member = server.actor("member")
    assert text(await (await member.slash("credits balance")).response()) == "200"
    set_allowance = await member.slash("credits allowance", amount=5, period="A day")
    assert text(await set_allowance.response()) == "5 day"


@pytest.mark.parametrize(
    ("name", "options", "reason"),
    [
        ("paint", {}, "no command"),
        ("imagine", {}, "required: prompt"),
        ("imagine", {"prompt": "x", "images": 9}, "not within"),
        ("imagine", {"prompt": "x" * 101}, "not within"),
        ("imagine", {"prompt": 7}, "not of the option's kind"),
        ("imagine", {"prompt": "x", "images": True}, "not of the option's kind"),
        ("imagine", {"prompt": "x", "size": 1}, "no option 'size'"),
        ("edit", {"image": "x.png"}, "takes a file"),
        ("edit", {"image": Upload("a", b""), "member": "nobody"}, "there is no 'nobody'"),
        ("credits", {}, "needs one of"),
        ("credits pay", {}, "has no 'pay'"),
        ("credits allowance", {"amount": 1, "period": "year"}, "is no choice"),
    ],
)
async def test_slash_with_invalid_options_is_refused(
    server: DiscordServer, bot: FixtureBot, name: str, options: dict[str, object], reason: str
) -> None:
    await server.wait_commands()
    with pytest.raises(ClientRefusal, match=reason):
        await server.actor("member").slash(name, options=options)
    assert bot.seen == []


async def test_slash_in_invisible_place_is_refused(server: DiscordServer, bot: FixtureBot) -> None:
    """A guild-only command is not offered in a direct message."""
    del bot
    member = server.actor("member")
    with pytest.raises(ClientRefusal, match="does not see"):
        await member.slash("hello", channel="moderators")
    with pytest.raises(ClientRefusal, match="not offered"):
        await member.slash("credits balance", channel=server.direct_message("member"))


async def test_unchecked_slash_sends_values_outside_limits(server: DiscordServer, bot: FixtureBot) -> None:
    invocation = await server.actor("member").slash("imagine", unchecked=True, prompt="x", images=400)
    message = await invocation.wait_until(lambda each: bool(media(each)))
    assert text(message) == "x None 400"
    assert len(bot.seen) == 1


async def test_autocomplete_returns_bot_choices(server: DiscordServer, bot: FixtureBot) -> None:
    del bot
    offers = await server.actor("member").autocomplete("imagine", "model", "nano")
    assert [offer["value"] for offer in offers] == ["nano-banana", "nano-banana-pro"]
    with pytest.raises(ClientRefusal, match="does not complete"):
        await server.actor("member").autocomplete("imagine", "prompt", "x")


async def test_response_after_three_seconds_is_10062(server: DiscordServer, bot: FixtureBot, clock: Clock) -> None:
    server.world.acknowledge_within = ACKNOWLEDGE_WITHIN
    quiet = bot.next_quiet()
    await server.actor("member").slash("quiet")
    interaction = await quiet
    clock.advance(3.1)
    with pytest.raises(discord.NotFound) as caught:
        await interaction.response.send_message("late")
    assert caught.value.code == 10062


async def test_missing_response_raises_no_answer(server: DiscordServer, bot: FixtureBot) -> None:
    quiet = bot.next_quiet()
    invocation = await server.actor("member").slash("quiet")
    await quiet
    with pytest.raises(NoAnswerError):
        await invocation.response(timeout=0.01)


async def test_second_response_is_40060(server: DiscordServer, bot: FixtureBot) -> None:
    await (await server.actor("member").slash("hello")).response()
    again = bot.seen[0]
    adapter = discord.webhook.async_.async_context.get()
    with pytest.raises(discord.HTTPException) as caught:
        await adapter.create_interaction_response(
            again.id,
            again.token,
            session=again._session,
            params=discord.webhook.async_.interaction_message_response_params(type=4, content="twice"),
        )
    assert (caught.value.status, caught.value.code) == (400, 40060)


async def test_edit_after_fifteen_minutes_is_50027(server: DiscordServer, bot: FixtureBot, clock: Clock) -> None:
    invocation = await server.actor("member").slash("hello")
    message = await invocation.response()
    clock.advance(890)
    await bot.seen[0].edit_original_response(content="still")
    assert text(message) == "still"
    clock.advance(11)
    with pytest.raises(discord.HTTPException) as caught:
        await bot.seen[0].edit_original_response(content="late")
    assert (caught.value.status, caught.value.code) == (401, 50027)
    assert text(message) == "still"


async def test_expire_tokens_needs_no_clock_change(server: DiscordServer, bot: FixtureBot) -> None:
    await (await server.actor("member").slash("hello")).response()
    server.expire_tokens()
    with pytest.raises(discord.HTTPException) as caught:
        await bot.seen[0].edit_original_response(content="late")
    assert caught.value.code == 50027


async def test_first_followup_replaces_deferred_response(server: DiscordServer, bot: FixtureBot) -> None:
    """The second one is a separate message."""
    quiet = bot.next_quiet()
    invocation = await server.actor("member").slash("quiet")
    interaction = await quiet
    await interaction.response.defer(ephemeral=True)
    await interaction.followup.send("first")
    await interaction.followup.send("second", ephemeral=True)
    assert invocation.message is not None
    assert (text(invocation.message), invocation.message.ephemeral) == ("first", True)
    assert [text(each) for each in invocation.followups] == ["second"]


async def test_deleted_response_is_unknown(server: DiscordServer, bot: FixtureBot) -> None:
    message = await (await server.actor("member").slash("hello")).response()
    await bot.seen[0].delete_original_response()
    assert server.actor("member").sees() == []
    assert message.revisions[-1].deleted
    with pytest.raises(discord.NotFound) as caught:
        await bot.seen[0].edit_original_response(content="late")
    assert caught.value.code == 10008
