"""Names of the services, and a model of each image API to try it with."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A service for people.

    The bot sends jobs for `model` to it first; None if there is no such model.
    """

    name: str
    model: str | None = None


SERVICES: Final = {
    "skillboss": Service(name="SkillBoss", model="reve-2.0"),
    "reve2img": Service(name="reve2img", model="seedream-5"),
    "fal": Service(name="fal", model="flux-3"),
    "bfl": Service(name="Black Forest Labs", model="flux-2-max"),
    "openai": Service(name="OpenAI", model="gpt-image-2.6-flare"),
    "openrouter": Service(name="OpenRouter", model="nano-banana-2.1"),
    "gemini": Service(name="Gemini", model="gemini-3.1-flash-lite-image"),
    "comfyui": Service(name="ComfyUI", model="local-sdxl"),
    "discord": Service(name="Discord"),
}
"""Services by their name in the code."""
