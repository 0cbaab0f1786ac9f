from typing import Any, cast

import discord
import pytest

from sandbox.discord import ClientRefusal, DiscordServer, Upload, buttons, media, text
from tests.sandbox.discord.fixture_bot import PATIENCE, FixtureBot, picture


def raw(interaction: discord.Interaction) -> dict[str, Any]:
    """Return an interaction's raw data."""
    return cast("dict[str, Any]", interaction.data)


async def test_press_of_dynamic_button_updates_message(server: DiscordServer, bot: FixtureBot) -> None:
    del bot
    invocation = await server.actor("member").slash("imagine", prompt="a lighthouse")
    message = await invocation.wait_until(lambda each: bool(media(each)))
    pressed = await server.actor("member-two").click(message, label="Again")
    assert await pressed.response() is message
    assert text(message) == "again 77"
    again = await server.actor("member").click(message, custom_id="a1:again:77")
    await again.acknowledged()
    assert len(message.revisions) == 4


async def test_press_of_missing_disabled_or_foreign_button_is_refused(server: DiscordServer, bot: FixtureBot) -> None:
    """An unchecked press is sent anyway."""
    coming = bot.next_quiet()
    invocation = await server.actor("member").slash("quiet")
    interaction = await coming
    view = discord.ui.View(timeout=None)
    view.add_item(discord.ui.Button(label="Off", custom_id="off", disabled=True))
    view.add_item(discord.ui.Button(label="Docs", url="https://example.com"))
    await interaction.response.send_message("private", view=view, ephemeral=True)
    message = await invocation.response()
    member = server.actor("member")
    assert [each["label"] for each in buttons(message)] == ["Off", "Docs"]
    for label, reason in (("On", "no such button"), ("Off", "cannot be pressed"), ("Docs", "cannot be pressed")):
        with pytest.raises(ClientRefusal, match=reason):
            await member.click(message, label=label)
    with pytest.raises(ClientRefusal, match="does not see"):
        await server.actor("moderator").click(message, label="Off")
    pressed = bot.wait_for("interaction", timeout=PATIENCE)
    await member.click(message, custom_id="a1:gone:1", unchecked=True)
    assert (await pressed).data == {"component_type": 2, "custom_id": "a1:gone:1", "id": 1}


async def test_select_accepts_offered_values_members_and_roles(server: DiscordServer, bot: FixtureBot) -> None:
    coming = bot.next_quiet()
    invocation = await server.actor("member").slash("quiet")
    interaction = await coming
    view = discord.ui.View(timeout=None)
    menu = discord.ui.Select[discord.ui.View](custom_id="m", options=[discord.SelectOption(label="One", value="1")])
    view.add_item(menu)
    view.add_item(discord.ui.UserSelect(custom_id="u"))
    await interaction.response.send_message("choose", view=view)
    message = await invocation.response()
    member = server.actor("member")
    with pytest.raises(ClientRefusal, match="offers"):
        await member.select(message, ["2"], custom_id="m")
    chosen = bot.wait_for("interaction", timeout=PATIENCE)
    await member.select(message, ["1"], custom_id="m")
    assert raw(await chosen)["values"] == ["1"]
    picked = bot.wait_for("interaction", timeout=PATIENCE)
    await member.select(message, ["moderator"], custom_id="u")
    moderator = server.world.user("moderator").id
    assert raw(await picked)["resolved"]["members"].keys() == {moderator}


async def test_modal_returns_text_choice_and_file(server: DiscordServer, bot: FixtureBot) -> None:
    del bot
    member = server.actor("member")
    opened = await member.slash("form")
    assert (await opened.modal())["title"] == "Edit"
    sent = await member.submit_modal(
        opened, {"prompt": "a boat", "model": ["reve-2.0"], "image": [Upload("b.png", picture())]}
    )
    answer = await sent.response()
    assert text(answer) == "a boat ['reve-2.0'] ['b.png']"
    assert answer.ephemeral


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({}, "prompt is required"),
        ({"prompt": "x" * 51}, "characters"),
        ({"prompt": "x", "model": ["dall-e"]}, "offers"),
        ({"prompt": "x", "style": "y"}, "has no style"),
    ],
)
async def test_modal_with_invalid_values_is_refused(
    server: DiscordServer, bot: FixtureBot, values: dict[str, object], reason: str
) -> None:
    del bot
    member = server.actor("member")
    opened = await member.slash("form")
    with pytest.raises(ClientRefusal, match=reason):
        await member.submit_modal(opened, values)
    with pytest.raises(ClientRefusal, match="somebody else"):
        await server.actor("moderator").submit_modal(opened, {"prompt": "x"})


async def test_message_menu_hands_over_message(server: DiscordServer, bot: FixtureBot) -> None:
    del bot
    message = await server.actor("member").say("spam")
    used = await server.actor("member-two").context_menu("Report", message)
    assert text(await used.response()) == "reported spam"
    with pytest.raises(ClientRefusal, match="no menu"):
        await server.actor("member").context_menu("Praise", message)
