"""Services of MODELS_FILE: providers without code."""

import traceback
from datetime import date
from pathlib import Path

import httpx
import pytest
import structlog

from bot.catalogue_file import load_catalogue_file
from bot.catalogue_file.schema import SERVICE_NAME
from bot.domain.errors import ProviderError
from bot.domain.requests import GenerationRequest
from bot.factories import build_catalogue, build_providers
from bot.providers.base import Finished
from bot.providers.registry import PROVIDERS
from bot.settings import Settings, SettingsError, load_settings
from sandbox.providers import Latency, OpenAiImagesServer
from tests.support.submissions import submission

SECRET = "sk-s3cret-value-0123456789"
PROMPT = "a lighthouse whose lamp is a small moon"
FILE = """
[services.together]
shape = "openai"
url = "{url}"
key_variable = "TOGETHER_API_KEY"
display_name = "Together AI"

[models.flux-fast]
good_at = "quick drafts"
max_prompt = 2000
credits.text = 3
[models.flux-fast.offers.together]
remote_model = "gpt-image-2"
usd = [{{ valid_from = 2026-01-01, text = 0.01 }}]
"""


@pytest.fixture(autouse=True)
def _bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Start without variables and `.env`."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.chdir(tmp_path)


def use(monkeypatch: pytest.MonkeyPatch, text: str = FILE.format(url="https://api.example.com/v1")) -> Path:
    """Write and set MODELS_FILE."""
    file = Path("own.toml")
    file.write_text(text)
    monkeypatch.setenv("MODELS_FILE", str(file))
    return file


def mistakes() -> tuple[str, ...]:
    """Return the lines about wrong settings."""
    with pytest.raises(SettingsError) as caught:
        load_settings()
    return caught.value.lines


def test_service_is_a_provider_after_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch)
    monkeypatch.setenv("TOGETHER_API_KEY", SECRET)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-other")
    settings = load_settings()

    assert settings.providers == ("openai", "together")
    assert settings.specs["together"].display_name == "Together AI"
    assert settings.api_url_of("together") == "https://api.example.com/v1"
    assert SECRET not in repr(settings)
    monkeypatch.setenv("PROVIDER_ORDER", "together,openai")
    assert load_settings().providers == ("together", "openai")
    monkeypatch.setenv("PROVIDER_ORDER", "openai")
    assert load_settings().providers == ("openai",)


def test_key_of_a_service_may_be_in_the_env_file(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch)
    Path(".env").write_text(f'TOGETHER_API_KEY="{SECRET}"\n')

    key = load_settings().key_of("together")

    assert key is not None
    assert key.get_secret_value() == SECRET


def test_unset_key_of_a_service_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch)

    assert mistakes() == ("TOGETHER_API_KEY is not set: services.together in own.toml has its key there",)


def test_illegible_key_of_a_service_is_one_line_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch)
    monkeypatch.setenv("TOGETHER_API_KEY", f"{SECRET} {SECRET}")

    assert mistakes() == ("TOGETHER_API_KEY has a space in its value: copy it again",)


@pytest.mark.parametrize("variable", ["DISCORD_TOKEN", "DATABASE_URL", "KEY_OF"])
def test_other_setting_is_no_key_of_a_service(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    use(monkeypatch, FILE.format(url="https://api.example.com/v1").replace("TOGETHER_API_KEY", variable))
    monkeypatch.setenv("DISCORD_TOKEN", SECRET)

    (line,) = mistakes()

    where = "MODELS_FILE own.toml: services.together.key_variable"
    assert line == f"{where} takes the name of a variable of its own, and {variable} is another setting"


def test_service_may_share_the_key_of_a_provider(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, FILE.format(url="https://eu.example.com/v1").replace("TOGETHER_API_KEY", "OPENAI_API_KEY"))
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)

    assert load_settings().providers == ("openai", "together")


def test_unknown_provider_is_named_with_the_services(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch)
    monkeypatch.setenv("TOGETHER_API_KEY", SECRET)
    monkeypatch.setenv("PROVIDER_ORDER", "nobody")

    known = ", ".join([*PROVIDERS, "reve", "together"])
    assert mistakes() == (f"PROVIDER_ORDER takes names of providers with commas between: {known}",)


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ('shape = "openai"', 'shape = "sdapi"', "services.together.shape takes openai"),
        (
            'shape = "openai"',
            'shape = "openai"\nprofile = "bedrock"',
            "services.together.profile takes one of openai, azure, xai, litellm, localai, vllm, ollama",
        ),
        ("https:", "ftp:", "services.together.url takes an http:// or https:// address"),
        ("https:", "http:", "services.together.url takes an https:// address (http:// only on this machine)"),
        (
            "TOGETHER_API_KEY",
            "sk-secret",
            "services.together.key_variable takes the name of an environment variable, such as MY_KEY",
        ),
        (
            "services.together",
            "services.OPENAI",
            f"services.OPENAI is no name of a service: it takes {SERVICE_NAME}",
        ),
        ("key_variable =", "key =", None),
    ],
)
def test_mistake_in_a_service_is_one_line(
    monkeypatch: pytest.MonkeyPatch, old: str, new: str, line: str | None
) -> None:
    text = FILE.format(url="https://api.example.com/v1").replace(old, new, 1)
    use(monkeypatch, text)

    lines = mistakes()

    line = line or (
        "services.together.key is no key; known are: shape, profile, url, key_variable, display_name, api_version"
    )
    assert f"MODELS_FILE own.toml: {line}" in lines
    assert not any("sk-secret" in each for each in lines)


def test_name_of_a_provider_is_no_service(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, '[services.openai]\nshape = "openai"\nurl = "https://api.example.com"')

    (line,) = mistakes()

    assert line.startswith("MODELS_FILE own.toml: services.openai is no name of a service")


def test_offer_of_a_service_is_in_the_catalogue(monkeypatch: pytest.MonkeyPatch) -> None:
    file = use(monkeypatch)
    monkeypatch.setenv("TOGETHER_API_KEY", SECRET)
    settings = load_settings()

    catalogue = build_catalogue(settings, settings.providers, date(2026, 11, 30))

    assert [model.id for model in catalogue.models] == ["flux-fast"]
    assert list(load_catalogue_file(file).services) == ["together"]


@pytest.mark.parametrize(("profile", "expected"), [("ollama", 1), ("openai", None)])
def test_offer_of_a_service_makes_as_many_images_as_a_call_can(
    monkeypatch: pytest.MonkeyPatch, profile: str, expected: int | None
) -> None:
    text = FILE.format(url="https://api.example.com/v1").replace(
        'shape = "openai"', f'shape = "openai"\nprofile = "{profile}"'
    )
    (offer,) = [each for each in load_catalogue_file(use(monkeypatch, text)).offers if each.provider == "together"]

    assert offer.images_per_call == expected


async def test_service_generates_and_keeps_its_key_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    server = OpenAiImagesServer(key=SECRET, latency=Latency(queue=0.0, work=0.0))
    await server.start()
    use(monkeypatch, FILE.format(url=f"{server.url}/v1"))
    monkeypatch.setenv("TOGETHER_API_KEY", SECRET)
    settings = load_settings()
    offer = build_catalogue(settings, settings.providers, date(2026, 11, 30)).offers[0]
    described = submission(GenerationRequest(prompt=PROMPT, model="flux-fast"), offer)
    async with httpx.AsyncClient() as client:
        provider = build_providers(settings, client)["together"]
        finished = await provider.submit(described)
        server.faults.play("key_refused")
        with structlog.testing.capture_logs() as logs, pytest.raises(ProviderError) as caught:
            await provider.submit(described)
    await server.close()

    assert isinstance(finished, Finished)
    assert finished.image_files == server.jobs[0].pictures
    assert caught.value.provider == provider.name == "together"
    shown = "".join(traceback.format_exception(caught.value)) + str(logs) + repr(provider) + caught.value.detail
    assert SECRET not in shown
    assert PROMPT not in shown


@pytest.mark.parametrize(
    ("profile", "root", "more", "path"),
    [
        ("xai", "/v1", "", "/v1/images/generations"),
        ("azure", "/openai", 'api_version = "2025-04-01"', "/openai/deployments/pictures/images/generations"),
    ],
)
async def test_profile_of_a_service_decides_what_is_sent(
    monkeypatch: pytest.MonkeyPatch, profile: str, root: str, more: str, path: str
) -> None:
    server = OpenAiImagesServer(profile=profile, key=SECRET, latency=Latency(queue=0.0, work=0.0))
    await server.start()
    text = FILE.format(url=f"{server.url}{root}").replace(
        'shape = "openai"', f'shape = "openai"\nprofile = "{profile}"'
    )
    remote = {"xai": "grok-imagine-image-2.0", "azure": "pictures"}[profile]
    use(monkeypatch, text.replace("[models.flux-fast]", f"{more}\n[models.flux-fast]").replace("gpt-image-2", remote))
    monkeypatch.setenv("TOGETHER_API_KEY", SECRET)
    settings = load_settings()
    offer = build_catalogue(settings, settings.providers, date(2026, 11, 30)).offers[0]
    async with httpx.AsyncClient() as client:
        provider = build_providers(settings, client)["together"]
        finished = await provider.submit(submission(GenerationRequest(prompt=PROMPT, model="flux-fast"), offer))
    await server.close()

    assert isinstance(finished, Finished)
    (sent,) = server.requests
    assert sent.path == path
    assert ("aspect_ratio" in sent.body) is (profile == "xai")
