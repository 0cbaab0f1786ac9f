"""The sandbox as a whole: with which settings it starts the bot."""

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.settings import load_settings
from sandbox.runner import BotEndedError, Sandbox

QUIT = [sys.executable, "-c", "raise SystemExit(3)"]


@pytest.fixture
async def sandbox(tmp_path: Path) -> AsyncIterator[Sandbox]:
    """Return a sandbox with a bot that ends at once."""
    sandbox = Sandbox(command=QUIT, folder=tmp_path / "sandbox")
    with pytest.raises(BotEndedError) as ended:
        await sandbox.start()
    assert ended.value.code == 3
    yield sandbox
    await sandbox.close()


async def test_webhooks_reach_the_bot_after_another_start_too(sandbox: Sandbox) -> None:
    """The bot's web server has an address of its own, and keeps it."""
    before = sandbox.environment()
    with pytest.raises(BotEndedError):
        await sandbox.start_bot()

    assert before["WEBHOOK_PUBLIC_URL"] == sandbox.bot_url == f"http://127.0.0.1:{before['HTTP_PORT']}"
    assert before["HTTP_HOST"] == "127.0.0.1"
    assert sandbox.environment() == before


async def test_the_bot_takes_every_setting(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """None is refused, and the webhook's address is one that the image API accepts."""
    for name, value in sandbox.environment().items():
        monkeypatch.setenv(name, value)
    settings = load_settings()

    assert settings.webhook_public_url == sandbox.bot_url
    assert settings.http_port == int(sandbox.bot_url.rpartition(":")[2])
