"""Parts of a member's export: ZIP files within an upload limit."""

import asyncio
import json
import tempfile
import zipfile
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

from sqlalchemy import Connection

from bot.domain.errors import ImageError
from bot.domain.exports import END, Export
from bot.domain.images import ImageFile
from bot.images.decoder_values import Upload
from bot.images.image_service import ImageService
from db.database import Database
from db.inputs import InputImageRepository
from db.member_records import MemberRecords, Record
from db.pictures import ResultImageRepository

_Page = Callable[[MemberRecords, str, int], list[tuple[str, Record]]]

_PAGE: Final = 100
# Space of a part for the ZIP's own tables and for the notes.
_SPARE_BYTES: Final = 128 * 1024
# More than a file's two headers and two names.
_ENTRY_BYTES: Final = 400
_ABOUT: Final = "about"
_CREDITS: Final = "credits"
_JOBS: Final = "jobs"
_FIRST: Final = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportPart:
    """A part of an export, as a file to be deleted by its user.

    `after` is the cursor after it, `END` for the last part. `jobs` and `pictures` count what it has.
    """

    number: int
    path: Path
    filename: str
    after: str
    jobs: int
    pictures: int

    @property
    def is_last(self) -> bool:
        """True if no part follows."""
        return self.after == END


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    """A record of a document, or a picture, with the cursor after it."""

    after: str
    document: str
    record: Record | None = None
    picture: Upload | None = None
    name: str = ""

    @property
    def size(self) -> int:
        """The most bytes of the entry in a ZIP file."""
        size = _ENTRY_BYTES
        if self.record is not None:
            size += len(_to_json(self.record))
        if self.picture is not None:
            content = self.picture.content
            size += content.stat().st_size if isinstance(content, Path) else len(content)
        return size


@dataclass(slots=True)
class _Contents:
    """The entries of one part."""

    documents: dict[str, list[Record]] = field(default_factory=lambda: defaultdict(list))
    pictures: list[tuple[str, Upload]] = field(default_factory=list)
    size: int = 0
    after: str = END

    def add(self, entry: _Entry) -> None:
        """Add an entry."""
        if entry.record is not None:
            self.documents[entry.document].append(entry.record)
        if entry.picture is not None:
            self.pictures.append((entry.name, entry.picture))
        self.size += entry.size
        self.after = entry.after

    def write(self, path: Path) -> None:
        """Write the ZIP file."""
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, records in self.documents.items():
                archive.writestr(f"{name}.json", _to_json(records))
            for name, picture in self.pictures:
                # Pictures are compressed already.
                if isinstance(picture.content, Path):
                    archive.write(picture.content, name, zipfile.ZIP_STORED)
                else:
                    archive.writestr(name, picture.content, zipfile.ZIP_STORED)


class ExportBuilder:
    """Builds one part at a time. `limit` is the bytes of a part."""

    def __init__(self, *, database: Database, image_service: ImageService, limit: int) -> None:
        self._database = database
        self._image_service = image_service
        self._limit = limit

    async def build(self, export: Export) -> ExportPart:
        """Write the next part to a file.

        Raises:
            OSError: the disk is full, or the pictures cannot be read.
        """
        contents, more = _Contents(), False
        async for entry in self._entries(export):
            if contents.size and contents.size + entry.size > self._limit - _SPARE_BYTES:
                more = True
                break
            contents.add(entry)
        with self._image_service.space.reserve(paid=False) as claim:
            claim(self._limit)
            path = await asyncio.to_thread(_write, contents, await self._image_service.temporary_folder())
        return ExportPart(
            number=export.number,
            path=path,
            filename=export.filename(export.number),
            after=contents.after if more else END,
            jobs=len(contents.documents[_JOBS]) if _JOBS in contents.documents else 0,
            pictures=len(contents.pictures),
        )

    async def _entries(self, export: Export) -> AsyncIterator[_Entry]:
        """Yield everything after the export's cursor, in a fixed order.

        A cursor names the kind of the last entry, its id, and for a job how many of its pictures are done.
        """
        stage, after, done = _parsed(export.cursor)
        member = export.member_id
        if stage is None:
            about = await self._database.read(lambda connection: MemberRecords(connection, member).about())
            yield _Entry(after=f"{_ABOUT}:", document=_ABOUT, record=about)
            stage = _ABOUT
        if stage in (_ABOUT, _CREDITS):
            last = after if stage == _CREDITS else _FIRST
            async for identifier, record in self._pages(member, MemberRecords.list_movements, last):
                yield _Entry(after=f"{_CREDITS}:{identifier}", document=_CREDITS, record=record)
            after, done = _FIRST, 0
        if done:
            async for entry in self._pictures(member, after, done):
                yield entry
        async for job_id, record in self._pages(member, MemberRecords.list_jobs, after):
            yield _Entry(after=f"{_JOBS}:{job_id}:1", document=_JOBS, record=record)
            async for entry in self._pictures(member, job_id, 1):
                yield entry

    async def _pages(self, member: int, page: _Page, after: str) -> AsyncIterator[tuple[str, Record]]:
        """Yield the records of a paged list."""
        more = True
        while more:
            rows = await self._database.read(partial(_read_page, member, page, after))
            for row in rows:
                yield row
                after = row[0]
            more = len(rows) == _PAGE

    async def _pictures(self, member: int, job_id: str, done: int) -> AsyncIterator[_Entry]:
        """Yield a job's pictures; `done` counts its record and those before."""
        pictures = await self._database.read(lambda connection: _named_pictures(connection, job_id))
        limit = self._limit - _SPARE_BYTES - _ENTRY_BYTES
        for place, (name, file) in enumerate(pictures, 1):
            if place < done or file is None:
                continue
            after = f"{_JOBS}:{job_id}:{place + 1}"
            try:
                upload = await self._image_service.prepare_upload(file, limit, member=member)
            except ImageError as error:
                missing = {"picture": name, "missing": f"{error.problem}", "bytes": file.size}
                yield _Entry(after=after, document="missing-pictures", record=missing)
                continue
            yield _Entry(after=after, document=_JOBS, picture=upload, name=f"{name}.{upload.extension}")


def _read_page(member: int, page: _Page, after: str, connection: Connection) -> list[tuple[str, Record]]:
    return page(MemberRecords(connection, member), after, _PAGE)


def _named_pictures(connection: Connection, job_id: str) -> list[tuple[str, ImageFile | None]]:
    """Return a job's pictures with names: its results, then its uploads.

    Those no longer kept are None. Pictures of other jobs, perhaps of others, are left out.
    """
    results = ResultImageRepository(connection).files_by_position(job_id)
    uploads = [each.file for each in InputImageRepository(connection).list_for(job_id) if each.parent is None]
    return [
        *((f"pictures/{job_id}-{position + 1}", file) for position, file in results.items()),
        *((f"uploads/{job_id}-{place}", file) for place, file in enumerate(uploads, 1)),
    ]


def _parsed(cursor: str | None) -> tuple[str | None, str, int]:
    if cursor is None:
        return None, _FIRST, 0
    stage, after, done = (*cursor.split(":"), "", "")[:3]
    return stage, after, int(done or 0)


def _write(contents: _Contents, folder: Path) -> Path:
    with tempfile.NamedTemporaryFile(dir=folder, prefix="export-", suffix=".zip", delete=False) as file:
        path = Path(file.name)
    try:
        contents.write(path)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return path


def _to_json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, indent=1, default=str).encode()
