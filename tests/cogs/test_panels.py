"""`/credits`, `/status`, `/help` and `/studio admit` as people see them, on simcord."""

import pytest
from simcord.backend.errors import SetupError

from bot.domain.errors import NotAdmittedError, NotAllowedError
from bot.domain.jobs import State
from tests.cogs.bot_harness import BotHarness, panel, private


async def test_the_balance_begins_with_what_can_be_spent(studio: BotHarness) -> None:
    """The first number is what the member can spend now; then where it comes from and what is held."""
    ann = studio.member("ann")
    result = await ann.slash(studio.channel, "credits balance")
    assert panel(result) == [
        "## 200 credits to spend",
        "-# 200 left of today's allowance · the next one <t:1772668800:R>",
    ]

    await studio.imagine(ann, prompt="a fox")
    result = await ann.slash(studio.channel, "credits balance")
    assert panel(result) == [
        "## 188 credits to spend",
        "-# 188 left of today's allowance · the next one <t:1772668800:R>",
        "-# 12 held for pictures under way",
    ]


@pytest.mark.studio(admitted=frozenset({1}))
async def test_no_balance_where_the_studio_is_closed(studio: BotHarness) -> None:
    """In a server that was not admitted there is no balance to see."""
    studio.expected = [NotAdmittedError]
    result = await studio.member("ann").slash(studio.channel, "credits balance")
    assert private(result).startswith("The studio is not open to this server yet.")


async def test_status_says_how_busy_it_is(studio: BotHarness) -> None:
    """The status names the line, the providers and the usual time of each model that is offered here."""
    ann = studio.member("ann")
    await studio.imagine(ann, prompt="a fox")
    await studio.reaches(State.QUEUED)
    result = await ann.slash(studio.channel, "status")
    assert panel(result) == [
        "## The studio is open",
        "0 jobs in line · 1 being drawn",
        "-# SkillBoss: working",
        "-# reve-2.0: not measured yet",
    ]


async def test_status_says_when_a_key_is_not_let_in(studio: BotHarness) -> None:
    """When the only provider rejects the operator's key, the studio is closed and says since when."""
    studio.server.faults.add("submit", "status", status=401)
    ann = studio.member("ann")
    result = await studio.imagine(ann, prompt="a fox")
    await studio.until(lambda: "left today" in studio.card(result)[-1])
    assert studio.card(result)[-1].startswith("The studio is closed for a moment")
    status = await ann.slash(studio.channel, "status")
    assert panel(status)[:3] == [
        "## The studio is closed",
        "0 jobs in line · 0 being drawn",
        "-# SkillBoss: closed since <t:1772625600:R>",
    ]


async def test_help_lists_the_models_that_are_offered(studio: BotHarness) -> None:
    """The help says how to begin and names each model that this studio offers, with its price, and no other."""
    result = await studio.member("ann").slash(studio.channel, "help")
    lines = panel(result)
    assert lines[0] == "## Make pictures from words"
    assert "`/imagine`" in lines[1]
    assert lines[5:] == [
        "**reve-2.0** · 12 credits a picture · the one you get unless you choose",
        "-# all-round, true to the prompt, good at text · 1-4 pictures · from text only",
    ]


@pytest.mark.studio(reve2img=True)
async def test_help_says_what_each_model_can_do_here(studio: BotHarness) -> None:
    """What a studio with more providers can do more is said, with what it adds to the price."""
    lines = panel(await studio.member("ann").slash(studio.channel, "help"))
    assert "`/edit`" in lines[2]
    assert lines[6:] == [
        "**reve-2.0** · 12 credits a picture, 20 an edit · the one you get unless you choose",
        "-# all-round, true to the prompt, good at text · 1-4 pictures · detail 1-15, which multiplies the price",
        "-# adds to each picture: upscale 2x 6, 3x 9, 4x 12 · remove background 6 · effect 4 · fit nothing",
        "**nano-banana** · 20 credits a picture",
        "-# quick ideas from text · 1-4 pictures · from text only",
        "**nano-banana-pro** · 70 credits a picture",
        "-# fine detail, up to 4K · 1-4 pictures · 1K, 2K, 4K (2x at 4K)",
        "**seedream-5** · 25 credits a picture",
        "-# photographs and scenes · 1-4 pictures · 1K, 2K, 4K",
    ]


@pytest.mark.studio(admitted=None)
async def test_the_owner_admits_a_server(studio: BotHarness) -> None:
    """Unless the settings name the servers, the application's owner opens the studio to a server by a command.

    simcord says that the bot owns itself, so the owner is named on the client, as discord.py allows.
    """
    studio.expected = [NotAdmittedError, NotAllowedError]
    boss, ann = studio.member("boss", manage_guild=True), studio.member("ann")
    studio.client.owner_id = boss.id

    before = await studio.imagine(ann, prompt="a fox")
    assert private(before).startswith("The studio is not open to this server yet.")

    admitted = await boss.slash(studio.channel, "studio admit")
    assert panel(admitted) == ["This server is admitted to the studio. Its members can use `/imagine` now."]
    again = await boss.slash(studio.channel, "studio admit")
    assert panel(again) == panel(admitted)

    after = await studio.imagine(ann, prompt="a fox")
    assert studio.card(after)[-1].startswith("In line")


@pytest.mark.studio(admitted=None)
async def test_a_server_cannot_admit_itself(studio: BotHarness) -> None:
    """Whoever runs the server but not the bot is refused, and the server stays out."""
    studio.expected = [NotAllowedError, NotAdmittedError]
    manager = studio.member("manager", manage_guild=True)
    studio.client.owner_id = 1
    result = await manager.slash(studio.channel, "studio admit")
    assert private(result) == "Only the bot's owner can do that."
    refused = await studio.imagine(manager, prompt="a fox")
    assert private(refused).startswith("The studio is not open")


async def test_members_are_not_offered_the_studio_command(studio: BotHarness) -> None:
    """Discord shows /studio only to those who manage the server."""
    ann = studio.member("ann")
    assert "imagine" in ann.available_commands(studio.channel)
    assert not [name for name in ann.available_commands(studio.channel) if name.startswith("studio")]
    with pytest.raises(SetupError):
        await ann.slash(studio.channel, "studio admit")
