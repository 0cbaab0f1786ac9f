from typing import Any, cast

import discord
import pytest

from sandbox.discord import ClientRefusal, DiscordServer, Upload, buttons, media, text
from tests.sandbox.discord.fixture_bot import PATIENCE, FixtureBot, picture


def raw(interaction: discord.Interaction) -> dict[str, Any]:
    """Return an interaction's raw data."""
    return cast("dict[str, Any]", interaction.data)


async def test_a_dynamic_button_works_as_long_as_its_message(server: DiscordServer, bot: FixtureBot) -> None:
    """A press reaches the button's class by its custom_id, and the message changes in place."""
    del bot
    invocation = await server.actor("member").slash("imagine", prompt="a lighthouse")
    message = await invocation.wait_until(lambda each: bool(media(each)))
    pressed = await server.actor("member-two").click(message, label="Again")
    assert await pressed.response() is message
    assert text(message) == "again 77"
    again = await server.actor("member").click(message, custom_id="a1:again:77")
    await again.acknowledged()
    assert len(message.revisions) == 4


async def test_only_what_is_there_can_be_pressed(server: DiscordServer, bot: FixtureBot) -> None:
    """A missing, a disabled and somebody else's button are refused; a hostile client presses anyway."""
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


async def test_a_menu_is_chosen_from(server: DiscordServer, bot: FixtureBot) -> None:
    """Values of a select must be offered; members and roles are picked by name."""
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


async def test_a_form_is_filled_in(server: DiscordServer, bot: FixtureBot) -> None:
    """Text, choice and file come back as they were filled in."""
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
async def test_a_form_refuses_what_it_does_not_take(
    server: DiscordServer, bot: FixtureBot, values: dict[str, object], reason: str
) -> None:
    """The client keeps a person from sending a form that is not filled in right."""
    del bot
    member = server.actor("member")
    opened = await member.slash("form")
    with pytest.raises(ClientRefusal, match=reason):
        await member.submit_modal(opened, values)
    with pytest.raises(ClientRefusal, match="somebody else"):
        await server.actor("moderator").submit_modal(opened, {"prompt": "x"})


async def test_a_message_menu_gets_its_message(server: DiscordServer, bot: FixtureBot) -> None:
    """A menu on a message hands the whole message to the bot."""
    del bot
    message = await server.actor("member").say("spam")
    used = await server.actor("member-two").context_menu("Report", message)
    assert text(await used.response()) == "reported spam"
    with pytest.raises(ClientRefusal, match="no menu"):
        await server.actor("member").context_menu("Praise", message)
