"""Translations of commands for Discord."""

from pathlib import Path
from typing import Final

import discord
from discord import app_commands
from discord.app_commands import TranslationContextLocation as Location
from discord.app_commands import TranslationContextTypes, locale_str

from bot.ui.i18n import _, has_catalogue, has_catalogues, use_locale
from bot.ui.truncation import cut

# Commands and options are called the same everywhere: texts and help name them.
_NAMES: Final = (Location.command_name, Location.group_name, Location.parameter_name)
_LONGEST: Final = 100


class CommandTranslator(app_commands.Translator):
    """Translator of descriptions and choice names. `folder` is for tests."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder

    def has_translations(self) -> bool:
        """Return whether there is a language to translate into."""
        return has_catalogues(self._folder)

    async def translate(
        self, string: locale_str, locale: discord.Locale, context: TranslationContextTypes
    ) -> str | None:
        """Return the text in a language, or None if it equals the English one.

        It is cut to 100 characters: Discord would reject all commands for a longer one.
        """
        if context.location in _NAMES or not has_catalogue(locale.value, self._folder):
            return None
        with use_locale(locale.value, self._folder):
            said = _(string.message)
        return None if said == string.message else cut(said, _LONGEST)
