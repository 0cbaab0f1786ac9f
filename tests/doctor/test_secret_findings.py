"""Findings about secrets in files and the bot's own key."""

from pathlib import Path

import pytest

from bot.doctor.secrets import check_secret_files, check_secret_key
from bot.secret_key import KEY_FILE, load_secret_key
from bot.settings import Settings, load_settings
from tests.doctor.fake_services import TOKEN, FakeServices


async def test_secrets_from_files_are_listed_and_open_ones_warned_about(
    services: FakeServices, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    del services  # for its empty environment
    for name, mode in {"DISCORD_TOKEN": 0o600, "FAL_KEY": 0o644}.items():
        file = tmp_path / name
        file.write_text(TOKEN)
        file.chmod(mode)
        monkeypatch.setenv(f"{name}_FILE", str(file))
    listed, warning = await check_secret_files(load_settings())
    assert (listed.what, listed.is_warning) == ("read from files: DISCORD_TOKEN, FAL_KEY", False)
    assert warning.what == "FAL_KEY_FILE: other users of this machine can read the file"
    assert warning.remedy == f"Run: chmod o= {tmp_path / 'FAL_KEY'}"
    assert warning.is_warning


async def test_no_secret_file_is_no_finding() -> None:
    assert await check_secret_files(Settings()) == []


async def test_missing_key_needs_a_shared_one_with_postgresql_alone(tmp_path: Path) -> None:
    (finding,) = await check_secret_key(Settings.model_validate({"data_dir": tmp_path}))
    assert (finding.what, finding.is_warning) == ("the bot's own key will be made at the start", False)
    several = {"data_dir": tmp_path, "database_url": "postgresql+asyncpg://a:b@localhost/atelier"}
    (finding,) = await check_secret_key(Settings.model_validate(several))
    assert finding.what.startswith("SECRET_KEY is not set: processes on several machines need the same")
    assert finding.is_warning
    (finding,) = await check_secret_key(Settings.model_validate({**several, "secret_key": "k" * 32}))
    assert (finding.what, finding.is_warning) == ("SECRET_KEY is set", False)
    assert not (tmp_path / KEY_FILE).exists()


async def test_file_of_the_key_is_named_and_a_damaged_one_a_fault(tmp_path: Path) -> None:
    settings = Settings.model_validate({"data_dir": tmp_path})
    load_secret_key(None, tmp_path)
    (finding,) = await check_secret_key(settings)
    assert finding.what == f"the bot's own key is in {tmp_path / KEY_FILE}: keep a copy apart from backups"
    (tmp_path / KEY_FILE).write_text("")
    (finding,) = await check_secret_key(settings)
    assert not finding.good
    assert "is damaged" in finding.what
