"""Settings of the bot in the sandbox, and the token between starts."""

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.settings import load_settings
from sandbox.runner import BotEndedError, Sandbox

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
