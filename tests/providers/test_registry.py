from pathlib import Path

import httpx

from bot.providers.registry import PROVIDERS, display_name
from bot.settings import Settings
from tests.support.catalogue import SHIPPED

ROOT = Path(__file__).parents[2]


def test_registry_has_the_providers_of_the_catalogue_in_default_order() -> None:
    assert {offer.provider for offer in SHIPPED.offers} <= set(PROVIDERS)
    assert Settings.model_fields["provider_order"].default[: len(PROVIDERS)] == tuple(PROVIDERS)


def test_default_order_is_makers_hosts_own_machines_resellers() -> None:
    assert list(PROVIDERS) == [
        *("openai", "bfl", "gemini", "xai", "azure"),
        *("fal", "openrouter"),
        *("litellm", "comfyui", "localai", "vllm", "ollama"),
        *("skillboss", "reve2img"),
    ]


async def test_provider_spec_names_its_client(client: httpx.AsyncClient) -> None:
    """A client of several providers is named by its HTTP access."""
    for name, spec in PROVIDERS.items():
        named = getattr(spec.build, "name", None)
        if named is None:
            named = spec.build(spec.open_http(client, spec.default_url or "http://127.0.0.1", "key")).name
        assert name == spec.name == named


def test_provider_variables_are_settings_and_in_the_example_file() -> None:
    example = (ROOT / ".env.example").read_text()
    for spec in PROVIDERS.values():
        assert Settings.model_fields[spec.url_setting].default == (spec.default_url or None)
        assert Settings.model_fields[spec.key_setting].default is None
        assert spec.key_variable in example
        assert spec.url_variable in example


def test_display_name_of_an_unknown_provider_is_its_name() -> None:
    assert display_name("skillboss") == "SkillBoss"
    assert display_name("of-an-older-release") == "of-an-older-release"
