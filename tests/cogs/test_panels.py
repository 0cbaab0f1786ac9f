"""`/status`, `/help` and `/studio admit`, on simcord."""

import pytest
from discord import AppCommandType
from discord.app_commands import Group
from simcord.backend.errors import SetupError

from bot.domain.errors import NotAdmittedError, NotAllowedError
from bot.domain.jobs import State
from tests.cogs.bot_harness import BotHarness, panel, private


async def test_status_shows_queue_and_providers(bot: BotHarness) -> None:
    """Queue, providers, and the usual time of each offered model."""
    member = bot.member("member")
    await bot.imagine(member, prompt="a fox")
    await bot.reaches(State.QUEUED)
    result = await member.slash(bot.channel, "status")
    assert panel(result) == [
        "## The studio is open",
        "1 job queued · 0 generating",
        "-# SkillBoss: working",
        "-# Usual times: not measured yet",
        "-# Budget this month: 99,988 of 100,000 left · 0 spent · 12 held",
    ]


async def test_status_shows_rejected_key(bot: BotHarness) -> None:
    """The only provider rejects the operator's key."""
    bot.server.faults.add("submit", "status", status=401)
    member = bot.member("member")
    result = await bot.imagine(member, prompt="a fox")
    await bot.until(lambda: " credits" in bot.card(result)[-1])
    assert bot.card(result)[-1].startswith("The studio is closed for a moment")
    status = await member.slash(bot.channel, "status")
    assert panel(status)[:3] == [
        "## The studio is closed",
        "0 jobs queued · 0 generating",
        "-# SkillBoss: closed since <t:1772625600:R>",
    ]


async def test_help_lists_offered_models(bot: BotHarness) -> None:
    """With prices, and no other model."""
    result = await bot.member("member").slash(bot.channel, "help")
    lines = panel(result)
    assert lines[0] == "## Make pictures from words"
    assert lines[1].startswith("1. Send </imagine:")
    assert lines[13:] == [
        "**reve-2.0** · 12 credits a picture · the one you get unless you choose",
        "-# all-round, true to the prompt, good at text · 1-4 pictures · from text only",
    ]


@pytest.mark.bot(reve2img=True)
async def test_help_shows_options_of_each_model(bot: BotHarness) -> None:
    """More providers mean more options, with their surcharges."""
    lines = panel(await bot.member("member").slash(bot.channel, "help"))
    ids = {each.name: each.id for each in await bot.client.tree.fetch_commands()}
    assert lines[3] == f"3. Find them again with </history:{ids['history']}>."
    assert lines[4] == "### More"
    assert lines[5].startswith(f"</edit:{ids['edit']}> changes a picture")
    assert lines[6] == "Or reply to a picture, mention me and say what to change: I ask before it costs anything."
    assert lines[7].startswith(f"</blend:{ids['blend']}> makes one picture")
    assert f"</credits balance:{ids['credits']}>" in lines[8]
    assert lines[16:] == [
        "**reve-2.0** · 12 credits a picture, 20 an edit · the one you get unless you choose",
        "-# all-round, true to the prompt, good at text · 1-4 pictures · detail 1-15, which multiplies the price",
        "-# adds to each picture: upscale 2× 6, 3× 9, 4× 12 · remove background 6 · effect 4 · fit free",
        "**nano-banana** · 20 credits a picture",
        "-# quick ideas from text · 1-4 pictures · from text only",
        "**nano-banana-pro** · 70 credits a picture, 70 an edit",
        "-# fine detail, up to 4K · 1-4 pictures · 1K, 2K, 4K (4K costs 2×)",
        "**seedream-5** · 25 credits a picture, 25 an edit",
        "-# photographs and scenes · 1-4 pictures · 1K, 2K, 4K",
    ]


@pytest.mark.bot(reve2img=True)
async def test_help_names_every_command_and_menu(bot: BotHarness) -> None:
    """Those of moderators on a page for them."""
    member = bot.member("member")
    result = await member.slash(bot.channel, "help")
    pages = {}
    for label in ("All commands", "For moderators", "First steps"):
        assert result.response is not None
        result = await member.click(result.response, label=label)
        pages[label] = panel(result)
    assert pages["First steps"][0] == "## Make pictures from words"
    names = {each.qualified_name for each in bot.client.tree.walk_commands() if not isinstance(each, Group)}
    named = {label: {each for each in names if f"</{each}:" in "\n".join(lines)} for label, lines in pages.items()}
    assert named["All commands"] | named["For moderators"] == names
    assert not named["All commands"] & named["For moderators"]
    assert {"duel start", "share list", "imagine"} <= named["All commands"]
    hidden = {each.name for each in bot.client.tree.get_commands() if getattr(each, "default_permissions", None)}
    assert {each for each in names if each.partition(" ")[0] in hidden} <= named["For moderators"]
    assert {"challenge start", "credits grant"} <= named["For moderators"]
    for menu in bot.client.tree.get_commands(type=AppCommandType.message):
        assert f"*{menu.name}*" in pages["All commands"][-1]


@pytest.mark.bot(admitted=None)
async def test_owner_admits_server(bot: BotHarness) -> None:
    """Unless the settings name the servers.

    simcord reports the bot as its own owner, so the test names the owner on the client.
    """
    bot.expected = [NotAdmittedError, NotAllowedError]
    boss, member = bot.member("boss", manage_guild=True), bot.member("member")
    bot.client.owner_id = boss.id

    before = await bot.imagine(member, prompt="a fox")
    assert private(before).startswith("The studio is not open to this server yet.")

    admitted = await boss.slash(bot.channel, "studio admit")
    assert panel(admitted) == ["This server is admitted to the studio. Its members can use `/imagine` now."]
    again = await boss.slash(bot.channel, "studio admit")
    assert panel(again) == panel(admitted)

    after = await bot.imagine(member, prompt="a fox")
    assert bot.card(after)[-1].startswith("Queued")


@pytest.mark.bot(admitted=frozenset({1}))
async def test_admit_names_the_list_that_decides(bot: BotHarness) -> None:
    """A list in the settings is not overruled, and the answer says so."""
    bot.expected = [NotAdmittedError]
    boss = bot.member("boss", manage_guild=True)
    bot.client.owner_id = boss.id
    (answer,) = panel(await boss.slash(bot.channel, "studio admit"))
    assert answer.startswith("This server is not admitted: `COMMUNITIES` in the bot's settings decides. Add `")
    refused = await bot.imagine(boss, prompt="a fox")
    assert "the list of servers in the bot's settings" in private(refused)


@pytest.mark.bot(admitted="*")
async def test_admit_of_listed_server_changes_nothing(bot: BotHarness) -> None:
    boss = bot.member("boss", manage_guild=True)
    bot.client.owner_id = boss.id
    assert panel(await boss.slash(bot.channel, "studio admit")) == [
        "`COMMUNITIES` in the bot's settings decides, and it admits this server already."
    ]


@pytest.mark.bot(admitted=None)
async def test_server_admin_cannot_admit_server(bot: BotHarness) -> None:
    bot.expected = [NotAllowedError, NotAdmittedError]
    manager = bot.member("manager", manage_guild=True)
    bot.client.owner_id = 1
    result = await manager.slash(bot.channel, "studio admit")
    assert private(result) == "Only the bot's owner can do that."
    refused = await bot.imagine(manager, prompt="a fox")
    assert private(refused).startswith("The studio is not open")


async def test_studio_command_is_hidden_from_members(bot: BotHarness) -> None:
    """Discord shows /studio only with Manage Server."""
    member = bot.member("member")
    assert "imagine" in member.available_commands(bot.channel)
    assert not [name for name in member.available_commands(bot.channel) if name.startswith("studio")]
    with pytest.raises(SetupError):
        await member.slash(bot.channel, "studio admit")


async def test_help_names_commands_until_their_ids_are_known(bot: BotHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bot.command_sync, "command_ids", {})
    lines = panel(await bot.member("member").slash(bot.channel, "help"))
    assert lines[1].startswith("1. Send `/imagine` with a prompt.")
