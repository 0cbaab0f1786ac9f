"""What the rest of the product asks of pictures: take one in, and get one ready for an upload."""

import tempfile
from datetime import datetime
from pathlib import Path

from bot.domain.errors import PictureError, PictureProblem
from bot.images.decode import DEFAULT_LIMITS, PictureLimits, inspect
from bot.images.download import PictureDownloader
from bot.images.fit import Upload, fit
from bot.images.store import PictureStore, StoredFile, StoredPicture
from bot.images.workers import PictureWorkers


class PictureKeeper:
    """Fetches, checks, stores and prepares pictures without blocking the event loop.

    It owns `downloader` and `workers`: `close` closes them.
    """

    def __init__(
        self,
        *,
        downloader: PictureDownloader,
        store: PictureStore,
        workers: PictureWorkers,
        limits: PictureLimits = DEFAULT_LIMITS,
    ) -> None:
        self._downloader = downloader
        self._store = store
        self._workers = workers
        self._limits = limits

    async def keep(self, url: str) -> StoredPicture:
        """Fetch a picture, decode it completely and store it; fetched twice, it is stored once.

        Raises `PictureError`; OSError where the disk is full or read-only. Neither leaves a temporary file, nor does
        a cancellation, though a picture may have been stored by then.
        """
        folder = await self._workers.run(self._store.temporary)
        path = await self._downloader.fetch(url, into=folder)
        try:
            return await self._workers.run(self._take, path)
        finally:
            _drop(path)

    async def keep_bytes(self, data: bytes) -> StoredPicture:
        """Do as `keep` with a picture that came inside an answer or an upload."""
        return await self._workers.run(self._take_bytes, data)

    async def prepare(self, picture: StoredPicture, limit_bytes: int) -> Upload:
        """Return the picture as it came, or re-encoded so that it has at most `limit_bytes`.

        Raises `PictureError`: GONE if the store has it no more, TOO_LARGE if it cannot be made to fit.
        """
        path = self._store.path(picture.sha256, picture.media_type)
        try:
            if not await self._workers.run(path.is_file):
                raise PictureError(PictureProblem.GONE, "store")
            return await self._workers.run(fit, path, picture, limit_bytes)
        except FileNotFoundError:
            raise PictureError(PictureProblem.GONE, "store") from None

    async def discard(self, sha256: str, media_type: str, *, older_than: datetime) -> bool:
        """Delete a picture that nothing refers to, unless it was stored since `older_than`; return whether it is gone.

        A picture is stored before its row is written, so one that was stored lately may yet be referred to.
        """
        return await self._workers.run(lambda: self._store.remove(sha256, media_type, older_than=older_than))

    async def files(self) -> list[StoredFile]:
        """Return all files of the store, to find those that nothing refers to."""
        return await self._workers.run(lambda: list(self._store.files()))

    async def sweep_temporary(self, older_than: datetime) -> int:
        """Delete temporary files that a crash left before `older_than`; return how many."""
        return await self._workers.run(lambda: self._store.sweep_temporary(older_than=older_than))

    async def close(self) -> None:
        """Close the connections and wait for the work that has begun."""
        await self._downloader.close()
        await self._workers.close()

    def _take(self, temporary: Path) -> StoredPicture:
        return self._store.add(temporary, inspect(temporary, self._limits))

    def _take_bytes(self, data: bytes) -> StoredPicture:
        with tempfile.NamedTemporaryFile(dir=self._store.temporary(), prefix="bytes-", delete=False) as file:
            path = Path(file.name)
            try:
                file.write(data)
                file.flush()
                return self._take(path)
            finally:
                _drop(path)


def _drop(temporary: Path) -> None:
    """Remove a file that may have moved into the store."""
    temporary.unlink(missing_ok=True)
