"""`/studio ban`, `unban`, `bans`, `access` and `audit`, on simcord."""

import re

import discord
import pytest
from simcord import InteractionResult
from simcord.actors import MemberActor
from simcord.backend.errors import SetupError

from bot.domain.allowances import AllowanceEntry
from bot.domain.bans import BanScope
from bot.domain.errors import (
    BannedError,
    BanRefusedError,
    NoBanError,
    NotAllowedError,
    OptionRangeError,
    RoleNeededError,
)
from bot.services.guild_settings import GuildSettingsService
from bot.services.moderation import MAX_REASON, ModerationService, Target
from tests.cogs.bot_harness import BotHarness, buttons, panel, private
from tests.support.factories import make_id


async def test_ban_is_shown_felt_and_ended(bot: BotHarness) -> None:
    bot.expected = [BannedError]
    admin, member = bot.member("admin", manage_guild=True), bot.member("member")
    banned = await admin.slash(bot.channel, "studio ban", member=member, term="7d", reason="spam *again*")
    assert panel(banned) == [
        f"### <@{member.id}> is banned from the studio",
        "-# Reason: \u2068spam \\*again\\*\u2069",
        "-# ends <t:1773230400:R>",
        f"-# by <@{admin.id}>, <t:1772625600:R>",
        "-# Jobs that were sent before are finished. `/studio unban` ends the ban.",
    ]
    refused = await bot.imagine(member, prompt="a fox")
    assert private(refused).splitlines() == [
        "You may not use the studio in this server.",
        "Reason: \u2068spam \\*again\\*\u2069",
        "It ends <t:1773230400:R>.",
    ]
    assert panel(await admin.slash(bot.channel, "studio bans"))[:2] == [
        "## 1 ban in force",
        f"<@{member.id}> · the studio",
    ]
    ended = await admin.slash(bot.channel, "studio unban", member=member)
    assert panel(ended) == [f"### <@{member.id}> may use the studio again"]
    await bot.finish(await bot.imagine(member, prompt="a fox"))
    assert panel(await admin.slash(bot.channel, "studio bans")) == ["## Nobody is banned here"]


async def test_every_ban_is_on_a_page(bot: BotHarness) -> None:
    """Also with the longest reasons; rights are checked at each press."""
    bot.expected = [NotAllowedError]
    helpers = bot.guild.create_role("helpers", permissions=discord.Permissions(manage_guild=True))
    admin = bot.guild.add_member(bot.env.create_user("admin"), roles=[helpers])
    moderation = ModerationService(database=bot.database, clock=bot.clock, catalogue=bot.catalogue, new_id=make_id)
    for number in range(23):
        await moderation.ban(
            bot.guild.id,
            Target(member_id=1000 + number),
            scope=BanScope.STUDIO,
            term=None,
            reason="*" * MAX_REASON,
            actor_id=admin.id,
        )
    listed = await admin.slash(bot.channel, "studio bans")
    assert listed.response is not None
    seen: set[str] = set()
    for _ in range(20):
        lines = panel(listed)
        assert len("\n".join(lines).encode("utf-16-le")) // 2 <= 4000
        assert lines[0] == "## 23 bans in force"
        seen |= set(re.findall(r"^<@(10\d\d)>", "\n".join(lines), re.MULTILINE))
        if "Older" not in buttons(listed):
            break
        await admin.click(listed.response, label="Older")
    assert seen == {str(1000 + number) for number in range(23)}
    last = panel(listed)[-1]
    assert re.fullmatch(r"-# Page (\d) of \1", last)
    await moderation.unban(bot.guild.id, 1000, reason="", actor_id=admin.id)
    await admin.click(listed.response, label="Newer")
    assert panel(listed)[0] == "## 22 bans in force"
    assert panel(listed)[-1] != last
    bot.env.backend.remove_member_role(bot.guild.id, admin.id, helpers.id)
    refused = await admin.click(listed.response, label="Older")
    assert private(refused) == "Only a moderator can do that."


async def test_impossible_bans_say_why(bot: BotHarness) -> None:
    bot.expected = [BanRefusedError, BanRefusedError, OptionRangeError, NoBanError]
    admin, other, member = bot.member("admin", manage_guild=True), bot.member("two", manage_guild=True), bot.member("m")

    async def answer(command: str, **options: object) -> str:
        return private(await admin.slash(bot.channel, command, **options)).splitlines()[0]

    assert await answer("studio ban", member=admin) == "You cannot ban yourself, an admin or a bot."
    assert await answer("studio ban", member=other) == "You cannot ban yourself, an admin or a bot."
    assert await answer("studio ban", member=member, term="soon") == "“\u2068soon\u2069” isn't a valid term."
    assert await answer("studio unban", member=member) == "This member has no ban here."


async def test_members_cannot_use_moderators_commands(bot: BotHarness) -> None:
    member = bot.member("member")
    for command in ("studio bans", "studio audit", "studio access"):
        with pytest.raises(SetupError):
            await member.slash(bot.channel, command)


async def test_access_closes_a_model_to_others(bot: BotHarness) -> None:
    bot.expected = [RoleNeededError]
    role = bot.guild.create_role("patrons")
    patron = bot.guild.add_member(bot.env.create_user("patron"), roles=[role])
    admin, member = bot.member("admin", manage_guild=True), bot.member("member")
    shown = await admin.slash(bot.channel, "studio access", model="reve-2.0", role=role)
    assert panel(shown)[:2] == ["## Models and options by role", f"**\u2068reve\\-2.0\u2069** · <@&{role.id}>"]
    refused = await bot.imagine(member, prompt="a fox")
    assert private(refused).splitlines() == [
        f"In this server, reve-2.0 is for <@&{role.id}>. Nothing was charged.",
        "Choose another model.",
    ]
    await bot.finish(await bot.imagine(patron, prompt="a fox"))
    opened = await admin.slash(bot.channel, "studio access", model="reve-2.0", remove=True)
    assert panel(opened)[1] == "Everyone may use every model and option."


async def test_audit_log_names_changes_in_words(bot: BotHarness) -> None:
    admin, member = bot.member("admin", manage_guild=True), bot.member("member")
    role = bot.guild.create_role("patrons")
    await admin.slash(bot.channel, "studio ban", member=member, term="7d", reason="spam")
    await admin.slash(bot.channel, "studio access", model="reve-2.0", role=role)
    await admin.slash(bot.channel, "studio budget", amount="500")
    await admin.slash(bot.channel, "studio pause", reason="cleaning up")
    await admin.slash(bot.channel, "credits grant", member=member, amount=50)
    shown = panel(await admin.slash(bot.channel, "studio audit"))
    assert [line for line in shown if line.startswith("-# ")] == [
        "-# credits: 50 · granted now: 50",
        "-# \u2068cleaning up\u2069",
        "-# no limit → 500",
        "-# model: \u2068reve\\-2.0\u2069",
        "-# from: the studio · until: <t:1773230400:f> · \u2068spam\u2069",
    ]


async def test_audit_log_is_paged_by_its_button(bot: BotHarness) -> None:
    admin, member = bot.member("admin", manage_guild=True), bot.member("member")
    for number in range(9):
        await admin.slash(bot.channel, "studio ban", member=member, reason=f"reason {number}")
        await admin.slash(bot.channel, "studio unban", member=member)

    def reasons(result: InteractionResult) -> list[str]:
        return [line for line in panel(result) if "reason" in line]

    first = await admin.slash(bot.channel, "studio audit")
    assert panel(first)[:2] == ["## Audit log", f"<t:1772625600:R> · **<@{admin.id}>** ended the ban of <@{member.id}>"]
    assert (len(reasons(first)), buttons(first)) == (7, ["Older"])
    filtered = await admin.slash(bot.channel, "studio audit", kind=2)
    assert panel(filtered) == ["## Audit log · Credits and allowances", "Nothing here."]


def moderator_with_commands(bot: BotHarness) -> MemberActor:
    """Return a moderator with access to `/studio`."""
    moderator = bot.member("moderator", manage_messages=True)
    command = bot.env.backend.find_command("studio", None)
    assert command is not None
    bot.guild.set_command_permissions(int(command["id"]), {moderator: True})
    return moderator


@pytest.mark.parametrize(
    ("command", "options"),
    [("pause", {}), ("resume", {}), ("budget", {"amount": "5"}), ("budget", {}), ("setup", {}), ("show", {})],
)
async def test_moderator_with_opened_commands_does_nothing_of_an_admin(
    bot: BotHarness, command: str, options: dict[str, str]
) -> None:
    """A server opens `/studio` to its moderators so that they can ban."""
    bot.expected = [NotAllowedError]
    moderator = moderator_with_commands(bot)
    refused = await moderator.slash(bot.channel, f"studio {command}", **options)
    assert private(refused) == "Only an admin of this server can do that."


async def test_moderators_are_banned_by_admins_alone(bot: BotHarness) -> None:
    bot.expected = [NotAllowedError]
    moderator, other = moderator_with_commands(bot), bot.member("other", manage_messages=True)
    admin = bot.member("admin", manage_guild=True)
    refused = await moderator.slash(bot.channel, "studio ban", member=other)
    assert private(refused) == "Only an admin of this server can do that."
    banned = await admin.slash(bot.channel, "studio ban", member=other)
    assert panel(banned)[0] == f"### <@{other.id}> is banned from the studio"


async def test_banned_moderator_cannot_end_the_own_ban(bot: BotHarness) -> None:
    bot.expected = [NotAllowedError]
    admin, moderator = bot.member("admin", manage_guild=True), moderator_with_commands(bot)
    await admin.slash(bot.channel, "studio ban", member=moderator)
    refused = await moderator.slash(bot.channel, "studio unban", member=moderator)
    assert private(refused) == "Only another moderator can do that."
    ended = await admin.slash(bot.channel, "studio unban", member=moderator)
    assert panel(ended) == [f"### <@{moderator.id}> may use the studio again"]


async def test_access_for_everyone_opens_the_model(bot: BotHarness) -> None:
    """Discord lists no member as one with @everyone."""
    admin, member = bot.member("admin", manage_guild=True), bot.member("member")
    patrons = bot.guild.create_role("patrons")
    await admin.slash(bot.channel, "studio access", model="reve-2.0", role=patrons)
    opened = await admin.slash(bot.channel, "studio access", model="reve-2.0", role=bot.guild.default_role)
    assert panel(opened)[1] == "Everyone may use every model and option."
    await bot.finish(await bot.imagine(member, prompt="a fox"))


async def test_audit_log_with_long_reasons_leaves_no_entry_out(bot: BotHarness) -> None:
    admin, member = bot.member("admin", manage_guild=True), bot.member("member")
    for number in range(14):
        reason = f"case {number:02}" + "_" * 390
        await admin.slash(bot.channel, "studio ban", member=member, reason=reason)
    result = await admin.slash(bot.channel, "studio audit")
    seen = re.findall(r"case (\d\d)", "\n".join(panel(result)))
    assert result.response is not None
    while buttons(result):
        await admin.click(result.response, label="Older")
        seen += re.findall(r"case (\d\d)", "\n".join(panel(result)))
    assert seen == [f"{number:02}" for number in reversed(range(14))]


async def test_audit_log_has_changed_settings_under_their_filters(bot: BotHarness) -> None:
    admin, role = bot.member("admin", manage_guild=True), bot.guild.create_role("helpers")
    settings = GuildSettingsService(database=bot.database, now=bot.clock.now, new_id=make_id)
    changes = {"studio_channels": (bot.channel.id,), "private_results": True, "moderator_roles": (role.id,)}
    await settings.change(bot.guild.id, changes, by=admin.id)
    await bot.allowances.set_for_everyone(bot.guild.id, AllowanceEntry(amount=50), actor_id=admin.id)
    assert panel(await admin.slash(bot.channel, "studio audit", kind=3))[1:] == [
        f"<t:1772625600:R> · **<@{admin.id}>** changed the settings",
        (
            f"-# studio channels: all channels → <#{bot.channel.id}> · private results: not set → yes"
            f" · moderator roles: none → <@&{role.id}>"
        ),
    ]
    assert panel(await admin.slash(bot.channel, "studio audit", kind=2))[1:] == [
        f"<t:1772625600:R> · **<@{admin.id}>** set the allowance of everyone",
        "-# no allowance → 50 credits a day",
    ]


@pytest.mark.bot(reve2img=True)
async def test_reserved_default_model_gives_way_to_the_next(bot: BotHarness) -> None:
    bot.expected = [RoleNeededError]
    role = bot.guild.create_role("patrons")
    patron = bot.guild.add_member(bot.env.create_user("patron"), roles=[role])
    admin, member = bot.member("admin", manage_guild=True), bot.member("member")
    await admin.slash(bot.channel, "studio access", model="reve-2.0", role=role)
    for who, model in ((patron, "reve-2.0"), (member, "nano-banana")):
        card = bot.card(await bot.imagine(who, prompt="a fox"))
        assert f"-# {model} " in card[0]
    refused = await bot.imagine(member, prompt="a fox", model="reve-2.0")
    assert private(refused).startswith(f"In this server, reve-2.0 is for <@&{role.id}>.")
