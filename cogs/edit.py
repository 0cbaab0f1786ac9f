"""`/edit` and the message menu "Edit this image": pictures from pictures."""

from typing import Any

import discord
from discord import app_commands
from discord.app_commands import locale_str
from discord.ext import commands

from bot.domain.models import MAX_DETAIL, MAX_IMAGES
from bot.domain.presets import MAX_NAME
from bot.domain.requests import MAX_WORD, InputImage
from bot.services.jobs import JobService
from bot.ui.command_options import CHOICES, DESCRIBED, fit_choices, version_choices
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
        **DESCRIBED
        | {
            "prompt": locale_str("Say what to change; the rest stays as it is"),
            "image": locale_str("Attach the picture to change: PNG, JPEG, WebP or GIF, up to 20 MiB"),
            "image2": locale_str("Attach another picture to go by"),
            "image3": locale_str("Attach another picture to go by"),
            "image4": locale_str("Attach another picture to go by"),
            "aspect_ratio": locale_str("Choose width to height; else the picture's own, as nearly as possible"),
        }
    )
    @app_commands.choices(**CHOICES)
    async def edit(
        self,
        interaction: discord.Interaction[Any],
        *,
        prompt: str,
        image: discord.Attachment,
        image2: discord.Attachment | None = None,
        image3: discord.Attachment | None = None,
        image4: discord.Attachment | None = None,
        model: app_commands.Range[str, 1, MAX_WORD] | None = None,
        aspect_ratio: str | None = None,
        images: app_commands.Range[int, 1, MAX_IMAGES] | None = None,
        detail: app_commands.Range[int, 1, MAX_DETAIL] | None = None,
        format: str | None = None,  # noqa: A002 - the option's name
        resolution: str | None = None,
        upscale: str | None = None,
        remove_background: bool | None = None,
        fit: app_commands.Range[str, 1, MAX_WORD] | None = None,
        effect: app_commands.Range[str, 1, MAX_WORD] | None = None,
        version: app_commands.Range[str, 1, MAX_WORD] | None = None,
        preset: app_commands.Range[str, 1, MAX_NAME] | None = None,
        private: bool | None = None,
    ) -> None:
        """Order the pictures: what was attached is judged by what Discord says of it, and fetched afterwards."""
        pictures = [offered(each) for each in (image, image2, image3, image4) if each is not None]
        options = {
            "model": model,
            "aspect_ratio": aspect_ratio,
            "images": images,
            "detail": detail,
            "format": format,
            "resolution": resolution,
            "upscale": upscale,
            "remove_background": remove_background,
            "fit": fit,
            "effect": effect,
            "version": version,
        }
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

    @edit.autocomplete("fit")
    async def _fits(self, _: discord.Interaction[Any], typed: str) -> list[app_commands.Choice[str]]:
        return fit_choices(typed)

    @edit.autocomplete("version")
    async def _versions(self, _: discord.Interaction[Any], typed: str) -> list[app_commands.Choice[str]]:
        return version_choices(typed)
