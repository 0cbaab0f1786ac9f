import hashlib
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot.domain.images import ImageFile
from bot.images.store import ImageStore
from tests.images.samples import files_in

BODY = b"the store does not look inside"
SHA256 = hashlib.sha256(BODY).hexdigest()
FILE = ImageFile(sha256=SHA256, media_type="image/jpeg", width=3, height=2, size=len(BODY))


def temporary(store: ImageStore, name: str = "download-1") -> Path:
    """Return a temporary file for the store."""
    path = store.temporary() / name
    path.write_bytes(BODY)
    return path


def test_added_image_is_stored_under_hash(tmp_path: Path) -> None:
    """The file is moved."""
    store = ImageStore(tmp_path / "new" / "pictures")

    store.add(temporary(store), FILE)

    path = tmp_path / "new" / "pictures" / SHA256[:2] / SHA256[2:4] / f"{SHA256}.jpg"
    assert path == store.path(SHA256, "image/jpeg")
    assert [path] == files_in(tmp_path)
    assert path.read_bytes() == BODY
    assert store.find_size(SHA256, "image/jpeg") == len(BODY)
    assert store.find_size(SHA256, "image/png") is None


def test_same_image_is_stored_once(tmp_path: Path) -> None:
    """Adding it again repairs a damaged file."""
    store = ImageStore(tmp_path)
    store.add(temporary(store), FILE)
    store.path(SHA256, "image/jpeg").write_bytes(b"damaged")

    store.add(temporary(store), FILE)
    assert [store.path(SHA256, "image/jpeg")] == files_in(tmp_path)
    assert store.path(SHA256, "image/jpeg").read_bytes() == BODY


def test_image_is_removed(tmp_path: Path) -> None:
    """A missing one counts as removed."""
    store = ImageStore(tmp_path)
    store.add(temporary(store), FILE)

    future, past = datetime.now(UTC) + timedelta(hours=1), datetime.now(UTC) - timedelta(hours=1)
    assert not store.remove(SHA256, "image/jpeg", older_than=past)
    assert store.find_size(SHA256, "image/jpeg") == len(BODY)
    assert store.remove(SHA256, "image/jpeg", older_than=future)
    assert store.remove(SHA256, "image/jpeg", older_than=future)
    assert not any(store.temporary().iterdir())
    assert files_in(tmp_path) == []


@pytest.mark.parametrize(
    ("sha256", "media_type"),
    [
        ("../../etc/passwd", "image/png"),
        (SHA256.upper(), "image/png"),
        (SHA256 + "\n", "image/png"),
        (SHA256, "text/html"),
    ],
)
def test_invalid_hash_or_type_has_no_path(tmp_path: Path, sha256: str, media_type: str) -> None:
    with pytest.raises(ValueError, match="not a stored picture"):
        ImageStore(tmp_path).path(sha256, media_type)


@pytest.mark.parametrize("failing", ["os.fsync", "pathlib.Path.replace"])
def test_full_disk_leaves_no_temporary_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str) -> None:
    """The OSError is raised."""
    store = ImageStore(tmp_path)
    path = temporary(store)

    def full(*_arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(failing, full)
    with pytest.raises(OSError, match="No space left"):
        store.add(path, FILE)

    assert files_in(tmp_path) == []


def test_file_appears_only_when_complete(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is flushed before the rename, the folder after."""
    store = ImageStore(tmp_path)
    path = temporary(store)
    steps: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def watched_fsync(handle: int) -> None:
        steps.append("folder" if Path(f"/proc/self/fd/{handle}").resolve().is_dir() else "file")
        fsync(handle)

    def watched_replace(source: Path, target: Path) -> Path:
        steps.append("replace")
        return replace(source, target)

    monkeypatch.setattr(os, "fsync", watched_fsync)
    monkeypatch.setattr(Path, "replace", watched_replace)
    store.add(path, FILE)

    assert steps == ["file", "folder", "folder", "replace", "folder"]


def test_store_lists_images_only(tmp_path: Path) -> None:
    """Other files are ignored."""
    store = ImageStore(tmp_path)
    store.add(temporary(store), FILE)
    temporary(store, "download-2")
    (tmp_path / "ab" / "cd").mkdir(parents=True)
    (tmp_path / "ab" / "cd" / "notes.txt").write_text("not ours")
    os.utime(store.path(SHA256, "image/jpeg"), (1_000, 1_000))

    found = list(store.files())

    assert [(SHA256, "image/jpeg", len(BODY))] == [(file.sha256, file.media_type, file.size) for file in found]
    assert datetime.fromtimestamp(1_000, UTC) == found[0].modified


def test_sweep_removes_leftovers_of_crash(tmp_path: Path) -> None:
    """Old temporary files go; recent ones and images stay."""
    store = ImageStore(tmp_path)
    store.add(temporary(store), FILE)
    old, new = temporary(store, "old"), temporary(store, "new")
    os.utime(old, (1_000, 1_000))
    os.utime(new, (3_000, 3_000))

    assert store.sweep_temporary(older_than=datetime.fromtimestamp(2_000, UTC)) == 1
    assert sorted([new, store.path(SHA256, "image/jpeg")]) == files_in(tmp_path)


def test_thumbnail_goes_with_its_image(tmp_path: Path) -> None:
    store = ImageStore(tmp_path)
    store.add(temporary(store), FILE)
    assert store.read_thumbnail(SHA256, "image/jpeg") is None
    store.add_thumbnail(SHA256, "image/jpeg", b"small")
    assert store.read_thumbnail(SHA256, "image/jpeg") == b"small"
    assert [each.sha256 for each in store.files()] == [SHA256]

    future, past = datetime.now(UTC) + timedelta(hours=1), datetime.now(UTC) - timedelta(hours=1)
    store.remove(SHA256, "image/jpeg", older_than=past)
    assert store.read_thumbnail(SHA256, "image/jpeg") == b"small"
    store.remove(SHA256, "image/jpeg", older_than=future)
    assert files_in(tmp_path) == []
    with pytest.raises(FileNotFoundError):
        store.read_thumbnail(SHA256, "image/jpeg")


def test_thumbnail_of_image_removed_meanwhile_is_not_kept(tmp_path: Path) -> None:
    store = ImageStore(tmp_path)
    store.add(temporary(store), FILE)
    store.path(SHA256, "image/jpeg").unlink()
    store.add_thumbnail(SHA256, "image/jpeg", b"small")
    assert files_in(tmp_path) == []


def test_sweep_removes_thumbnail_that_lost_its_image_in_a_crash(tmp_path: Path) -> None:
    store = ImageStore(tmp_path)
    store.add(temporary(store), FILE)
    store.add_thumbnail(SHA256, "image/jpeg", b"small")
    future = datetime.now(UTC) + timedelta(hours=1)
    assert store.sweep_temporary(older_than=future) == 0
    store.path(SHA256, "image/jpeg").unlink()
    assert store.sweep_temporary(older_than=future) == 1
    assert files_in(tmp_path) == []


@pytest.mark.parametrize("name", ["../secret", "/etc/hostname", "", ".", "0" * 31, "0" * 32 + "/../../secret"])
def test_no_other_file_is_named_as_an_image_of_an_answer(tmp_path: Path, name: str) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(BODY)
    store = ImageStore(tmp_path / "pictures")
    store.keep_inline(BODY)

    with pytest.raises(FileNotFoundError):
        store.copy_inline(name)
    store.drop_inline(name)
    assert secret.read_bytes() == BODY
