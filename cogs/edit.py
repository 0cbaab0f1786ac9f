"""`/edit`, `/blend` and the message menu "Edit this image"."""

from collections.abc import Iterable, Mapping
from typing import Any

import discord
from discord import app_commands
from discord.app_commands import locale_str
from discord.ext import commands

from bot.client import AtelierClient
from bot.domain.images import InputImage
from bot.domain.option_spec import MAX_WORD
from bot.domain.presets import MAX_NAME
from bot.domain.requests import BLEND_PROMPT
from bot.services.jobs import JobService
from bot.ui.command_options import OTHER_DESCRIPTIONS, image_options
from bot.ui.handlers.edit_menu import EditMenu
from bot.ui.handlers.job_requests import JobRequests
from bot.ui.handlers.message_images import offered
from bot.ui.handlers.presets import PresetHandlers

_ANY = (InputImage(),)


class Edit(commands.Cog):
    """Edits of a member's own images."""

    def __init__(
        self,
        *,
        client: AtelierClient,
        jobs: JobService,
        requests: JobRequests,
        presets: PresetHandlers,
        edit_menu: EditMenu,
    ) -> None:
        self._client = client
        self._jobs = jobs
        self._requests = requests
        self._presets = presets
        self._edit_menu = edit_menu
        self._menu = app_commands.ContextMenu(name=locale_str("Edit this image"), callback=self._edit_message)
        self._menu.guild_only = True

    async def cog_load(self) -> None:
        """Register the message menu."""
        self._client.tree.add_command(self._menu)

    @app_commands.command(name="edit", description=locale_str("Edit your pictures with a prompt"))
    @app_commands.guild_only()
    @app_commands.describe(
        prompt=locale_str("Say what to change; the rest stays as it is"),
        image=locale_str("Attach the picture to change: PNG, JPEG, WebP or GIF, up to 20 MiB"),
        image2=locale_str("Attach another picture as reference"),
        image3=locale_str("Attach another picture as reference"),
        image4=locale_str("Attach another picture as reference"),
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
        """Request images. Attachments are checked by Discord's metadata first."""
        pictures = (image, image2, image3, image4)
        await self._create(interaction, prompt, pictures, options, preset=preset, private=private)

    @app_commands.command(name="blend", description=locale_str("Blend two to four pictures into one"))
    @app_commands.guild_only()
    @app_commands.describe(
        image=locale_str("Attach the first picture; it gives the aspect ratio"),
        image2=locale_str("Attach a picture to blend with it"),
        image3=locale_str("Attach a picture to blend with it"),
        image4=locale_str("Attach a picture to blend with it"),
        prompt=locale_str("Say how to blend them"),
        model=locale_str("Model for the blend; else your own default"),
        private=locale_str(OTHER_DESCRIPTIONS["private"]),
    )
    async def blend(
        self,
        interaction: discord.Interaction[Any],
        /,
        *,
        image: discord.Attachment,
        image2: discord.Attachment,
        image3: discord.Attachment | None = None,
        image4: discord.Attachment | None = None,
        prompt: str = BLEND_PROMPT,
        model: app_commands.Range[str, 1, MAX_WORD] | None = None,
        private: bool | None = None,
    ) -> None:
        """Request an edit of several images."""
        pictures = (image, image2, image3, image4)
        await self._create(interaction, prompt, pictures, {"model": model}, private=private)

    async def _create(
        self,
        interaction: discord.Interaction[Any],
        prompt: str,
        attachments: Iterable[discord.Attachment | None],
        options: Mapping[str, Any],
        *,
        preset: str | None = None,
        private: bool | None = None,
    ) -> None:
        pictures = [offered(each) for each in attachments if each is not None]
        await self._requests.create(
            interaction,
            prompt=prompt,
            options=options,
            preset=preset,
            private=private,
            inputs=self._jobs.check_attachments(pictures),
            input_ratio=pictures[0].aspect_ratio,
        )

    async def _edit_message(self, interaction: discord.Interaction[Any], message: discord.Message) -> None:
        await self._edit_menu.ask(interaction, message)

    @edit.autocomplete("model")
    @blend.autocomplete("model")
    async def _models(self, interaction: discord.Interaction[Any], typed: str) -> list[app_commands.Choice[str]]:
        return await self._requests.model_choices(interaction, typed, inputs=_ANY)

    @edit.autocomplete("effect")
    async def _effects(self, _: discord.Interaction[Any], typed: str) -> list[app_commands.Choice[str]]:
        return self._requests.effect_choices(typed)

    @edit.autocomplete("preset")
    async def _preset_choices(
        self, interaction: discord.Interaction[Any], typed: str
    ) -> list[app_commands.Choice[str]]:
        return await self._presets.choices(interaction, typed)
