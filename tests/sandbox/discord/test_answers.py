"""Responses to presses and forms: updated cards and further messages."""

from typing import Any

import discord
import pytest

from sandbox.discord import DiscordServer, Invocation, Message, media, text
from tests.sandbox.discord.fixture_bot import PATIENCE, FixtureBot, Form, card, picture, png

Asking = tuple[Message, Invocation, discord.Interaction]


def asking_card() -> discord.ui.LayoutView:
    """Return a card with a question and a picture."""
    view = card("which one?", "attachment://small.png")
    view.add_item(discord.ui.ActionRow(discord.ui.Button[Any](label="Go", custom_id="go")))
    return view


async def asking(server: DiscordServer, bot: FixtureBot, *, ephemeral: bool = False) -> Asking:
    """Have a card with a question, and press its button; the test answers."""
    coming = bot.next_quiet()
    invocation = await server.actor("member").slash("quiet")
    await (await coming).response.send_message(view=asking_card(), files=[png("small.png")], ephemeral=ephemeral)
    message = await invocation.response()
    pressing = bot.wait_for("interaction", timeout=PATIENCE)
    pressed = await server.actor("member").click(message, label="Go")
    return message, pressed, await pressing


async def test_update_by_press_replaces_card_in_place(server: DiscordServer, bot: FixtureBot) -> None:
    """The press's own token then edits and deletes it."""
    message, pressed, interaction = await asking(server, bot)
    after = await server.actor("member").say("later")

    view = card("in line", "attachment://large.png")
    await interaction.response.edit_message(view=view, attachments=[png("large.png", width=60)])
    assert await pressed.response() is message
    assert [each.filename for each in message.attachments.values()] == ["large.png"]
    assert media(message)[0]["width"] == 60

    original = await interaction.original_response()
    assert original.id == int(message.id)
    await interaction.edit_original_response(view=card("done", "attachment://end.png"), attachments=[png("end.png")])
    assert text(message) == "done"
    assert server.actor("member").sees() == [message, after]

    await interaction.delete_original_response()
    assert server.actor("member").sees() == [after]
    with pytest.raises(discord.NotFound) as caught:
        await interaction.edit_original_response(view=card("too late"))
    assert caught.value.code == 10008


async def test_press_carries_message_with_fresh_addresses(server: DiscordServer, bot: FixtureBot) -> None:
    _, _, interaction = await asking(server, bot)
    assert interaction.message is not None
    gallery = next(each for each in interaction.message.components if isinstance(each, discord.MediaGalleryComponent))

    server.expire_addresses()
    _, _, again = await asking(server, bot)

    assert again.message is not None
    fresh = next(each for each in again.message.components if isinstance(each, discord.MediaGalleryComponent))
    assert await bot.http.get_from_cdn(fresh.items[0].media.url) == picture()
    with pytest.raises(discord.NotFound):
        await bot.http.get_from_cdn(gallery.items[0].media.url)


async def test_press_on_ephemeral_card_can_be_answered_in_public(server: DiscordServer, bot: FixtureBot) -> None:
    message, pressed, interaction = await asking(server, bot, ephemeral=True)

    await interaction.response.send_message(view=card("for all"))
    await interaction.followup.send("for one", ephemeral=True)

    answer = await pressed.response()
    assert (answer.ephemeral, pressed.followups[0].ephemeral, message.ephemeral) == (False, True, True)
    assert [text(each) for each in server.actor("moderator").sees()] == ["for all"]


async def test_ephemeral_card_updated_by_press_stays_ephemeral(server: DiscordServer, bot: FixtureBot) -> None:
    """Its files stay short-lived too."""
    message, _, interaction = await asking(server, bot, ephemeral=True)

    await interaction.response.edit_message(view=card("working"), attachments=[])
    await interaction.edit_original_response(view=card("done", "attachment://a.png"), attachments=[png()])

    assert (message.ephemeral, text(message)) == (True, "done")
    assert "/ephemeral-attachments/" in media(message)[0]["url"]
    assert server.actor("moderator").sees() == []


async def test_modal_opened_by_press_carries_card(server: DiscordServer, bot: FixtureBot) -> None:
    message, pressed, interaction = await asking(server, bot)
    await interaction.response.send_modal(Form(timeout=5))
    await pressed.modal()
    coming = bot.wait_for("interaction", timeout=PATIENCE)

    await server.actor("member").submit_modal(pressed, {"prompt": "a boat"})

    filled = await coming
    assert filled.message is not None
    assert filled.message.id == int(message.id)


async def test_update_by_modal_changes_card(server: DiscordServer, bot: FixtureBot) -> None:
    class Turning(Form, title="Turn"):
        async def on_submit(self, interaction: discord.Interaction) -> None:
            await interaction.response.edit_message(view=card("turned"), attachments=[])
            await interaction.edit_original_response(view=card("and again"))

    message, pressed, interaction = await asking(server, bot)
    await interaction.response.send_modal(Turning(timeout=5))
    await pressed.modal()

    sent = await server.actor("member").submit_modal(pressed, {"prompt": "a boat"})
    turned = await sent.wait_until(lambda each: text(each) == "and again")

    assert turned is message
