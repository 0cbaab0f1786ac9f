"""OpenAI's Images API, and other services with the same API."""

from bot.providers.openai_images.client import OpenAiImages
from bot.providers.openai_images.profiles import PROFILES, Profile
from bot.providers.openai_images.specs import SPECS, service_spec

__all__ = ["PROFILES", "SPECS", "OpenAiImages", "Profile", "service_spec"]
