"""Responses to presses and forms: updated cards and further messages."""

from typing import Any

import discord
import pytest

from sandbox.discord import DiscordServer, Invocation, Message, media, text
from tests.sandbox.discord.fixture_bot import PATIENCE, FixtureBot, Form, card, picture, png

Asking = tuple[Message, Invocation, discord.Interaction]


def asking_card() -> discord.ui.LayoutView:
    """Return a card that asks something, with a picture."""
    view = card("which one?", "attachment://small.png")
    view.add_item(discord.ui.ActionRow(discord.ui.Button[Any](label="Go", custom_id="go")))
    return view


async def asking(server: DiscordServer, bot: FixtureBot, *, ephemeral: bool = False) -> Asking:
    """Have a card that asks, and press its button; the test answers."""
    coming = bot.next_quiet()
    invocation = await server.actor("member").slash("quiet")
    await (await coming).response.send_message(view=asking_card(), files=[png("small.png")], ephemeral=ephemeral)
    message = await invocation.response()
    pressing = bot.wait_for("interaction", timeout=PATIENCE)
    pressed = await server.actor("member").click(message, label="Go")
    return message, pressed, await pressing


async def test_a_card_becomes_another_one(server: DiscordServer, bot: FixtureBot) -> None:
    """Answered with UPDATE_MESSAGE and files, then edited and deleted by that press's own token, in its place."""
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


async def test_a_press_carries_the_message_with_fresh_addresses(server: DiscordServer, bot: FixtureBot) -> None:
    """What its pictures show can be read again at once."""
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


async def test_a_private_card_is_answered_in_public(server: DiscordServer, bot: FixtureBot) -> None:
    """A press on what only one person sees may be answered with a message for all."""
    message, pressed, interaction = await asking(server, bot, ephemeral=True)

    await interaction.response.send_message(view=card("for all"))
    await interaction.followup.send("for one", ephemeral=True)

    answer = await pressed.response()
    assert (answer.ephemeral, pressed.followups[0].ephemeral, message.ephemeral) == (False, True, True)
    assert [text(each) for each in server.actor("moderator").sees()] == ["for all"]


async def test_a_private_card_stays_private(server: DiscordServer, bot: FixtureBot) -> None:
    """Turned into another one and edited, nobody else sees it, and its files are short-lived."""
    message, _, interaction = await asking(server, bot, ephemeral=True)

    await interaction.response.edit_message(view=card("working"), attachments=[])
    await interaction.edit_original_response(view=card("done", "attachment://a.png"), attachments=[png()])

    assert (message.ephemeral, text(message)) == (True, "done")
    assert "/ephemeral-attachments/" in media(message)[0]["url"]
    assert server.actor("moderator").sees() == []


async def test_a_form_of_a_card_carries_the_message(server: DiscordServer, bot: FixtureBot) -> None:
    """What a press opened knows the card that was pressed."""
    message, pressed, interaction = await asking(server, bot)
    await interaction.response.send_modal(Form(timeout=5))
    await pressed.modal()
    coming = bot.wait_for("interaction", timeout=PATIENCE)

    await server.actor("member").submit_modal(pressed, {"prompt": "a boat"})

    filled = await coming
    assert filled.message is not None
    assert filled.message.id == int(message.id)


async def test_a_form_may_update_the_card(server: DiscordServer, bot: FixtureBot) -> None:
    """UPDATE_MESSAGE to a form changes the message on which the form was opened."""

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
