"""Settings of the bot in the sandbox, and the token between starts."""

import sys
from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path

import aiohttp
import pytest

from bot.factories import build_catalogue
from bot.settings import Settings, load_settings
from sandbox.providers import Latency, expected_mark, read_mark
from sandbox.runner import BotEndedError, Sandbox
from sandbox.web.services import SERVICES

QUIT = [sys.executable, "-c", "raise SystemExit(3)"]


async def start_once(folder: Path) -> Sandbox:
    """Start a sandbox until its bot ends, and close it."""
    sandbox = Sandbox(command=QUIT, folder=folder)
    with pytest.raises(BotEndedError):
        await sandbox.start()
    await sandbox.close()
    return sandbox


@pytest.fixture
async def sandbox(tmp_path: Path) -> AsyncIterator[Sandbox]:
    """Return a sandbox; its bot ends at once."""
    sandbox = Sandbox(command=QUIT, folder=tmp_path / "sandbox")
    with pytest.raises(BotEndedError) as ended:
        await sandbox.start()
    assert ended.value.code == 3
    yield sandbox
    await sandbox.close()


async def test_bot_url_is_same_after_restart(sandbox: Sandbox) -> None:
    before = sandbox.environment()
    with pytest.raises(BotEndedError):
        await sandbox.start_bot()

    assert before["WEBHOOK_PUBLIC_URL"] == sandbox.bot_url == f"http://127.0.0.1:{before['HTTP_PORT']}"
    assert before["HTTP_HOST"] == "127.0.0.1"
    assert sandbox.environment() == before


async def test_environment_is_accepted_by_settings(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """The image API accepts the webhook's address."""
    for name, value in sandbox.environment().items():
        monkeypatch.setenv(name, value)
    settings = load_settings()

    assert settings.webhook_public_url == sandbox.bot_url
    assert settings.http_port == int(sandbox.bot_url.rpartition(":")[2])


@pytest.fixture
def settings(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Return the bot's settings.

    The environment has a real key and an order too.
    """
    for name, value in {"XAI_API_KEY": "xai-real", "PROVIDER_ORDER": "xai", **sandbox.environment()}.items():
        monkeypatch.setenv(name, value)
    return load_settings()


async def test_bot_uses_all_fakes_and_nothing_else(sandbox: Sandbox, settings: Settings) -> None:
    assert settings.providers == tuple(sandbox.apis.servers)
    addresses = {settings.api_url_of(name) for name in settings.providers}
    addresses |= {settings.extras_of("fal")["platform_url"], settings.extras_of("fal")["jwks_url"]}
    assert len(addresses) == 10
    assert all(address.startswith("http://127.0.0.1:") for address in addresses)


async def test_each_service_gets_the_jobs_of_its_model_first(settings: Settings) -> None:
    """The panel names a model to try each service with."""
    catalogue = build_catalogue(settings, settings.providers, date(2026, 11, 30))
    models = {name: service.model for name, service in SERVICES.items() if service.model is not None}

    assert tuple(models) == settings.providers
    assert [catalogue.offers_of(model)[0].provider for model in models.values()] == list(models)
    assert catalogue.default_model == "reve-2.0"


async def test_repeated_prompt_makes_other_pictures(sandbox: Sandbox) -> None:
    """Calls with one picture each must not fill a card with equal pictures."""
    headers = {"x-goog-api-key": sandbox.environment()["GEMINI_API_KEY"]}
    body = {"contents": [{"parts": [{"text": "a heron"}]}], "generationConfig": {"responseModalities": ["IMAGE"]}}
    sandbox.apis.gemini.latency = Latency(queue=0, work=0)
    async with aiohttp.ClientSession(headers=headers) as session:
        url = f"{sandbox.apis.gemini.url}/v1beta/models/{SERVICES['gemini'].model}:generateContent"
        for _ in range(2):
            async with session.post(url, json=body) as answer:
                assert answer.status == 200, await answer.text()

    (first,), (second,) = (job.pictures for job in sandbox.apis.gemini.jobs)
    assert read_mark(first) == expected_mark("a heron", 0)
    assert read_mark(second) == expected_mark("a heron", 1)


async def test_media_are_at_addresses_of_the_settings(sandbox: Sandbox, settings: Settings) -> None:
    """The bot downloads from this machine at the addresses of APIs alone."""
    assert sandbox.apis.fal.media_url == settings.api_url_of("fal")
    assert sandbox.apis.bfl.delivery_url == settings.api_url_of("bfl")
    assert settings.trusted_download_networks == ()


async def test_page_address_has_same_token_after_restart(tmp_path: Path) -> None:
    folder = tmp_path / "sandbox"
    first = await start_once(folder)
    (folder / "leftover").touch()
    second = await start_once(folder)

    assert second.page.token == first.page.token
    assert not (folder / "leftover").exists()
    assert [each.stat().st_mode & 0o077 for each in folder.iterdir()] == [0]


@pytest.mark.parametrize("content", [b"", b"short", b"\xff" * 40, b"x" * 5000])
async def test_unusable_kept_token_is_replaced(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "page-token").write_bytes(content)

    sandbox = await start_once(tmp_path)

    assert len(sandbox.page.token) == 32
    assert (tmp_path / "page-token").read_text() == sandbox.page.token


async def test_interactions_come_over_gateway_unless_chosen(tmp_path: Path) -> None:
    over_http = Sandbox(command=QUIT, folder=tmp_path / "http", over_http=True)
    usual = Sandbox(command=QUIT, folder=tmp_path / "gateway")
    assert [each.environment()["INTERACTIONS"] for each in (over_http, usual)] == ["http", "gateway"]
