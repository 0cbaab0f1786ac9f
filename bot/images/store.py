"""Image files in a folder, each under the hash of its content.

The database decides which to keep.
"""

import errno
import hashlib
import os
import re
import secrets
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from bot.domain.images import ImageFile
from bot.images.picture_store import EXTENSIONS, THUMBNAIL, StoredFile, StoredImageName, relative_path

_PROBE_BYTES: Final = 4096
_INLINE: Final = "inline"
_INLINE_NAME: Final = re.compile(r"[0-9a-f]{32}")


class ImageStore:
    """Files `root/ab/cd/<sha256>.<extension>`, always complete.

    An image may have a thumbnail beside it, `<sha256>.thumbnail`, which goes with it. `root/inline` has images that
    came in a provider's answer and were not decoded yet.

    A file is readable and complete at any instant, even after a crash. Every method blocks (`add` flushes to
    the disk), so call them in a worker. A full or read-only disk raises OSError and leaves no temporary file.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._temporary = root / "tmp"

    def temporary(self) -> Path:
        """Return the folder for incoming files; create it if missing.

        It is on the store's file system.
        """
        self._temporary.mkdir(parents=True, exist_ok=True)
        return self._temporary

    def keep_inline(self, data: bytes, name: str | None = None) -> str:
        """Write an image as it came in an answer, and return its name.

        It is on the disk when this returns, even after a power cut.
        """
        folder = self._root / _INLINE
        if not folder.is_dir():
            folder.mkdir(parents=True, exist_ok=True)
            _sync_folder(self._root)
        name = name or secrets.token_hex(16)
        temporary = self.temporary() / f"inline-{name}"
        try:
            with temporary.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(folder / name)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        _sync_folder(folder)
        return name

    def copy_inline(self, name: str) -> Path:
        """Copy an image of `keep_inline` to a temporary file.

        Its age is reset.

        Raises:
            FileNotFoundError: there is none.
        """
        path = self._inline_path(name)
        os.utime(path)
        with tempfile.NamedTemporaryFile(dir=self.temporary(), prefix="inline-", delete=False) as file:
            copy = Path(file.name)
        try:
            shutil.copyfile(path, copy)
        except BaseException:
            copy.unlink(missing_ok=True)
            raise
        return copy

    def drop_inline(self, name: str) -> None:
        """Delete an image of `keep_inline`, if it is still there."""
        with suppress(FileNotFoundError):
            self._inline_path(name).unlink()

    def _inline_path(self, name: str) -> Path:
        """Return the path of an image of `keep_inline`.

        Raises:
            FileNotFoundError: this is not a name of it: no other file may be named so.
        """
        if not _INLINE_NAME.fullmatch(name):
            raise FileNotFoundError(errno.ENOENT, "not an image of an answer")
        return self._root / _INLINE / name

    def sweep_inline(self, *, older_than: datetime) -> int:
        """Delete images of `keep_inline` not used since `older_than`.

        Return their number. A job that gives up its images leaves them.
        """
        return _sweep((self._root / _INLINE).glob("*"), older_than)

    def probe(self) -> None:
        """Write, flush and delete a small file; raises OSError if impossible."""
        with tempfile.NamedTemporaryFile(dir=self.temporary(), prefix="probe-") as file:
            file.write(b"\0" * _PROBE_BYTES)
            file.flush()
            os.fsync(file.fileno())

    def add(self, temporary: Path, image: ImageFile | StoredImageName) -> None:
        """Move a file out of `temporary()` into the store, as `image` says.

        The same content is stored once. The temporary file is gone afterwards, even if this raises.
        """
        try:
            with temporary.open("rb") as file:
                os.fsync(file.fileno())
            target = self.path(image.sha256, image.media_type)
            self._make_folder(target.parent)
            # Replace an existing file too: that resets its age and repairs damage.
            temporary.replace(target)
            _sync_folder(target.parent)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise

    def path(self, sha256: str, media_type: str) -> Path:
        """Return the path of an image, stored or not.

        Raises:
            ValueError: This is not a hash, or not a known media type.
        """
        return self._root / relative_path(sha256, media_type)

    def local_file(self, sha256: str, media_type: str) -> Path:
        """Return the file of a stored image.

        Raises:
            FileNotFoundError: the image is not in the store.
        """
        path = self.path(sha256, media_type)
        if not path.is_file():
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        return path

    @contextmanager
    def borrowed(self, sha256: str, media_type: str) -> Iterator[Path]:
        """Yield the file of a stored image; raises as `local_file`."""
        yield self.local_file(sha256, media_type)

    def read_thumbnail(self, sha256: str, media_type: str) -> bytes | None:
        """Return a stored image's thumbnail, or None if it has none.

        Raises:
            FileNotFoundError: the image is not in the store.
        """
        path = self.path(sha256, media_type)
        path.stat()
        try:
            return path.with_suffix(THUMBNAIL).read_bytes()
        except FileNotFoundError:
            return None

    def add_thumbnail(self, sha256: str, media_type: str, data: bytes) -> None:
        """Store an image's thumbnail, unless the image is gone."""
        path = self.path(sha256, media_type)
        thumbnail = path.with_suffix(THUMBNAIL)
        with tempfile.NamedTemporaryFile(dir=self.temporary(), prefix="thumbnail-", delete=False) as file:
            temporary = Path(file.name)
            try:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
                temporary.replace(thumbnail)
            except BaseException:
                temporary.unlink(missing_ok=True)
                raise
        # `remove` takes the image away before its thumbnail, so one of both removes this one.
        if not path.exists():
            thumbnail.unlink(missing_ok=True)

    def find_size(self, sha256: str, media_type: str) -> int | None:
        """Return the bytes of an image in the store; None if missing."""
        try:
            return self.path(sha256, media_type).stat().st_size
        except FileNotFoundError:
            return None

    def is_sound(self, sha256: str, media_type: str) -> bool:
        """Read an image in the store; return False if missing or damaged."""
        try:
            with self.path(sha256, media_type).open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest() == sha256
        except FileNotFoundError:
            return False

    def touch(self, sha256: str, media_type: str) -> bool:
        """Reset an image's age, so that `remove` leaves it; False if not stored."""
        try:
            os.utime(self.path(sha256, media_type))
        except FileNotFoundError:
            return False
        return True

    def remove(self, sha256: str, media_type: str, *, older_than: datetime) -> bool:
        """Delete an image; return True if it is gone, now or before.

        An image stored since `older_than` stays. The file is moved aside before its age is read, so that an image
        stored again at this moment is not lost.
        """
        path = self.path(sha256, media_type)
        aside = self.temporary() / f"old-{secrets.token_hex(8)}"
        try:
            path.rename(aside)
        except FileNotFoundError:
            return True
        if aside.stat().st_mtime >= older_than.timestamp():
            aside.replace(path)
            return False
        path.with_suffix(THUMBNAIL).unlink(missing_ok=True)
        aside.unlink()
        return True

    def files(self) -> Iterator[StoredFile]:
        """Yield all images in no particular order.

        An image is stored before its row is written, so a recent file without a row is not an orphan.
        """
        for path in self._root.glob("??/??/*.*"):
            name = StoredImageName.parse(path.name)
            if name is None:
                continue
            try:
                stat = path.stat()
            except FileNotFoundError:  # removed meanwhile
                continue
            modified = datetime.fromtimestamp(stat.st_mtime, UTC)
            yield StoredFile(sha256=name.sha256, media_type=name.media_type, size=stat.st_size, modified=modified)

    def inline_names(self) -> Iterator[str]:
        """Yield the names of all images of `keep_inline`."""
        for path in (self._root / _INLINE).glob("*"):
            if _INLINE_NAME.fullmatch(path.name):
                yield path.name

    def sweep_temporary(self, *, older_than: datetime) -> int:
        """Delete temporary files not written since `older_than`; count them.

        A crash leaves such files, and thumbnails without an image. Other processes may be writing there: leave files
        longer than a download takes.
        """
        return _sweep((*self.temporary().iterdir(), *self._lone_thumbnails()), older_than)

    def _lone_thumbnails(self) -> Iterator[Path]:
        for path in self._root.glob(f"??/??/*{THUMBNAIL}"):
            if not any(path.with_suffix(f".{extension}").exists() for extension in EXTENSIONS.values()):
                yield path

    def _make_folder(self, folder: Path) -> None:
        """Make the two levels of folders, and have them on the disk."""
        if folder.is_dir():
            return
        folder.mkdir(parents=True, exist_ok=True)
        _sync_folder(folder.parent)
        _sync_folder(self._root)


def _sweep(paths: Iterable[Path], older_than: datetime) -> int:
    """Delete the files not written since a time; return their number."""
    removed = 0
    for path in paths:
        try:
            if path.stat().st_mtime < older_than.timestamp():
                path.unlink()
                removed += 1
        except FileNotFoundError:  # taken meanwhile
            continue
    return removed


def _sync_folder(folder: Path) -> None:
    """Flush the folder's entries, so that a power cut undoes no rename."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
