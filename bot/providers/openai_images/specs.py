"""The shipped services with OpenAI's Images API, and an operator's own."""

from functools import partial
from typing import Final

from bot.providers.openai_images.client import OpenAiImages
from bot.providers.openai_images.profiles import PROFILES
from bot.providers.spec import ExtraSetting, ProviderSpec

_PROBE: Final = "/models"


def _spec(
    name: str,
    display_name: str,
    *,
    key: str,
    key_description: str,
    url: str,
    default_url: str = "",
    needs_key: bool = True,
    extras: tuple[ExtraSetting, ...] = (),
) -> ProviderSpec:
    profile = PROFILES[name]
    return ProviderSpec(
        name=name,
        display_name=display_name,
        key_setting=key,
        key_description=key_description,
        url_setting=url,
        default_url=default_url,
        probe_path=_PROBE,
        build=partial(OpenAiImages, profile=profile),
        rules=profile.rules,
        needs_key=needs_key,
        extras=extras,
        list_models=profile.list_models,
        images_per_call=profile.images_per_call,
    )


_API_VERSION: Final = ExtraSetting(
    setting="azure_openai_api_version",
    keyword="api_version",
    kind=str,
    default="",
    description="takes a version of Azure's API, such as 2025-04-01-preview",
)

SPECS: Final = (
    _spec(
        "openai",
        "OpenAI",
        key="openai_api_key",
        key_description="takes an OpenAI key",
        url="openai_api_url",
        default_url="https://api.openai.com/v1",
    ),
    _spec(
        "xai",
        "xAI",
        key="xai_api_key",
        key_description="takes an xAI key",
        url="xai_api_url",
        default_url="https://api.x.ai/v1",
    ),
    _spec(
        "azure",
        "Azure OpenAI",
        key="azure_openai_api_key",
        key_description="takes a key of an Azure OpenAI resource",
        url="azure_openai_url",
        extras=(_API_VERSION,),
    ),
    _spec(
        "litellm",
        "LiteLLM",
        key="litellm_api_key",
        key_description="takes a key of the LiteLLM proxy",
        url="litellm_url",
        needs_key=False,
    ),
    _spec(
        "localai",
        "LocalAI",
        key="localai_api_key",
        key_description="takes a key of LocalAI",
        url="localai_url",
        needs_key=False,
    ),
    _spec(
        "vllm",
        "vLLM",
        key="vllm_api_key",
        key_description="takes a key of vLLM",
        url="vllm_url",
        needs_key=False,
    ),
    _spec(
        "ollama",
        "Ollama",
        key="ollama_api_key",
        key_description="takes a key of Ollama",
        url="ollama_url",
        needs_key=False,
    ),
)


def service_spec(
    name: str, *, display_name: str, profile: str, url: str, key_variable: str | None, api_version: str = ""
) -> ProviderSpec:
    """Return the spec of an operator's own service."""
    chosen = PROFILES[profile]
    return ProviderSpec(
        name=name,
        display_name=display_name,
        key_setting="" if key_variable is None else key_variable.lower(),
        key_description="",
        url_setting="",
        default_url=url,
        probe_path=_PROBE,
        build=partial(OpenAiImages, profile=chosen, api_version=api_version),
        rules=chosen.rules,
        needs_key=key_variable is not None,
        is_service=True,
        list_models=chosen.list_models,
        images_per_call=chosen.images_per_call,
    )
