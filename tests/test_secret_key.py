"""The bot's own key: configured, created, shared, damaged."""

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bot.factories import build_secret_key
from bot.secret_key import KEY_FILE, SecretKey, SecretKeyError, load_secret_key
from bot.settings import Settings

CONFIGURED = "k3y-" * 8


def test_configured_key_writes_no_file(tmp_path: Path) -> None:
    settings = Settings.model_validate({"secret_key": CONFIGURED, "data_dir": tmp_path})
    assert build_secret_key(settings) == SecretKey(CONFIGURED.encode())
    assert list(tmp_path.iterdir()) == []


def test_missing_key_is_created_once_for_its_user_alone(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    before = os.umask(0)
    try:
        key = load_secret_key(None, folder)
    finally:
        os.umask(before)
    assert load_secret_key(None, folder) == key
    assert [path.name for path in folder.iterdir()] == [KEY_FILE]
    assert stat.S_IMODE((folder / KEY_FILE).stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_file_content_as_setting_is_the_same_key(tmp_path: Path) -> None:
    key = load_secret_key(None, tmp_path)
    assert load_secret_key((tmp_path / KEY_FILE).read_text().strip(), tmp_path / "elsewhere") == key


def test_racing_processes_get_one_key(tmp_path: Path) -> None:
    with ThreadPoolExecutor(16) as pool:
        keys = set(pool.map(lambda _: load_secret_key(None, tmp_path), range(64)))
    assert len(keys) == 1
    assert [path.name for path in tmp_path.iterdir()] == [KEY_FILE]


def test_derived_keys_differ_and_stay_the_same() -> None:
    """Stored hashes and encrypted keys depend on them."""
    key = SecretKey(b"0123456789abcdef0123456789abcdef")
    assert key.for_member_hashes.hex() == "647b8f0a33a0b6372bfd7547798731b7ac231165c455f937c16ea53442dd1f9c"
    assert key.for_encryption.hex() == "3402df13645a83ccb9198e106ecd42277259a0c34c45f143051505787b62ab40"
    assert "0123" not in repr(key)


@pytest.mark.parametrize("content", [b"", b"short\n", b"\xff" * 40], ids=["empty", "short", "binary"])
def test_damaged_file_is_named_and_kept(tmp_path: Path, content: bytes) -> None:
    (tmp_path / KEY_FILE).write_bytes(content)
    with pytest.raises(SecretKeyError, match=r"is damaged.* or set SECRET_KEY") as caught:
        load_secret_key(None, tmp_path)
    assert "short\n" not in str(caught.value)
    assert (tmp_path / KEY_FILE).read_bytes() == content


def test_unwritable_folder_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SecretKeyError, match="cannot be read or written: File exists"):
        load_secret_key(None, tmp_path / "file")
