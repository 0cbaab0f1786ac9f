"""`/credits` as members, moderators and admins use it, on simcord."""

from typing import Any

import pytest
from simcord.actors import MemberActor
from simcord.results import InteractionResult
from sqlalchemy import Connection

from bot.domain.allowances import AllowanceEntry, PeriodKind
from bot.domain.audit_log import AuditEntry
from bot.domain.errors import (
    AllowanceTargetError,
    AmountError,
    CreditTargetError,
    GrantTooLargeError,
    NotAdmittedError,
    NotAllowedError,
    NothingGrantedError,
    NothingUsedError,
)
from db.allowances import AllowanceRepository
from db.audit_log import AuditLogRepository
from tests.cogs.bot_harness import BotHarness, buttons, private, texts

MIDNIGHT = "<t:1772668800:R>"


async def press(who: MemberActor, result: InteractionResult, label: str) -> InteractionResult:
    """Press a button of a panel."""
    assert result.response is not None
    return await who.click(result.response, label=label)


async def choose(who: MemberActor, result: InteractionResult, action: str, value: Any) -> InteractionResult:
    """Choose from a menu of a panel."""
    assert result.response is not None
    return await who.select(result.response, [value], custom_id=f"a1:{action}:{'0' * 32}:0")


def lines(result: InteractionResult) -> list[str]:
    """Return the lines of a private panel with buttons."""
    assert result.response is not None
    assert result.response.ephemeral
    return "\n".join(texts(result.response.components)).splitlines()


async def logged(bot: BotHarness) -> list[AuditEntry]:
    """Return the audit log of the server, latest first."""
    return list(await bot.database.read(lambda each: AuditLogRepository(each).list(bot.guild.id, limit=100)))


def admin_of(bot: BotHarness) -> MemberActor:
    """Return a member with Manage Server."""
    return bot.member("admin", manage_guild=True)


async def test_balance_shows_bar_source_and_running_jobs(bot: BotHarness) -> None:
    member = bot.member("member")
    result = await member.slash(bot.channel, "credits balance")
    assert lines(result) == [
        "## 200 credits to spend",
        "░░░░░░░░░░ 0 of 200 used today",
        f"-# 200 credits a day, from the operator's default · resets {MIDNIGHT}",
    ]
    assert buttons(result) == ["History"]

    card = await bot.imagine(member, prompt="a fox")
    result = await member.slash(bot.channel, "credits balance")
    assert lines(result) == [
        "## 188 credits to spend",
        "█░░░░░░░░░ 12 of 200 used today",
        f"-# 200 credits a day, from the operator's default · resets {MIDNIGHT}",
        "-# 12 held for pictures in progress",
        f"-# 12 credits · 1 picture with reve-2.0 · {link(bot, card)}",
    ]


def link(bot: BotHarness, card: InteractionResult) -> str:
    """Return the link of a card."""
    assert card.response is not None
    return f"https://discord.com/channels/{bot.guild.id}/{bot.channel.id}/{card.response.id}"


@pytest.mark.bot(admitted=frozenset({1}))
async def test_credits_in_unadmitted_server_are_refused(bot: BotHarness) -> None:
    bot.expected = [NotAdmittedError]
    admin = admin_of(bot)
    for command, options in (("balance", {}), ("history", {}), ("grant", {"member": admin, "amount": 1})):
        result = await admin.slash(bot.channel, f"credits {command}", **options)
        assert private(result).startswith("The studio is not open to this server yet.")
    assert await logged(bot) == []


async def test_balance_of_others_is_for_moderators(bot: BotHarness) -> None:
    bot.expected = [NotAllowedError]
    member, moderator = bot.member("member"), bot.member("moderator", manage_messages=True)
    await bot.imagine(member, prompt="a secret", private=True)
    shown = lines(await moderator.slash(bot.channel, "credits balance", member=member))
    assert shown[:2] == [f"## <@{member.id}>", "188 credits to spend"]
    assert shown[-1] == "-# 12 credits · 1 picture with reve-2.0 · private"
    for name in ("balance", "history"):
        refused = await member.slash(bot.channel, f"credits {name}", member=moderator)
        assert private(refused) == "Only a moderator can do that."


@pytest.mark.parametrize("command", ["grant", "take", "reset"])
async def test_change_of_credits_is_for_admins(bot: BotHarness, command: str) -> None:
    bot.expected = [NotAllowedError]
    moderator = bot.member("moderator", manage_messages=True)
    options: dict[str, Any] = {} if command == "reset" else {"amount": 5}
    refused = await moderator.slash(bot.channel, f"credits {command}", member=moderator, **options)
    assert private(refused) == "Only an admin of this server can do that."
    refused = await moderator.slash(bot.channel, "credits allowance", amount="unlimited", member=moderator)
    assert private(refused) == "Only an admin of this server can do that."
    assert await logged(bot) == []


async def test_grant_is_spent_last_logged_and_told_in_the_history(bot: BotHarness) -> None:
    admin, member = admin_of(bot), bot.member("member")
    result = await admin.slash(bot.channel, "credits grant", member=member, amount=50, reason="won *the* contest")
    assert lines(result) == [
        f"<@{member.id}> got 50 credits.",
        "Granted credits do not expire.",
        "-# 250 credits to spend now, 50 of them granted",
        "-# Reason: \u2068won \\*the\\* contest\u2069",
    ]
    (entry,) = await logged(bot)
    assert (entry.action, entry.actor_id, entry.target_id, entry.reason) == (
        "credits.grant",
        admin.id,
        member.id,
        "won *the* contest",
    )
    assert entry.detail == {"amount": 50, "granted": 50}
    shown = lines(await member.slash(bot.channel, "credits history"))
    assert shown[:2] == ["## Your credits", f"**+50** granted by <@{admin.id}>"]
    assert shown[2].endswith(" · \u2068won \\*the\\* contest\u2069")


async def test_take_of_more_than_granted_takes_all_and_says_so(bot: BotHarness) -> None:
    bot.expected = [NothingGrantedError]
    admin = admin_of(bot)
    await admin.slash(bot.channel, "credits grant", member=admin, amount=30)
    assert lines(await admin.slash(bot.channel, "credits take", member=admin, amount=20))[0] == (
        f"20 credits taken back from <@{admin.id}>."
    )
    assert lines(await admin.slash(bot.channel, "credits take", member=admin, amount=20)) == [
        f"10 credits taken back from <@{admin.id}>.",
        "They had no more granted credits to take; you asked for 20.",
        "-# 200 credits to spend now, 0 of them granted",
    ]
    refused = await admin.slash(bot.channel, "credits take", member=admin, amount=20)
    assert private(refused).startswith("They have no granted credits to take.")
    taken = [(each.action, dict(each.detail)) for each in (await logged(bot))[:2]]
    assert taken == [
        ("credits.take", {"asked": 20, "amount": 10, "granted": 0}),
        ("credits.take", {"asked": 20, "amount": 20, "granted": 10}),
    ]


async def test_reset_gives_the_used_allowance_back(bot: BotHarness) -> None:
    bot.expected = [NothingUsedError]
    admin, member = admin_of(bot), bot.member("member")
    refused = await admin.slash(bot.channel, "credits reset", member=member)
    assert private(refused) == "None of their allowance is used, so there is nothing to give back."
    card = await bot.imagine(member, prompt="a fox", images=4)
    await bot.finish(card)
    assert lines(await admin.slash(bot.channel, "credits reset", member=member, reason="a bad day")) == [
        f"<@{member.id}> has the whole allowance again: 48 credits given back.",
        "-# 200 credits to spend now, 0 of them granted",
        "-# Reason: \u2068a bad day\u2069",
    ]
    (entry,) = await logged(bot)
    assert (entry.action, dict(entry.detail)) == ("credits.reset", {"amount": 48, "period": "2026-03-04"})


@pytest.mark.parametrize("amount", [0, -5, 1_000_000_001, 2**53 - 1])
async def test_amount_out_of_range_is_named(bot: BotHarness, amount: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A forged client may send it."""
    bot.expected = [AmountError]
    admin = admin_of(bot)
    monkeypatch.setattr("simcord.interactions._check_numeric_range", lambda *_: None)
    for command in ("grant", "take"):
        refused = await admin.slash(bot.channel, f"credits {command}", member=admin, amount=amount)
        assert private(refused).endswith("isn't a valid amount.\nIt takes a whole number from 1 to 1,000,000,000.")
    assert await logged(bot) == []


async def test_grant_beyond_an_account_names_the_room(bot: BotHarness) -> None:
    bot.expected = [GrantTooLargeError]
    admin = admin_of(bot)
    await admin.slash(bot.channel, "credits grant", member=admin, amount=999_999_990)
    refused = await admin.slash(bot.channel, "credits grant", member=admin, amount=11)
    assert private(refused) == "That is more than an account can hold.\nGrant at most 10."


async def test_bots_and_strangers_get_no_credits(bot: BotHarness) -> None:
    """Former members keep their account."""
    bot.expected = [CreditTargetError]
    admin, member = admin_of(bot), bot.member("member")
    robot = bot.guild.add_member(bot.env.create_user("robot", bot=True))
    refused = await admin.slash(bot.channel, "credits grant", member=robot, amount=5)
    assert private(refused) == "Bots have no credits.\nChoose a member."
    stranger = bot.env.create_user("stranger")
    refused = await admin.slash(bot.channel, "credits grant", member=stranger, amount=5)
    assert private(refused).startswith("This person is not in this server, and never used the studio here.")
    assert await logged(bot) == []
    await admin.slash(bot.channel, "credits grant", member=member, amount=5)


async def test_allowance_of_a_former_member_names_unknown_roles(bot: BotHarness) -> None:
    admin, patrons = admin_of(bot), bot.guild.create_role("Patrons")
    former, other = bot.env.create_user("former"), bot.env.create_user("other")

    def allow(connection: Connection) -> None:
        repository = AllowanceRepository(connection)
        repository.set(bot.guild.id, AllowanceEntry(amount=30, member_id=former.id))
        repository.set(bot.guild.id, AllowanceEntry(amount=500, role_id=patrons.id))

    await bot.database.write(allow)
    shown = lines(await admin.slash(bot.channel, "credits balance", member=former))
    assert shown[1] == "30 credits to spend"
    assert shown[3].startswith("-# 30 credits a day, set for this member alone")
    assert lines(await admin.slash(bot.channel, "credits balance", member=other))[4:] == [
        "-# They are not in this server, so allowances of their roles are not known."
    ]
    listed = await admin.slash(bot.channel, "credits allowance")
    assert lines(await choose(admin, listed, "allowof", former))[1:3] == [
        "**30 credits a day**, set for this member alone",
        "A member's own allowance counts first.",
    ]
    assert lines(await choose(admin, listed, "allowof", other))[1:4] == [
        "**200 credits a day**, from the operator's default",
        "This server has set none that applies.",
        f"-# They are not in this server. Unknown is whether they would have: <@&{patrons.id}>",
    ]


async def test_history_is_paged_and_filtered_in_place(bot: BotHarness) -> None:
    admin, member = admin_of(bot), bot.member("member")
    card = await bot.imagine(member, prompt="a fox")
    await bot.finish(card)
    for number in range(1, 11):
        await admin.slash(bot.channel, "credits grant", member=member, amount=number)
    result = await member.slash(bot.channel, "credits history")
    assert [each for each in lines(result) if each.startswith("**")] == [
        f"**+{number}** granted by <@{admin.id}>" for number in range(10, 2, -1)
    ]
    assert buttons(result) == ["All", "Spent", "Received", "Newer", "Older"]
    older = await press(member, result, "Older")
    shown = [each for each in texts_of(older) if each.startswith("**")]
    assert shown == [
        f"**+2** granted by <@{admin.id}>",
        f"**+1** granted by <@{admin.id}>",
        f"**\N{MINUS SIGN}12** 1 picture with reve-2.0 · {link(bot, card)}",
        "**+200** allowance",
    ]
    spent = await press(member, older, "Spent")
    assert [each for each in texts_of(spent) if each.startswith("**")] == shown[2:3]
    received = await press(member, spent, "Received")
    assert len([each for each in texts_of(received) if each.startswith("**+")]) == 8


def texts_of(result: InteractionResult) -> list[str]:
    """Return the lines of an edited panel."""
    assert result.response is not None
    return "\n".join(texts(result.response.components)).splitlines()


async def test_allowance_is_asked_about_then_saved(bot: BotHarness) -> None:
    admin, member = admin_of(bot), bot.member("member")
    asked = await admin.slash(bot.channel, "credits allowance", amount="500", period="week", member=member)
    assert lines(asked) == [
        "## Save this allowance?",
        f"<@{member.id}> · **500 credits a week**",
        "up to 500 credits a week for 1 member: 2,143 a month",
        "-# What a member has spent in the period counts against it.",
    ]
    assert buttons(asked) == ["Save", "Cancel"]
    assert await logged(bot) == []
    saved = await press(admin, asked, "Save")
    assert texts_of(saved) == [f"Saved: <@{member.id}> · 500 credits a week"]
    (entry,) = await logged(bot)
    assert (entry.action, entry.target_id) == ("allowance.set", member.id)
    assert entry.detail == {"target": "member", "allowance": {"before": None, "after": "500 a week"}}
    assert lines(await member.slash(bot.channel, "credits balance"))[:3] == [
        "## 500 credits to spend",
        "░░░░░░░░░░ 0 of 500 used this week",
        "-# 500 credits a week, set for you alone · resets <t:1773014400:R>",
    ]


async def test_allowance_of_zero_and_unlimited_read_well(bot: BotHarness) -> None:
    admin, member = admin_of(bot), bot.member("member")
    asked = await admin.slash(bot.channel, "credits allowance", amount="0")
    assert lines(asked)[2].startswith("This blocks ")
    await press(admin, asked, "Save")
    assert lines(await member.slash(bot.channel, "credits balance")) == [
        "## 0 credits to spend",
        "This server gives you no credits.",
        "-# no credits, from the server's allowance for everyone",
    ]
    asked = await admin.slash(bot.channel, "credits allowance", amount=" Unlimited ", member=member)
    await press(admin, asked, "Save")
    assert lines(await member.slash(bot.channel, "credits balance")) == [
        "## Unlimited credits",
        "0 credits used today, without a limit",
        "-# unlimited, set for you alone",
    ]


async def test_cancelled_allowance_changes_nothing(bot: BotHarness) -> None:
    admin = admin_of(bot)
    asked = await admin.slash(bot.channel, "credits allowance", amount="500")
    cancelled = await press(admin, asked, "Cancel")
    assert texts_of(cancelled) == ["Nothing was changed."]
    assert await logged(bot) == []


@pytest.mark.parametrize("amount", ["1.000", "1,000", "1 000", "-1", "1e3", "ten", "2147483648", "\uff19", "0x10"])
async def test_ambiguous_allowance_is_refused(bot: BotHarness, amount: str) -> None:
    bot.expected = [AmountError]
    refused = await admin_of(bot).slash(bot.channel, "credits allowance", amount=amount)
    assert private(refused).splitlines()[1] == (
        "It takes a whole number up to 1,000,000,000 in digits alone, such as 1500; or `unlimited`, or `unset`."
    )


async def test_allowance_of_role_and_member_together_is_refused(bot: BotHarness) -> None:
    bot.expected = [AllowanceTargetError]
    admin, role = admin_of(bot), bot.guild.create_role("Patrons")
    refused = await admin.slash(bot.channel, "credits allowance", amount="5", role=role, member=admin)
    assert private(refused) == "A role and a member cannot be set together.\nSet one, then the other."
    refused = await admin.slash(bot.channel, "credits allowance", period="week", role=role)
    assert private(refused).startswith("The amount is missing")


async def test_allowances_are_listed_explained_and_removed(bot: BotHarness) -> None:
    admin = admin_of(bot)
    patrons, painters = bot.guild.create_role("Patrons"), bot.guild.create_role("Painters")
    member = bot.guild.add_member(bot.env.create_user("member"), roles=[patrons, painters])
    for amount, role in (("500", patrons), ("300", painters)):
        asked = await admin.slash(bot.channel, "credits allowance", amount=amount, role=role)
        await press(admin, asked, "Save")
    listed = await admin.slash(bot.channel, "credits allowance")
    shown = lines(listed)
    assert shown[:2] == ["## Allowances", "Everyone: 200 credits a day, the operator's default"]
    assert [each.split(" · ")[1:3] for each in shown[2:4]] == [
        [f"<@&{patrons.id}>", "500 credits a day"],
        [f"<@&{painters.id}>", "300 credits a day"],
    ]
    assert lines(await member.slash(bot.channel, "credits balance"))[2].startswith(
        f"-# 500 credits a day, from <@&{patrons.id}>"
    )
    explained = await choose(admin, listed, "allowof", member)
    assert lines(explained) == [
        f"## <@{member.id}>",
        f"**500 credits a day**, from <@&{patrons.id}>",
        "It is the most generous of the 2 of their roles with an allowance.",
        f"-# <@&{patrons.id}> · 500 credits a day",
        f"-# <@&{painters.id}> · 300 credits a day",
        "░░░░░░░░░░ 0 of 500 used today",
    ]
    asked = await choose(admin, listed, "allowunset", f"{patrons.id}:0")
    assert texts_of(asked)[0] == "## Remove this allowance?"
    await press(admin, asked, "Remove")
    assert [each.action for each in await logged(bot)] == ["allowance.remove", "allowance.set", "allowance.set"]
    assert lines(await member.slash(bot.channel, "credits balance"))[0] == "## 300 credits to spend"


async def test_allowance_of_a_deleted_role_goes_with_it(bot: BotHarness) -> None:
    admin, role = admin_of(bot), bot.guild.create_role("Patrons")
    asked = await admin.slash(bot.channel, "credits allowance", amount="500", role=role)
    await press(admin, asked, "Save")
    bot.env.backend.delete_role(bot.guild.id, role.id)
    await bot.env.settle()
    assert [(each.action, each.actor_id) for each in await logged(bot)] == [
        ("allowance.remove", 0),
        ("allowance.set", admin.id),
    ]


async def test_allowance_buttons_work_after_a_restart(bot: BotHarness) -> None:
    admin = admin_of(bot)
    asked = await admin.slash(bot.channel, "credits allowance", amount="7", period="month")
    await bot.restart()
    saved = await press(admin, asked, "Save")
    assert texts_of(saved) == ["Saved: Everyone · 7 credits a month"]


async def test_allowance_of_a_deleted_member_is_removed(bot: BotHarness) -> None:
    """It is listed under their pseudonym, a negative number."""
    admin = admin_of(bot)
    entry = AllowanceEntry(amount=7, member_id=-(2**63))
    await bot.database.write(lambda connection: AllowanceRepository(connection).set(bot.guild.id, entry))
    listed = await admin.slash(bot.channel, "credits allowance")
    assert lines(listed)[2] == "**1** · a deleted member · 7 credits a day"
    asked = await choose(admin, listed, "allowunset", f"0:{-(2**63)}")
    assert texts_of(asked)[:2] == ["## Remove this allowance?", "a deleted member · 7 credits a day"]
    await press(admin, asked, "Remove")
    assert (await logged(bot))[0].target_id == -(2**63)
    assert lines(await admin.slash(bot.channel, "credits allowance"))[2].startswith("-# ")


async def test_allowance_of_a_member_with_very_many_roles_is_explained(bot: BotHarness) -> None:
    admin = admin_of(bot)
    roles = [bot.guild.create_role(f"role {number}") for number in range(120)]
    member = bot.guild.add_member(bot.env.create_user("member"), roles=roles)

    def allow(connection: Connection) -> None:
        for number, role in enumerate(roles, start=1):
            entry = AllowanceEntry(amount=number, period=PeriodKind.MONTH, role_id=role.id)
            AllowanceRepository(connection).set(bot.guild.id, entry)

    await bot.database.write(allow)
    listed = await admin.slash(bot.channel, "credits allowance")
    shown = lines(await choose(admin, listed, "allowof", member))
    assert shown[1] == f"**120 credits a month**, from <@&{roles[-1].id}>"
    assert shown[3] == f"-# <@&{roles[-1].id}> · 120 credits a month"
    assert shown[-2:] == ["-# and 100 more", "░░░░░░░░░░ 0 of 120 used this month"]


async def test_history_names_a_changed_allowance_so(bot: BotHarness) -> None:
    member = bot.member("member")
    await bot.imagine(member, prompt="a fox")

    async def allow(amount: int) -> None:
        entry = AllowanceEntry(amount=amount, period=PeriodKind.DAY)
        await bot.database.write(lambda each: AllowanceRepository(each).set(bot.guild.id, entry))
        await bot.imagine(member, prompt="a fox")

    await allow(100)
    await allow(150)
    shown = lines(await member.slash(bot.channel, "credits history"))
    assert [line for line in shown if "allowance" in line] == [
        "**+50** allowance changed",
        "**\N{MINUS SIGN}100** allowance changed",
        "**+200** allowance",
    ]
