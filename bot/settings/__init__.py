"""Settings: environment variables and `.env`.

They are checked as a whole before anything starts.
"""

from bot.settings.errors import SettingsError
from bot.settings.fields import DISCORD_API_URL, ENV_FILE, Settings
from bot.settings.loading import load_settings

__all__ = ["DISCORD_API_URL", "ENV_FILE", "Settings", "SettingsError", "load_settings"]
