"""The file of a backup: a ZIP with a manifest, the database and pictures.

The database is a SQLite file, whichever kind it came from. Nothing is ever written under a name from the file.
"""

import errno
import hashlib
import lzma
import os
import shutil
import struct
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bot.images.picture_store import PictureStore, StoredImageName
from bot.images.store_faults import PictureStoreError

_MANIFEST: Final = "manifest.json"
_DATABASE: Final = "atelier.db"
_PICTURES: Final = "pictures/"
_MAX_MANIFEST: Final = 65_536
_CHUNK: Final = 1 << 20
_MEGABYTE: Final = 1 << 20
_SPARE: Final = 50 * _MEGABYTE
STORE_FAILED: Final = "The picture store cannot be used ({problem}). `atelier doctor` says more."
_DAMAGE: Final = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    LookupError,
    OverflowError,
    NotImplementedError,
    RuntimeError,
    ValueError,
)


class BackupError(Exception):
    """A backup cannot be made or restored; the message says why."""


class DatabaseFile(BaseModel):
    """The database in a backup."""

    model_config = ConfigDict(frozen=True)

    size: int = Field(ge=0)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class Manifest(BaseModel):
    """The description of a backup.

    `rows` are numbers by table. `live_jobs` had not ended. `ledger_faults` is the audit's number of mistakes.
    """

    model_config = ConfigDict(frozen=True)

    format: Literal[1] = 1
    version: str
    revision: str
    made_at: datetime
    made_from: Literal["sqlite", "postgresql"]
    database: DatabaseFile
    rows: dict[str, int]
    live_jobs: int
    ledger_faults: int
    pictures: int | None
    picture_bytes: int = 0


class BackupReader:
    """An open backup. Every error of its file is a `BackupError`."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self.manifest = self._read_manifest()
        self.pictures = list(self._list_pictures())
        self._check_size(_DATABASE, self.manifest.database.size)

    def extract_database(self, target: Path) -> None:
        """Write the database to a new file.

        Raises:
            BackupError: it differs from the manifest, or the disk is full.
        """
        with self._open(_DATABASE) as source, _create(target) as file:
            digest = _copy(source, file, self.manifest.database.size)
        if digest != self.manifest.database.sha256:
            raise BackupError("The backup is damaged: its database differs from the manifest.")

    def extract_picture(self, name: StoredImageName, target: Path) -> bool:
        """Write a picture to a new file; return False if it is damaged."""
        entry = _PICTURES + name.file_name
        with self._open(entry) as source, _create(target) as file:
            return _copy(source, file, self._archive.getinfo(entry).file_size) == name.sha256

    def size_of(self, names: Iterable[StoredImageName]) -> int:
        """Return the bytes of these pictures."""
        return sum(self._archive.getinfo(_PICTURES + name.file_name).file_size for name in names)

    def _read_manifest(self) -> Manifest:
        info = self._archive.NameToInfo.get(_MANIFEST)
        if info is None or info.file_size > _MAX_MANIFEST:
            raise BackupError("This is no backup of Atelier: it has no manifest.")
        with self._open(_MANIFEST) as file:
            text = file.read(_MAX_MANIFEST)
        try:
            return Manifest.model_validate_json(text)
        except ValidationError:
            raise BackupError(
                "This is no backup that this version of Atelier knows: its manifest is different."
            ) from None

    def _list_pictures(self) -> Iterator[StoredImageName]:
        for name in self._archive.NameToInfo:
            if name in (_MANIFEST, _DATABASE):
                continue
            picture = StoredImageName.parse(name.removeprefix(_PICTURES)) if name.startswith(_PICTURES) else None
            if picture is None:
                raise BackupError("This is no backup of Atelier: it has files that no backup has.")
            yield picture

    def _check_size(self, name: str, size: int) -> None:
        info = self._archive.NameToInfo.get(name)
        if info is None or info.file_size != size:
            raise BackupError("The backup is damaged: its database differs from the manifest.")

    @contextmanager
    def _open(self, name: str) -> Iterator[BinaryIO]:
        try:
            with self._archive.open(name) as file:
                yield file  # type: ignore[misc] # typeshed: IO[bytes]
        except _DAMAGE as error:
            raise BackupError(f"The backup is damaged: {name.partition('/')[0]} cannot be read.") from error


@contextmanager
def open_backup(file: Path) -> Iterator[BackupReader]:
    """Open a backup.

    Raises:
        BackupError: it cannot be read, or is no whole backup.
    """
    if not file.is_file():
        raise BackupError(f"{file} is not there, or no file.")
    try:
        archive = zipfile.ZipFile(file)
    except _DAMAGE as error:
        raise BackupError(f"{file} is no backup of Atelier, or was cut off.") from error
    except OSError as error:
        raise BackupError(f"{file} cannot be read: {reason(error)}.") from error
    with archive:
        yield BackupReader(archive)


def write_backup(
    file: Path,
    manifest: Manifest,
    database: Path,
    pictures: Iterable[StoredImageName],
    workspace: Path,
    *,
    store: PictureStore,
) -> Manifest:
    """Write a whole backup under a new name, and return its manifest.

    It is on the disk when this returns, and readable to its user only. Pictures that are gone or damaged are left
    out. The workspace is on the same disk.

    Raises:
        BackupError: there is a file of that name now, or the picture store cannot be read.
        OSError: it cannot be written.
    """
    temporary = workspace / "backup.zip"
    with _create(temporary) as output:
        with zipfile.ZipFile(output, "w", strict_timestamps=False) as archive:
            archive.write(database, _DATABASE, zipfile.ZIP_DEFLATED)
            if manifest.pictures is not None:
                count, size = _add_pictures(archive, pictures, store)
                manifest = manifest.model_copy(update={"pictures": count, "picture_bytes": size})
            archive.writestr(_MANIFEST, manifest.model_dump_json(indent=2), zipfile.ZIP_DEFLATED)
        output.flush()
        os.fsync(output.fileno())
    _publish(temporary, file)
    sync_folder(file.parent)
    return manifest


def require_new(file: Path) -> None:
    """Check that a name is free; a symbolic link to nothing takes it too.

    Raises:
        BackupError: it is taken.
    """
    if os.path.lexists(file):
        raise BackupError(f"{file} exists already. Choose another name; a backup replaces no file.")


def _publish(temporary: Path, file: Path) -> None:
    """Give a file its name, unless another one got it meanwhile."""
    try:
        os.link(temporary, file)  # unlike a rename, never replaces a file
    except FileExistsError:
        require_new(file)
        raise
    except OSError:  # a disk without links
        require_new(file)
        temporary.rename(file)


def _add_pictures(
    archive: zipfile.ZipFile, pictures: Iterable[StoredImageName], store: PictureStore
) -> tuple[int, int]:
    count = size = 0
    for name in pictures:
        try:
            with store.borrowed(name.sha256, name.media_type) as path:
                with path.open("rb") as file:
                    if hashlib.file_digest(file, "sha256").hexdigest() != name.sha256:
                        continue
                archive.write(path, _PICTURES + name.file_name, zipfile.ZIP_STORED)
        except FileNotFoundError:
            continue
        except PictureStoreError as error:
            raise BackupError(STORE_FAILED.format(problem=error.problem)) from error
        count += 1
        size += archive.getinfo(_PICTURES + name.file_name).file_size
    return count, size


def describe_file(file: Path) -> DatabaseFile:
    """Return a database file's size and hash."""
    with file.open("rb") as opened:
        digest = hashlib.file_digest(opened, "sha256").hexdigest()
        return DatabaseFile(size=opened.tell(), sha256=digest)


def require_space(folder: Path, needed: int) -> None:
    """Check that a folder's disk has room.

    Raises:
        BackupError: it has less than needed.
    """
    free = shutil.disk_usage(folder).free
    if free < needed + _SPARE:
        has, needs = (f"{each // _MEGABYTE:,} MB" for each in (free, needed + _SPARE))
        raise BackupError(f"The disk of {folder} has {has} free, and {needs} are needed.")


def reason(error: OSError) -> str:
    """Return the words for an error of the operating system."""
    return "the disk is full" if error.errno == errno.ENOSPC else error.strerror or type(error).__name__


@contextmanager
def naming_the_database(host: str | None = None) -> Iterator[None]:
    """Let an error of a connection name the database, and no file."""
    try:
        yield
    except OSError as error:
        place = "" if host is None else f" at {host}"
        raise BackupError(
            f"The database{place} cannot be reached: {reason(error)}. `atelier doctor` says more."
        ) from error


def sync_folder(folder: Path) -> None:
    """Flush a folder's entries, so that a power cut undoes no rename."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _create(target: Path) -> BinaryIO:
    return os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")


def _copy(source: BinaryIO, target: BinaryIO, size: int) -> str:
    """Copy at most `size` bytes to the disk and return their hash."""
    digest, left = hashlib.sha256(), size
    while chunk := source.read(min(_CHUNK, left)):
        digest.update(chunk)
        target.write(chunk)
        left -= len(chunk)
    target.flush()
    os.fsync(target.fileno())
    return digest.hexdigest()
