"""Promises of a folder and of an object store alike."""

import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot.images.picture_store import StoredImageName, relative_path
from tests.images.picture_stores import BODY, NAME, PATH, StorePlace, incoming, open_s3, place_in_memory
from tests.support.s3_server import S3Server, new_name

THUMBNAIL = PATH.replace(".jpg", ".thumbnail")


def past() -> datetime:
    return datetime.now(UTC) - timedelta(hours=1)


def future() -> datetime:
    return datetime.now(UTC) + timedelta(hours=1)


@pytest.fixture(params=["folder", "memory", "s3"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[StorePlace]:
    """Yield an empty place."""
    match request.param:
        case "folder":
            yield StorePlace(tmp_path, None)
        case "memory":
            yield place_in_memory(tmp_path)
        case _:
            server: S3Server = request.getfixturevalue("s3_server")
            yield StorePlace(tmp_path, open_s3(server.url, server.make_bucket(new_name())))


def test_added_image_is_read_by_another_process(place: StorePlace) -> None:
    store = place.open()
    temporary = incoming(store)
    store.add(temporary, NAME)

    other = place.open("b")
    assert other.local_file(NAME.sha256, NAME.media_type).read_bytes() == BODY
    with other.borrowed(NAME.sha256, NAME.media_type) as path:
        assert path.read_bytes() == BODY
    assert other.find_size(NAME.sha256, NAME.media_type) == len(BODY)
    assert place.paths() == [PATH]
    assert not temporary.exists()


def test_borrowed_file_leaves_nothing_behind(place: StorePlace) -> None:
    place.open().add(incoming(place.open()), NAME)
    other = place.open("b")
    with other.borrowed(NAME.sha256, NAME.media_type) as path:
        assert path.read_bytes() == BODY
    assert not any(other.temporary().iterdir())
    assert path.exists() == (place.objects is None)


def test_same_image_added_twice_at_once_is_stored_once(place: StorePlace) -> None:
    stores = [place.open(name) for name in "abcd"]
    files = [incoming(store, name=f"download-{number}") for number, store in enumerate(stores)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda store, file: store.add(file, NAME), stores, files))
    assert place.paths() == [PATH]
    assert place.open("e").local_file(NAME.sha256, NAME.media_type).read_bytes() == BODY


def test_image_added_again_repairs_damage(place: StorePlace) -> None:
    store = place.open()
    store.add(incoming(store), NAME)
    place.overwrite(PATH, BODY[:9])
    store.add(incoming(store), NAME)
    assert place.open("b").local_file(NAME.sha256, NAME.media_type).read_bytes() == BODY


def test_image_of_many_megabytes_is_stored_whole(place: StorePlace) -> None:
    body = bytes(range(256)) * (20 << 12)
    name = StoredImageName(sha256=hashlib.sha256(body).hexdigest(), media_type="image/png")
    store = place.open()
    store.add(incoming(store, body), name)
    assert place.open("b").local_file(name.sha256, name.media_type).read_bytes() == body


def test_missing_image_is_a_missing_file(place: StorePlace) -> None:
    store = place.open()
    for read in (store.local_file, store.read_thumbnail, lambda *name: store.borrowed(*name).__enter__()):
        with pytest.raises(FileNotFoundError):
            read(NAME.sha256, NAME.media_type)
    assert store.find_size(NAME.sha256, NAME.media_type) is None
    assert not store.touch(NAME.sha256, NAME.media_type)
    assert store.remove(NAME.sha256, NAME.media_type, older_than=future())


def test_only_old_image_is_removed(place: StorePlace) -> None:
    store = place.open()
    store.add(incoming(store), NAME)
    assert not store.remove(NAME.sha256, NAME.media_type, older_than=past())
    assert store.local_file(NAME.sha256, NAME.media_type).read_bytes() == BODY

    assert store.remove(NAME.sha256, NAME.media_type, older_than=future())
    assert place.paths() == []
    with pytest.raises(FileNotFoundError):
        store.local_file(NAME.sha256, NAME.media_type)


def test_removal_by_another_process_is_seen(place: StorePlace) -> None:
    store, other = place.open(), place.open("b")
    store.add(incoming(store), NAME)
    other.remove(NAME.sha256, NAME.media_type, older_than=future())
    assert store.find_size(NAME.sha256, NAME.media_type) is None
    assert not place.open("c").touch(NAME.sha256, NAME.media_type)


def test_thumbnail_goes_with_its_image(place: StorePlace) -> None:
    store = place.open()
    store.add(incoming(store), NAME)
    assert store.read_thumbnail(NAME.sha256, NAME.media_type) is None
    store.add_thumbnail(NAME.sha256, NAME.media_type, b"small")
    assert place.open("b").read_thumbnail(NAME.sha256, NAME.media_type) == b"small"
    assert sorted([PATH, THUMBNAIL]) == place.paths()
    assert [each.sha256 for each in store.files()] == [NAME.sha256]

    store.remove(NAME.sha256, NAME.media_type, older_than=future())
    assert place.paths() == []
    store.add_thumbnail(NAME.sha256, NAME.media_type, b"small")  # its image is gone
    assert place.paths() == []


def test_files_are_listed_with_size_and_time(place: StorePlace) -> None:
    store = place.open()
    store.add(incoming(store), NAME)
    store.keep_inline(b"not decoded yet")
    place.overwrite("notes.txt", b"not ours")

    (found,) = store.files()
    assert (found.sha256, found.media_type, found.size) == (NAME.sha256, NAME.media_type, len(BODY))
    assert past() < found.modified < future()


def test_image_of_an_answer_is_taken_by_another_process(place: StorePlace) -> None:
    store, other = place.open(), place.open("b")
    name = store.keep_inline(BODY)
    assert [name] == list(other.inline_names())
    copy = other.copy_inline(name)
    assert copy.read_bytes() == BODY
    assert copy.parent == other.temporary()
    copy.unlink()

    assert store.sweep_inline(older_than=past()) == 0
    other.drop_inline(name)
    other.drop_inline(name)
    with pytest.raises(FileNotFoundError):
        store.copy_inline(name)
    store.keep_inline(BODY, name)
    assert store.sweep_inline(older_than=future()) == 1
    assert place.paths() == []


@pytest.mark.parametrize("name", ["../secret", "/etc/hostname", "", ".", "0" * 31, "0" * 32 + "/../../secret"])
def test_no_other_file_is_named_as_an_image_of_an_answer(place: StorePlace, name: str) -> None:
    store = place.open()
    store.keep_inline(BODY)
    with pytest.raises(FileNotFoundError):
        store.copy_inline(name)
    store.drop_inline(name)
    assert len(place.paths()) == 1


@pytest.mark.parametrize(
    ("sha256", "media_type"),
    [("../../etc/passwd", "image/png"), (NAME.sha256.upper(), "image/png"), (NAME.sha256, "text/html")],
)
def test_invalid_hash_or_type_has_no_path(sha256: str, media_type: str) -> None:
    with pytest.raises(ValueError, match="not a stored picture"):
        relative_path(sha256, media_type)


def test_probe_leaves_nothing_behind(place: StorePlace) -> None:
    store = place.open()
    store.probe()
    assert place.paths() == []
    assert not any(store.temporary().iterdir())


def test_sweep_deletes_old_temporary_files_alone(place: StorePlace) -> None:
    store = place.open()
    store.add(incoming(store), NAME)
    left = incoming(store, name="left behind")
    assert store.sweep_temporary(older_than=past()) == 0
    assert store.sweep_temporary(older_than=future()) >= 1
    assert not left.exists()
    assert place.paths() == [PATH]
    assert store.local_file(NAME.sha256, NAME.media_type).read_bytes() == BODY
