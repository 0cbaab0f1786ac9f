"""Image files in an object store, each under the hash of its content.

The keys are the paths of the folder's files. Beside the images there are `inline/`, `kept/`, `removing/` and `probe/`.
"""

import errno
import os
import re
import secrets
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePosixPath
from typing import Final

import structlog

from bot.domain.images import ImageFile
from bot.images.local_copies import LocalCopies
from bot.images.object_client import ObjectClient
from bot.images.picture_store import EXTENSIONS, THUMBNAIL, StoredFile, StoredImageName, relative_path
from bot.images.store_faults import PictureStoreError, StoreProblem

_INLINE: Final = "inline"
_KEPT: Final = "kept"
_REMOVING: Final = "removing"
_PROBE: Final = "probe"
_INLINE_NAME: Final = re.compile(r"[0-9a-f]{32}")
_INLINE_RENEWED_AFTER: Final = timedelta(hours=6)
_TRIES: Final = 2
# Much less than the two minutes for which `remove` is told to leave a new image.
_NEW_SECONDS: Final = 30.0
# A removal that has not deleted by then gives up; one that crashed holds nobody up for longer.
_REMOVAL_SECONDS: Final = 60.0
_ABANDONED: Final = timedelta(minutes=3)
_PUTS: Final = 3
_REMOVAL_POLLS: Final = 50
_REMOVAL_POLL_SECONDS: Final = 0.2
_MOST_NEW: Final = 1000

_log = structlog.get_logger(__name__)


class ObjectImageStore:
    """A `PictureStore` in a bucket; see there for the methods.

    An object cannot be moved aside as a file can, so `remove` announces itself under `removing/` before it looks at
    the age, and `add` and `touch` look for that after they made the image young. These stores are consistent: of two
    that meet, one sees the other, and the image stays or is stored again. `touch` writes to `kept/`, because the age of
    an object changes only with its content.

    Reads are checked against the hash. `copies` keeps what was just stored or read.
    """

    def __init__(
        self,
        objects: ObjectClient,
        copies: LocalCopies,
        *,
        sleep: Callable[[float], None] = time.sleep,
        monotonic: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._objects = objects
        self._copies = copies
        self._sleep = sleep
        self._monotonic = monotonic
        self._now = now
        self._new: dict[str, float] = {}

    def temporary(self) -> Path:
        """Return a local folder for incoming files."""
        return self._copies.temporary()

    def keep_inline(self, data: bytes, name: str | None = None) -> str:
        """Store an image as it came in an answer, and return its name."""
        name = name or secrets.token_hex(16)
        self._objects.put(f"{_INLINE}/{name}", data)
        return name

    def copy_inline(self, name: str) -> Path:
        """Copy an image of `keep_inline` to a temporary file."""
        found = self._objects.read(f"{_INLINE}/{name}") if _INLINE_NAME.fullmatch(name) else None
        if found is None:
            raise _missing()
        data, described = found
        if self._now() - described.modified > _INLINE_RENEWED_AFTER:
            self.keep_inline(data, name)  # that resets its age
        with tempfile.NamedTemporaryFile(dir=self.temporary(), prefix="inline-", delete=False) as file:
            copy = Path(file.name)
            try:
                file.write(data)
            except BaseException:
                copy.unlink(missing_ok=True)
                raise
        return copy

    def drop_inline(self, name: str) -> None:
        """Delete an image of `keep_inline`, if it is still there."""
        if _INLINE_NAME.fullmatch(name):
            self._objects.delete(f"{_INLINE}/{name}")

    def sweep_inline(self, *, older_than: datetime) -> int:
        """Delete images of `keep_inline` not used since `older_than`."""
        return self._sweep(_INLINE, older_than)

    def probe(self) -> None:
        """Write, read and delete a small object, and write a local file."""
        with tempfile.NamedTemporaryFile(dir=self.temporary(), prefix="probe-") as file:
            file.write(b"atelier")
        key, data = f"{_PROBE}/{secrets.token_hex(16)}", secrets.token_bytes(64)
        self._objects.put(key, data)
        found = self._objects.read(key)
        self._objects.delete(key)
        if found is None or found[0] != data:
            raise PictureStoreError(StoreProblem.OTHER)

    def add(self, temporary: Path, image: ImageFile | StoredImageName) -> None:
        """Store a file of `temporary()`, as `image` says."""
        key = relative_path(image.sha256, image.media_type)
        try:
            self._put_young(key, temporary)
            self._copies.keep(temporary, PurePosixPath(key).name, is_used=False)
        finally:
            temporary.unlink(missing_ok=True)
        self._note_new(key)

    def _put_young(self, key: str, content: Path) -> None:
        """Store an object so that no running removal deletes it."""
        for _ in range(_PUTS):
            # An object that is there is replaced: that resets its age and repairs damage.
            self._objects.put(key, content)
            if not self._is_being_removed(key):
                return
            self._await_removal(key)
        raise PictureStoreError(StoreProblem.OTHER)

    def _await_removal(self, key: str) -> None:
        for _ in range(_REMOVAL_POLLS):
            self._sleep(_REMOVAL_POLL_SECONDS)
            if not self._is_being_removed(key):
                return

    def _is_being_removed(self, key: str) -> bool:
        announced = self._objects.find(f"{_REMOVING}/{key}")
        return announced is not None and self._now() - announced.modified < _ABANDONED

    def local_file(self, sha256: str, media_type: str) -> Path:
        """Return a copy of a stored image, fetched if need be."""
        key = relative_path(sha256, media_type)
        name = PurePosixPath(key).name
        return self._copies.find(name) or self._copies.keep(self._fetch(key, sha256), name, is_used=True)

    @contextmanager
    def borrowed(self, sha256: str, media_type: str) -> Iterator[Path]:
        """Yield a file with a stored image; a new copy is deleted afterwards."""
        key = relative_path(sha256, media_type)
        copy = self._copies.find(PurePosixPath(key).name)
        if copy is not None:
            yield copy
            return
        fetched = self._fetch(key, sha256)
        try:
            yield fetched
        finally:
            fetched.unlink(missing_ok=True)

    def _fetch(self, key: str, sha256: str) -> Path:
        """Write an image to a temporary file."""
        for _ in range(_TRIES):
            path = self.temporary() / f"fetched-{secrets.token_hex(8)}"
            try:
                with path.open("xb") as file:
                    found = self._objects.download(key, file)
            except BaseException:
                path.unlink(missing_ok=True)
                raise
            if found == sha256:
                return path
            path.unlink(missing_ok=True)
            if found is None:
                break
            _log.error("picture.damaged_in_store", sha256=sha256)
        raise _missing()

    def read_thumbnail(self, sha256: str, media_type: str) -> bytes | None:
        """Return a stored image's thumbnail, or None if it has none."""
        found = self._objects.read(_thumbnail_key(sha256, media_type))
        if found is not None:
            return found[0]
        if self._objects.find(relative_path(sha256, media_type)) is None:
            raise _missing()
        return None

    def add_thumbnail(self, sha256: str, media_type: str, data: bytes) -> None:
        """Store an image's thumbnail, unless the image is gone."""
        key = _thumbnail_key(sha256, media_type)
        self._objects.put(key, data)
        if self._objects.find(relative_path(sha256, media_type)) is None:
            self._objects.delete(key)

    def find_size(self, sha256: str, media_type: str) -> int | None:
        """Return the bytes of an image in the store; None if missing."""
        found = self._objects.find(relative_path(sha256, media_type))
        return None if found is None else found.size

    def is_sound(self, sha256: str, media_type: str) -> bool:
        """Read an image in the store; return False if missing or damaged."""
        return self._objects.download(relative_path(sha256, media_type), None) == sha256

    def touch(self, sha256: str, media_type: str) -> bool:
        """Keep an image from `remove` as if it was new; False if not stored."""
        key = relative_path(sha256, media_type)
        if self._monotonic() - self._new.get(key, float("-inf")) < _NEW_SECONDS:
            return True
        self._objects.put(f"{_KEPT}/{key}", b"")
        if self._objects.find(key) is None or self._is_being_removed(key):
            return False
        self._note_new(key)
        return True

    def remove(self, sha256: str, media_type: str, *, older_than: datetime) -> bool:
        """Delete an image; return True if it is gone, now or before."""
        key = relative_path(sha256, media_type)
        announcement = f"{_REMOVING}/{key}"
        begun = self._monotonic()
        self._new.pop(key, None)
        self._objects.put(announcement, b"")
        try:
            if self._is_young(key, older_than) or self._monotonic() - begun > _REMOVAL_SECONDS:
                return False
            # The thumbnail first: after a crash it is with its image, or gone.
            self._objects.delete(_thumbnail_key(sha256, media_type))
            self._objects.delete(key)
            self._copies.drop(PurePosixPath(key).name)
        finally:
            self._objects.delete(announcement)
        return True

    def _is_young(self, key: str, older_than: datetime) -> bool:
        """Return whether an image was stored or kept since a time."""
        times = (found.modified for each in (key, f"{_KEPT}/{key}") if (found := self._objects.find(each)) is not None)
        return any(modified >= older_than for modified in times)

    def files(self) -> Iterator[StoredFile]:
        """Yield all images, page by page; delete thumbnails without an image.

        Such a thumbnail was being stored while its image was deleted.
        """
        lone: dict[str, str] = {}
        latest = ""  # stores list in order, so an image and its thumbnail come one after the other
        for each in self._objects.list():
            path = PurePosixPath(each.key)
            if path.suffix == THUMBNAIL and path.stem != latest:
                lone[path.stem] = each.key
            name = StoredImageName.parse(path.name)
            if name is None or relative_path(name.sha256, name.media_type) != each.key:
                continue
            latest = name.sha256
            lone.pop(latest, None)
            yield StoredFile(sha256=latest, media_type=name.media_type, size=each.size, modified=each.modified)
        for sha256, key in lone.items():
            if not self._has_image(sha256):
                self._objects.delete(key)

    def _has_image(self, sha256: str) -> bool:
        return any(self.find_size(sha256, media_type) is not None for media_type in EXTENSIONS)

    def inline_names(self) -> Iterator[str]:
        """Yield the names of all images of `keep_inline`."""
        for each in self._objects.list(_INLINE):
            name = PurePosixPath(each.key).name
            if _INLINE_NAME.fullmatch(name):
                yield name

    def sweep_temporary(self, *, older_than: datetime) -> int:
        """Delete old local files, and old marks of crashed processes."""
        removed = self._copies.sweep(older_than=older_than)
        return removed + sum(self._sweep(prefix, older_than) for prefix in (_KEPT, _REMOVING, _PROBE))

    def _sweep(self, prefix: str, older_than: datetime) -> int:
        old = [each.key for each in self._objects.list(prefix) if each.modified < older_than]
        for key in old:
            self._objects.delete(key)
        return len(old)

    def _note_new(self, key: str) -> None:
        if len(self._new) >= _MOST_NEW:
            self._new = {}
        self._new[key] = self._monotonic()


def _thumbnail_key(sha256: str, media_type: str) -> str:
    return str(PurePosixPath(relative_path(sha256, media_type)).with_suffix(THUMBNAIL))


def _missing() -> FileNotFoundError:
    return FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
