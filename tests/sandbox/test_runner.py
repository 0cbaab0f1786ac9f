"""Settings of the bot in the sandbox."""

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.settings import load_settings
from sandbox.runner import BotEndedError, Sandbox

QUIT = [sys.executable, "-c", "raise SystemExit(3)"]


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
