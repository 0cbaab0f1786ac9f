"""Copying all images from one store to another."""

import errno
import hashlib
import secrets
import shutil
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import islice
from typing import Final, TypeVar

from bot.images.picture_store import PictureStore, StoredImageName

SizedName = tuple[StoredImageName, int]
"""The name of an image, and its bytes."""

_Item = TypeVar("_Item")
_AT_ONCE: Final = 8
_PAGE: Final = 500


class CopyOutcome(StrEnum):
    """The outcome of one image's copy."""

    COPIED = "copied"
    THERE_BEFORE = "there_before"
    DAMAGED = "damaged"
    MISSING = "missing"


@dataclass(slots=True)
class CopyCount:
    """Numbers of images by outcome, and of undecoded ones."""

    copied: int = 0
    there_before: int = 0
    damaged: int = 0
    missing: int = 0
    undecoded: int = 0

    def add(self, outcome: CopyOutcome) -> None:
        """Count an image."""
        setattr(self, outcome, getattr(self, outcome) + 1)


def copy_images(
    source: PictureStore,
    target: PictureStore,
    files: Iterable[SizedName],
    on_page: Callable[[CopyCount], None],
) -> CopyCount:
    """Copy the images missing at the target; read each copy back.

    Images of answers that are not decoded yet are copied too. `source` stays as it is. A second run copies what is new
    or was not finished. `on_page` is called now and then.

    Raises:
        OSError: a store cannot be used.
    """
    count = CopyCount()
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="copy") as pool:
        for page in _pages(iter(files)):
            for outcome in pool.map(lambda each: _copy(source, target, *each), page):
                count.add(outcome)
            on_page(count)
    for name in source.inline_names():
        count.undecoded += _copy_inline(source, target, name)
    return count


def _copy(source: PictureStore, target: PictureStore, name: StoredImageName, size: int) -> CopyOutcome:
    if target.find_size(name.sha256, name.media_type) == size:
        return CopyOutcome.THERE_BEFORE
    temporary = target.temporary() / f"move-{secrets.token_hex(8)}"
    try:
        with source.borrowed(name.sha256, name.media_type) as path:
            shutil.copyfile(path, temporary)
        with temporary.open("rb") as copy:
            if hashlib.file_digest(copy, "sha256").hexdigest() != name.sha256:
                return CopyOutcome.DAMAGED
        target.add(temporary, name)
    except FileNotFoundError:  # or damaged, in a bucket
        return CopyOutcome.MISSING
    finally:
        temporary.unlink(missing_ok=True)
    if not target.is_sound(name.sha256, name.media_type):
        raise OSError(errno.EIO, "a copy differs from its picture")
    return CopyOutcome.COPIED


def _copy_inline(source: PictureStore, target: PictureStore, name: str) -> bool:
    try:
        copy = source.copy_inline(name)
    except FileNotFoundError:  # decoded meanwhile
        return False
    try:
        target.keep_inline(copy.read_bytes(), name)
    finally:
        copy.unlink(missing_ok=True)
    return True


def delete_images(store: PictureStore, older_than: datetime) -> int:
    """Delete all images of an unused store; return their number."""
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="delete") as pool:
        deleted = sum(
            sum(pool.map(lambda each: store.remove(each.sha256, each.media_type, older_than=older_than), page))
            for page in _pages(store.files())
        )
    store.sweep_inline(older_than=older_than)
    store.sweep_temporary(older_than=older_than)
    return deleted


def find_missing(store: PictureStore, files: Iterable[SizedName], *, read: bool) -> list[StoredImageName]:
    """Return the images missing in a store, or of another size.

    With `read`, also those with other content.
    """

    def is_there(each: SizedName) -> bool:
        name, size = each
        if store.find_size(name.sha256, name.media_type) != size:
            return False
        return not read or store.is_sound(name.sha256, name.media_type)

    missing = []
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="check") as pool:
        for page in _pages(iter(files)):
            found = pool.map(is_there, page)
            missing += [name for (name, _), there in zip(page, found, strict=True) if not there]
    return missing


def _pages(items: Iterator[_Item]) -> Iterator[list[_Item]]:
    while page := list(islice(items, _PAGE)):
        yield page
