"""The providers of this release, in the default order.

Makers of models come first, then hosts of many makers' models, then the operator's own machines, then resellers.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from bot.providers import bfl, comfyui, fal, gemini, openai_images, openrouter, reve2img, skillboss
from bot.providers.spec import ProviderSpec

_LIKE_OPENAI: Final = {spec.name: spec for spec in openai_images.SPECS}
PROVIDERS: Final[Mapping[str, ProviderSpec]] = MappingProxyType(
    {
        spec.name: spec
        for spec in (
            _LIKE_OPENAI["openai"],
            bfl.SPEC,
            gemini.SPEC,
            _LIKE_OPENAI["xai"],
            _LIKE_OPENAI["azure"],
            fal.SPEC,
            openrouter.SPEC,
            _LIKE_OPENAI["litellm"],
            comfyui.SPEC,
            _LIKE_OPENAI["localai"],
            _LIKE_OPENAI["vllm"],
            _LIKE_OPENAI["ollama"],
            skillboss.SPEC,
            reve2img.SPEC,
        )
    }
)


def can_cancel(provider: str, *, running: bool = False) -> bool:
    """Return whether a job that waits, or runs, there can be cancelled."""
    spec = PROVIDERS.get(provider)
    return spec is not None and (spec.can_cancel_running if running else spec.can_cancel)


def display_name(provider: str) -> str:
    """Return a provider's name for members.

    A provider of an older release keeps its plain name.
    """
    spec = PROVIDERS.get(provider)
    return provider if spec is None else spec.display_name
