import asyncio
import hashlib
import io
import threading
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from PIL import Image

from bot.domain.errors import ImageError, ImageProblem
from bot.domain.images import ImageFile
from bot.images.decoder_pool import DecoderPool
from bot.images.disk_space import DiskFullError, DiskSpace
from bot.images.download import Claim, ImageDownloader
from bot.images.image_service import ImageService
from bot.images.reencode import THUMBNAIL_SIDE
from bot.images.store import ImageStore
from bot.images.thread_pool import ImageThreadPool
from tests.images.samples import Serve, encoded, files_in, noise

PICTURE = encoded(noise(size=(128, 128)))
SHA256 = hashlib.sha256(PICTURE).hexdigest()


@pytest.fixture
def store(tmp_path: Path) -> ImageStore:
    """Return an empty store."""
    return ImageStore(tmp_path)


@pytest.fixture
async def url(serve: Serve) -> str:
    """Return the address of a server with one image, and text at `/text`."""

    async def handler(request: web.Request) -> web.Response:
        return web.Response(body=b"no picture" if request.path == "/text" else PICTURE)

    return await serve(handler)


@pytest.fixture
async def image_service(store: ImageStore, url: str) -> AsyncIterator[ImageService]:
    """Yield an image service with access to the server."""
    made = ImageService(
        downloader=ImageDownloader(exempt=[url], pauses=()), store=store, workers=ImageThreadPool(threads=1)
    )
    yield made
    await made.close()


async def test_image_is_downloaded_checked_and_stored(
    image_service: ImageService, store: ImageStore, url: str, tmp_path: Path
) -> None:
    stored = await image_service.store_url(f"{url}/a.png", member=1)

    assert (SHA256, "image/png", 128, 128, len(PICTURE)) == (
        stored.sha256,
        stored.media_type,
        stored.width,
        stored.height,
        stored.size,
    )
    assert [store.path(SHA256, "image/png")] == files_in(tmp_path)


async def test_stored_input_takes_space_of_all_images(image_service: ImageService, url: str) -> None:
    """It counts at once, and not only when the stored images are summed up."""
    image_service.space = DiskSpace(total=len(PICTURE))
    await image_service.store_input(url, member=1)
    with pytest.raises(DiskFullError):
        await image_service.store_input(url, member=1)


async def test_inline_image_equals_downloaded_image(image_service: ImageService, url: str, tmp_path: Path) -> None:
    assert await image_service.store_url(url, member=1) == await image_service.store_bytes(PICTURE)
    assert len(files_in(tmp_path)) == 1


async def test_non_image_is_not_stored(image_service: ImageService, url: str, tmp_path: Path) -> None:
    """No file is left, inline or downloaded."""
    for attempt in (image_service.store_url(f"{url}/text", member=1), image_service.store_bytes(b"no picture")):
        with pytest.raises(ImageError) as caught:
            await attempt
        assert caught.value.problem == ImageProblem.NOT_A_PICTURE

    assert files_in(tmp_path) == []


async def test_cancelled_store_removes_downloaded_file(store: ImageStore, url: str, tmp_path: Path) -> None:
    """No worker ever took the downloaded file."""
    workers, downloader = ImageThreadPool(threads=1), _Announcing(exempt=[url], pauses=())
    image_service = ImageService(downloader=downloader, store=store, workers=workers)
    release = threading.Event()
    keeping = asyncio.create_task(image_service.store_url(url, member=1))
    await downloader.begun.wait()
    busy = asyncio.create_task(workers.run(release.wait))
    await asyncio.sleep(0)
    downloader.go_on.set()
    await downloader.ended.wait()
    keeping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await keeping

    assert files_in(tmp_path) == []
    release.set()
    assert await busy
    await image_service.close()


async def test_prepared_upload_is_stored_file_or_reencoded(image_service: ImageService) -> None:
    stored = await image_service.store_bytes(PICTURE)

    as_it_came = await image_service.prepare_upload(stored, stored.size, member=1)
    smaller = await image_service.prepare_upload(stored, stored.size // 2, member=1)

    assert (as_it_came.reencoded, as_it_came.extension) == (False, "png")
    assert isinstance(as_it_came.content, Path)
    assert as_it_came.content.read_bytes() == PICTURE
    assert (smaller.reencoded, smaller.extension) == (True, "jpg")
    assert isinstance(smaller.content, bytes)
    assert len(smaller.content) <= stored.size // 2


class CountingDecoders(DecoderPool):
    """Decoders with a count of their calls."""

    calls = 0

    async def run(self, *arguments: Any, **options: Any) -> Any:  # type: ignore[override]
        self.calls += 1
        return await super().run(*arguments, **options)


async def test_thumbnail_is_small_and_made_once(store: ImageStore) -> None:
    decoders = CountingDecoders()
    image_service = ImageService(
        downloader=ImageDownloader(), store=store, workers=ImageThreadPool(threads=1), decoders=decoders
    )
    stored = await image_service.store_bytes(encoded(noise(size=(1200, 600))))
    before = decoders.calls
    first, second = [await image_service.prepare_thumbnail(stored, member=1) for _ in range(2)]
    assert isinstance(first.content, bytes)
    assert Image.open(io.BytesIO(first.content)).size == (THUMBNAIL_SIDE, THUMBNAIL_SIDE // 2)
    assert (first.extension, first.reencoded) == ("jpg", True)
    assert second == first
    restarted = ImageService(
        downloader=ImageDownloader(), store=store, workers=ImageThreadPool(threads=1), decoders=decoders
    )
    assert await restarted.prepare_thumbnail(stored, member=1) == first
    assert decoders.calls == before + 1
    await image_service.discard(stored.sha256, stored.media_type, older_than=datetime.now(UTC) + timedelta(hours=1))
    with pytest.raises(ImageError) as caught:
        await image_service.prepare_thumbnail(stored, member=1)
    assert caught.value.problem is ImageProblem.GONE
    await image_service.close()


async def test_thumbnail_asked_for_twice_at_once_is_made_once(store: ImageStore) -> None:
    decoders = CountingDecoders()
    image_service = ImageService(
        downloader=ImageDownloader(), store=store, workers=ImageThreadPool(threads=1), decoders=decoders
    )
    stored = await image_service.store_bytes(PICTURE)
    before = decoders.calls
    await asyncio.gather(*(image_service.prepare_thumbnail(stored, member=each) for each in range(5)))
    assert decoders.calls == before + 1
    await image_service.close()


async def test_thumbnail_that_failed_is_not_tried_again(store: ImageStore) -> None:
    """A hostile file may take all the time that a decoder is given."""
    decoders = CountingDecoders()
    image_service = ImageService(
        downloader=ImageDownloader(), store=store, workers=ImageThreadPool(threads=1), decoders=decoders
    )
    stored = await image_service.store_bytes(PICTURE)
    (await image_service.local_file(stored)).write_bytes(b"no picture")
    before = decoders.calls
    for _ in range(3):
        with pytest.raises(ImageError) as caught:
            await image_service.prepare_thumbnail(stored, member=1)
        assert caught.value.problem is ImageProblem.NOT_A_PICTURE
    assert decoders.calls == before + 1
    await image_service.close()


async def test_thumbnail_on_full_disk_is_made_and_not_stored(store: ImageStore) -> None:
    image_service = ImageService(
        downloader=ImageDownloader(),
        store=store,
        workers=ImageThreadPool(threads=1),
        space=DiskSpace(total=0),
    )
    stored = await image_service.store_bytes(PICTURE)
    image_service.space.set_stored(stored.size)
    assert (await image_service.prepare_thumbnail(stored, member=1)).content
    assert store.read_thumbnail(stored.sha256, stored.media_type) is None
    await image_service.close()


class DyingDecoders(DecoderPool):
    """Decoders; the first ones die, as when other work takes the memory."""

    deaths = 0

    async def run(self, *arguments: Any, **options: Any) -> Any:  # type: ignore[override]
        if self.deaths:
            self.deaths -= 1
            raise ImageError(ImageProblem.DECODER_DIED, "SIGKILL")
        return await super().run(*arguments, **options)


async def test_upload_is_prepared_again_after_decoders_death(store: ImageStore) -> None:
    decoders = DyingDecoders()
    image_service = ImageService(
        downloader=ImageDownloader(), store=store, workers=ImageThreadPool(threads=1), decoders=decoders
    )
    stored = await image_service.store_bytes(PICTURE)
    decoders.deaths = 2
    assert (await image_service.prepare_upload(stored, stored.size // 2, member=1)).reencoded
    decoders.deaths = 3
    with pytest.raises(ImageError) as caught:
        await image_service.prepare_upload(stored, stored.size // 2, member=1)
    assert caught.value.problem is ImageProblem.DECODER_DIED
    await image_service.close()


@pytest.mark.parametrize("limit_bytes", [100, 10_000_000])
async def test_removed_image_is_reported_missing(image_service: ImageService, limit_bytes: int) -> None:
    """Reported before the upload, read or not."""
    stored = await image_service.store_bytes(PICTURE)
    assert await image_service.discard(
        stored.sha256, stored.media_type, older_than=datetime.now(UTC) + timedelta(hours=1)
    )

    with pytest.raises(ImageError) as caught:
        await image_service.prepare_upload(stored, limit_bytes, member=1)

    assert caught.value.problem == ImageProblem.GONE


async def test_sweep_removes_temporary_files(image_service: ImageService, store: ImageStore, tmp_path: Path) -> None:
    (store.temporary() / "download-x").write_bytes(b"half")

    assert await image_service.sweep_temporary(datetime.fromtimestamp(0, UTC)) == 0
    assert await image_service.sweep_temporary(datetime(9999, 1, 1, tzinfo=UTC)) == 1
    assert files_in(tmp_path) == []


class _Announcing(ImageDownloader):
    """A downloader with signals at start and end, and a wait in between."""

    def __init__(self, *, exempt: list[str], pauses: tuple[float, ...]) -> None:
        super().__init__(exempt=exempt, pauses=pauses)
        self.begun, self.go_on, self.ended = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def fetch(self, url: str, *, into: Path, claim: Claim = lambda _: None) -> Path:
        self.begun.set()
        await self.go_on.wait()
        path = await super().fetch(url, into=into, claim=claim)
        self.ended.set()
        return path


async def test_image_of_a_cancelled_caller_is_noted(
    image_service: ImageService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its thread may end the move into the store, and no row refers to it."""
    loop, begun, go_on = asyncio.get_running_loop(), asyncio.Event(), threading.Event()

    def slow_add(_store: ImageStore, _temporary: Path, _file: ImageFile) -> None:
        loop.call_soon_threadsafe(begun.set)
        go_on.wait()

    monkeypatch.setattr(ImageStore, "add", slow_add)
    work = asyncio.create_task(image_service.store_bytes(PICTURE))
    await begun.wait()
    work.cancel()
    await asyncio.wait([work])
    go_on.set()
    assert [media_type for _, media_type in image_service.take_unrecorded()] == ["image/png"]
