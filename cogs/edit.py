"""`/edit` and the message menu "Edit this image": pictures from pictures."""

from typing import Any

import discord
from discord import app_commands
from discord.app_commands import locale_str
from discord.ext import commands

from bot.domain.presets import MAX_NAME
from bot.domain.requests import InputImage
from bot.services.jobs import JobService
from bot.ui.command_options import OTHER_DESCRIPTIONS, image_options
from bot.ui.handlers.edit_menu import EditMenu
from bot.ui.handlers.message_images import offered
from bot.ui.handlers.wishes import Wishes

_ANY = (InputImage(),)


class Edit(commands.Cog):
    """What starts from a member's own pictures. `menu` is the message menu, which the client registers."""

    def __init__(self, *, generation: JobService, wishes: Wishes, editing: EditMenu) -> None:
        self._generation = generation
        self._wishes = wishes
        self._editing = editing
        self.menu = app_commands.ContextMenu(name=locale_str("Edit this image"), callback=self._edit_message)
        self.menu.guild_only = True

    @app_commands.command(name="edit", description=locale_str("Change pictures of yours by a prompt"))
    @app_commands.guild_only()
    @app_commands.describe(
        prompt=locale_str("Say what to change; the rest stays as it is"),
        image=locale_str("Attach the picture to change: PNG, JPEG, WebP or GIF, up to 20 MiB"),
        image2=locale_str("Attach another picture to go by"),
        image3=locale_str("Attach another picture to go by"),
        image4=locale_str("Attach another picture to go by"),
        preset=locale_str(OTHER_DESCRIPTIONS["preset"]),
        private=locale_str(OTHER_DESCRIPTIONS["private"]),
    )
    @image_options(after="image4", editing=True)
    async def edit(
        self,
        interaction: discord.Interaction[Any],
        /,
        *,
        prompt: str,
        image: discord.Attachment,
        image2: discord.Attachment | None = None,
        image3: discord.Attachment | None = None,
        image4: discord.Attachment | None = None,
        preset: app_commands.Range[str, 1, MAX_NAME] | None = None,
        private: bool | None = None,
        **options: Any,
    ) -> None:
        """Order the pictures: what was attached is judged by what Discord says of it, and fetched afterwards."""
        pictures = [offered(each) for each in (image, image2, image3, image4) if each is not None]
        await self._wishes.order(
            interaction,
            prompt=prompt,
            options=options,
            preset=preset,
            private=private,
            inputs=self._generation.check_attachments(pictures),
            shape=pictures[0].shape,
        )

    async def _edit_message(self, interaction: discord.Interaction[Any], message: discord.Message) -> None:
        await self._editing.ask(interaction, message)

    @edit.autocomplete("model")
    async def _models(self, interaction: discord.Interaction[Any], typed: str) -> list[app_commands.Choice[str]]:
        return await self._wishes.models(interaction, typed, inputs=_ANY)

    @edit.autocomplete("preset")
    async def _presets(self, interaction: discord.Interaction[Any], typed: str) -> list[app_commands.Choice[str]]:
        return await self._wishes.presets(interaction, typed)
