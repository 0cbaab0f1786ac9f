"""Download, storage and upload preparation of images."""

import asyncio
import errno
import os
import tempfile
import time
from collections.abc import AsyncIterator, Iterable
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Final
from weakref import WeakValueDictionary

import structlog

from bot.domain.errors import ImageError, ImageProblem
from bot.domain.images import ImageFile
from bot.domain.provenance import Mark
from bot.images.decoder_calls import finish_result, fit, make_thumbnail, make_unsigned, read_look, sanitize_with_hash
from bot.images.decoder_pool import BeforeDecoding, DecoderPool, do_nothing
from bot.images.decoder_values import DEFAULT_LIMITS, ImageLimits, SanitizedImage, Upload
from bot.images.disk_space import DiskSpace
from bot.images.download import Claim, ImageDownloader
from bot.images.file_types import HEAD_BYTES, sniff
from bot.images.identity import Identity, hash_file
from bot.images.marks import build_packet
from bot.images.picture_store import EXTENSIONS, PictureStore, StoredFile
from bot.images.thread_pool import ImageThreadPool
from bot.images.url_policy import host_of

INLINE: Final = "inline:"
"""Beginning of the address of an image that came in an answer."""
INLINE_LIFE: Final = timedelta(days=1)

_FIT_TRIES: Final = 3
_MOST_FAILURES: Final = 1_000
_PAUSE_AFTER_FAILURE_SECONDS: Final = 30.0

_log = structlog.get_logger(__name__)


class ImageService:
    """Fetches, checks, stores and prepares images off the event loop.

    Files are decoded in the processes of `decoders`, in the turn of the member for whom it is done; work on the store
    runs in the threads of `workers`. The service owns `downloader`, `workers`, `decoders` and `inputs`: `close` closes
    them. `inputs` downloads members' images, if their hosts differ from those of result images. `space` is where they
    are stored. `marks`: result images are marked as made by a model.
    """

    def __init__(
        self,
        *,
        downloader: ImageDownloader,
        store: PictureStore,
        workers: ImageThreadPool,
        limits: ImageLimits = DEFAULT_LIMITS,
        inputs: ImageDownloader | None = None,
        space: DiskSpace | None = None,
        decoders: DecoderPool | None = None,
        marks: bool = True,
    ) -> None:
        self._downloader = downloader
        self._inputs = inputs or downloader
        self._store = store
        self._workers = workers
        self._limits = limits
        self.space = space or DiskSpace()
        self._unrecorded: set[tuple[str, str]] = set()
        self._not_removing_until = float("-inf")
        self._decoders = decoders or DecoderPool()
        self._marks = marks
        self._thumbnail_failures: dict[str, ImageProblem] = {}
        self._thumbnail_locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    @property
    def downloaded_bytes(self) -> dict[str, int]:
        """Bytes downloaded since the start, by kind of image."""
        if self._inputs is self._downloader:
            return {"result": self._downloader.downloaded_bytes}
        return {"result": self._downloader.downloaded_bytes, "input": self._inputs.downloaded_bytes}

    @property
    def waiting_decodings(self) -> int:
        """Number of images waiting for a decoder."""
        return self._decoders.waiting

    async def store_url(
        self, url: str, *, member: int, before_decoding: BeforeDecoding = do_nothing, mark: Mark | None = None
    ) -> ImageFile:
        """Download an image, decode it completely and store it.

        The address may also be one of `keep_inline`. The same image is stored once. Neither an error nor a cancellation
        leaves a temporary file, though the image may be stored by then. `before_decoding` is awaited in the member's
        turn. `mark` is written into a file without provenance data, and prompts in a PNG's texts are removed; the bytes
        stay as they came otherwise.

        Raises:
            ImageError: The image cannot be fetched or decoded.
            OSError: The disk is full or read-only.
        """
        with self.space.reserve(paid=True) as claim:
            path = await self._fetch(url, claim)
            try:
                stored = await self._store_file(path, member, before_decoding, mark)
            finally:
                _drop(path)
        self.space.add_stored(stored.size)
        return stored

    async def _fetch(self, url: str, claim: Claim) -> Path:
        """Return a temporary file with the image of an address."""
        if not is_inline(url):
            return await self._downloader.fetch(url, into=await self._workers.run(self._store.temporary), claim=claim)
        try:
            path = await self._workers.run(self._store.copy_inline, url.removeprefix(INLINE))
        except FileNotFoundError:
            raise ImageError(ImageProblem.GONE, "inline") from None
        claim(path.stat().st_size)
        return path

    async def keep_inline(self, data: bytes) -> str:
        """Write an image of an answer to the disk, as it is.

        Return an address for `store_url`. `drop_inline` deletes the file.

        Raises:
            OSError: The disk is full or read-only.
        """
        with self.space.reserve(paid=True) as claim:
            claim(len(data))
            return INLINE + await self._workers.run(self._store.keep_inline, data)

    async def drop_inline(self, urls: Iterable[str]) -> None:
        """Delete the files of `keep_inline` among some addresses."""
        for url in urls:
            if is_inline(url):
                await self._workers.run(self._store.drop_inline, url.removeprefix(INLINE))

    async def read(self, image_file: ImageFile) -> bytes:
        """Return the bytes of a stored image.

        Raises:
            ImageError: GONE if it is no longer in the store.
            OSError: it cannot be read.
        """
        path = await self.local_file(image_file)
        try:
            return await self._workers.run(path.read_bytes)
        except FileNotFoundError:
            raise ImageError(ImageProblem.GONE, "store") from None

    async def identify(self, url: str, *, member: int) -> Identity:
        """Download a member's image and return its identity.

        The rules are those of `store_input`. Nothing is kept.

        Raises:
            ImageError: The image cannot be fetched.
            OSError: The disk is full or read-only.
        """
        folder = await self._workers.run(self._store.temporary)
        with self.space.reserve(paid=False) as reserve:
            path = await self._inputs.fetch(url, into=folder, claim=reserve)
            try:
                sha256 = await self._workers.run(hash_file, path)
                try:
                    look = await self._decoders.run(read_look, path, member=member)
                except ImageError as error:
                    return Identity(sha256=sha256, problem=error.problem)
                return Identity(sha256=sha256, fingerprint=look.fingerprint)
            finally:
                _drop(path)

    async def store_input(
        self,
        url: str,
        claim: Claim | None = None,
        *,
        member: int,
        before_decoding: BeforeDecoding = do_nothing,
    ) -> SanitizedImage:
        """Download a member's image, sanitize it and store it.

        The limits are lower than those of `store_url`; the rest is the same. `claim` may refuse the image by its size.

        Raises:
            ImageError: As `store_url`, and TOO_SMALL.
            OSError: The disk is full or read-only.
        """
        folder = await self._workers.run(self._store.temporary)
        with self.space.reserve(paid=False) as reserve:

            def claim_both(size: int) -> None:
                if claim is not None:
                    claim(size)
                reserve(size)

            path = await self._inputs.fetch(url, into=folder, claim=claim_both)
            try:
                stored = await self._decoders.run(sanitize_with_hash, path, member=member, before=before_decoding)
                await self._add(path, stored.file)
            finally:
                _drop(path)
        self.space.add_stored(stored.file.size)
        return stored

    async def store_bytes(self, data: bytes, *, member: int = 0) -> ImageFile:
        """Decode and store an image from an answer or an upload.

        Raises as `store_url` does.
        """
        path = await self._workers.run(self._write_temporary, data)
        try:
            return await self._store_file(path, member, do_nothing, None)
        finally:
            _drop(path)

    async def prepare_upload(
        self, image_file: ImageFile, limit_bytes: int, *, member: int, mark: Mark | None = None
    ) -> Upload:
        """Return the stored image, re-encoded if it exceeds `limit_bytes`.

        It comes before the member's other images: an upload waits for it, and other members' cards may wait for that.
        A re-encoded image has `mark`, or the one of the stored file.

        Raises:
            ImageError: GONE if the file is no longer in the store, TOO_LARGE if it cannot be made to fit, DECODER_DIED.
            OSError: The store cannot be read.
        """
        path = await self.local_file(image_file)
        try:
            if image_file.size <= limit_bytes:
                return fit(path, image_file, limit_bytes)  # as it is: nothing is decoded
            return await self._fit(path, image_file, limit_bytes, member, self._packet(mark))
        except FileNotFoundError:
            raise ImageError(ImageProblem.GONE, "store") from None

    async def prepare_unsigned(
        self, image_file: ImageFile, limit_bytes: int, *, member: int, mark: Mark | None = None
    ) -> Upload:
        """Return the stored image without any trace of its model.

        See `make_unsigned`. It comes before the member's other images, as in `prepare_upload`.

        Raises:
            ImageError: GONE if the file is no longer in the store, TOO_LARGE if it cannot be made to fit, DECODER_DIED.
            OSError: The store cannot be read.
        """
        path = await self.local_file(image_file)
        try:
            return await self._decoders.run(
                make_unsigned, path, image_file, limit_bytes, self._packet(mark), member=member, first=True
            )
        except FileNotFoundError:
            raise ImageError(ImageProblem.GONE, "store") from None

    async def prepare_thumbnail(self, image_file: ImageFile, *, member: int) -> Upload:
        """Return a small version of the stored image.

        It is made once and stored beside the image, and waits until no other image is to be decoded.

        Raises:
            ImageError: GONE if the file is no longer in the store, or it cannot be decoded.
            OSError: The file cannot be read.
        """
        # Pages that are turned quickly ask for the same one again.
        async with self._thumbnail_locks.setdefault(image_file.sha256, asyncio.Lock()):
            try:
                stored = await self._workers.run(self._store.read_thumbnail, image_file.sha256, image_file.media_type)
                if stored is not None:
                    extension = EXTENSIONS[sniff(stored[:HEAD_BYTES], len(stored))]
                    return Upload(content=stored, extension=extension, reencoded=True)
                path = await self.local_file(image_file)
                made = await self._make_thumbnail(path, image_file, member)
            except FileNotFoundError:
                raise ImageError(ImageProblem.GONE, "store") from None
            if isinstance(made.content, bytes):
                await self._store_thumbnail(image_file, made.content)
            return made

    async def _make_thumbnail(self, path: Path, image_file: ImageFile, member: int) -> Upload:
        """Make a thumbnail, but not soon after a failure."""
        failed = self._thumbnail_failures.get(image_file.sha256)
        if failed is not None:
            raise ImageError(failed, "thumbnail")
        try:
            return await self._decoders.run(make_thumbnail, path, image_file, member=member, spare=True)
        except ImageError as error:
            self._thumbnail_failures[image_file.sha256] = error.problem
            while len(self._thumbnail_failures) > _MOST_FAILURES:
                del self._thumbnail_failures[next(iter(self._thumbnail_failures))]
            raise

    async def _store_thumbnail(self, image_file: ImageFile, data: bytes) -> None:
        """Store a thumbnail if there is space; otherwise it is made again."""
        try:
            with self.space.reserve(paid=False) as claim:
                claim(len(data))
                await self._workers.run(self._store.add_thumbnail, image_file.sha256, image_file.media_type, data)
        except OSError as error:
            _log.warning("thumbnail.not_stored", error=type(error).__name__)

    async def _fit(
        self, path: Path, image_file: ImageFile, limit_bytes: int, member: int, packet: bytes | None
    ) -> Upload:
        """Re-encode an image; try again if the decoder died.

        Other work may have taken its memory: this file has been decoded before.
        """
        for _ in range(_FIT_TRIES - 1):
            try:
                return await self._decoders.run(fit, path, image_file, limit_bytes, packet, member=member, first=True)
            except ImageError as error:
                if error.problem is not ImageProblem.DECODER_DIED:
                    raise
        return await self._decoders.run(fit, path, image_file, limit_bytes, packet, member=member, first=True)

    async def probe_store(self) -> None:
        """Write and delete a small file; raises OSError if impossible."""
        await self._workers.run(self._store.probe)

    async def probe_host(self, url: str) -> None:
        """Connect to the host of a result image's URL; raises ImageError."""
        await self._downloader.probe(url)

    def host_of(self, url: str) -> str:
        """Return the host of a URL, for logs: the rest may be a secret."""
        return host_of(url)

    async def temporary_folder(self) -> Path:
        """Return a folder for files of some minutes."""
        return await self._workers.run(self._store.temporary)

    async def local_file(self, image_file: ImageFile) -> Path:
        """Return a file of this machine with a stored image; it stays for minutes.

        Raises:
            ImageError: GONE if the image is no longer in the store.
            OSError: the store cannot be read.
        """
        try:
            return await self._workers.run(self._store.local_file, image_file.sha256, image_file.media_type)
        except FileNotFoundError:
            raise ImageError(ImageProblem.GONE, "store") from None

    async def keep(self, image_file: ImageFile) -> bool:
        """Keep a stored image until its row is written; False if it is gone.

        `discard` leaves it for as long as an image stored at this moment.

        Raises:
            OSError: the store cannot be reached.
        """
        return await self._workers.run(self._store.touch, image_file.sha256, image_file.media_type)

    def note_unrecorded(self, image_files: Iterable[ImageFile]) -> None:
        """Note images perhaps without a row, for `take_unrecorded`."""
        self._unrecorded.update((each.sha256, each.media_type) for each in image_files)

    def take_unrecorded(self) -> set[tuple[str, str]]:
        """Return the images noted since the last call.

        Each is its (sha256, media type).
        """
        taken, self._unrecorded = self._unrecorded, set()
        return taken

    async def discard(self, sha256: str, media_type: str, *, older_than: datetime) -> bool:
        """Delete an unreferenced image; return True if it is gone.

        An image stored since `older_than` stays: its row may not be written yet. So does one in a store that cannot be
        reached; it is noted for `take_unrecorded`.
        """
        try:
            return await self._workers.run(self._remove, sha256, media_type, older_than)
        except OSError as error:
            _log.warning("picture.not_deleted", sha256=sha256, error=type(error).__name__, errno=error.errno)
            self._unrecorded.add((sha256, media_type))
            return False

    def _remove(self, sha256: str, media_type: str, older_than: datetime) -> bool:
        """Delete an image, but not soon after a failure.

        Each of many images would wait for the store again.
        """
        if time.monotonic() < self._not_removing_until:
            raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        try:
            return self._store.remove(sha256, media_type, older_than=older_than)
        except OSError:
            self._not_removing_until = time.monotonic() + _PAUSE_AFTER_FAILURE_SECONDS
            raise

    async def files(self, page: int = 500) -> AsyncIterator[list[StoredFile]]:
        """Yield all files of the store in pages, to find unreferenced ones."""
        files = await self._workers.run(self._store.files)
        while found := await self._workers.run(lambda: list(islice(files, page))):
            yield found

    async def sweep_temporary(self, older_than: datetime) -> int:
        """Delete temporary files older than `older_than`; return their number.

        A crash leaves such files. Those of `keep_inline` get a day more.
        """

        def sweep() -> int:
            inline = self._store.sweep_inline(older_than=older_than - INLINE_LIFE)
            return inline + self._store.sweep_temporary(older_than=older_than)

        return await self._workers.run(sweep)

    async def close(self) -> None:
        """Close the connections, end decoding at once, and wait for running work."""
        await self._decoders.close()
        await self._downloader.close()
        await self._inputs.close()
        await self._workers.close()

    def _packet(self, mark: Mark | None) -> bytes | None:
        return build_packet(mark) if self._marks and mark is not None else None

    async def _store_file(
        self, temporary: Path, member: int, before_decoding: BeforeDecoding, mark: Mark | None
    ) -> ImageFile:
        packet = self._packet(mark)
        image_file = await self._decoders.run(
            finish_result, temporary, self._limits, packet, member=member, before=before_decoding
        )
        await self._add(temporary, image_file)
        return image_file

    async def _add(self, temporary: Path, image_file: ImageFile) -> None:
        """Move a file into the store; note it if the caller is cancelled."""
        try:
            await self._workers.run(self._store.add, temporary, image_file)
        except asyncio.CancelledError:
            self.note_unrecorded([image_file])  # its thread ends the move
            raise

    def _write_temporary(self, data: bytes) -> Path:
        with tempfile.NamedTemporaryFile(dir=self._store.temporary(), prefix="bytes-", delete=False) as file:
            path = Path(file.name)
            try:
                file.write(data)
            except BaseException:
                _drop(path)
                raise
        return path


def is_inline(url: str) -> bool:
    """Return whether an address is one of `ImageService.keep_inline`."""
    return url.startswith(INLINE)


def _drop(temporary: Path) -> None:
    """Remove a temporary file unless it moved into the store."""
    temporary.unlink(missing_ok=True)
