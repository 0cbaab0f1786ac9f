"""An engine harness for jobs with input images."""

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

from bot.domain.attachments import InputPolicy
from bot.domain.images import InputImage
from bot.domain.jobs import Job
from bot.domain.requests import GenerationRequest
from bot.engine.callback_urls import hash_token, input_url_for, new_token
from bot.engine.claimer import CallbackUrl
from bot.engine.config import EngineConfig
from bot.engine.input_publisher import PublishError
from bot.images.store import ImageStore
from bot.services.served_files import ServedFile, ServedFileService
from bot.web.served_files import ServedFileEndpoint
from bot.web.server import WebServer
from db.database import Database
from sandbox.providers import Reve2ImgServer
from tests.engine.engine_harness import EngineHarness, engine_harness
from tests.support.clock import START, ManualClock
from tests.support.factories import make_request
from tests.support.image_server import ImageServer

PUBLIC = "https://studio.example"


class Publisher:
    """Puts stored inputs on the image server, signed for `hours`.

    It raises `error` instead, if set. `published` counts by job.
    """

    def __init__(self, image_host: ImageServer, pictures: Path) -> None:
        self.published: Counter[str] = Counter()
        self.error: PublishError | None = None
        self.hours = 24.0
        self._image_host = image_host
        self._store = ImageStore(pictures)

    async def publish(self, job: Job) -> tuple[str, ...]:
        """Publish the inputs, each under the number of its publication."""
        self.published[job.id] += 1
        if self.error is not None:
            raise self.error
        urls = []
        for at, image in enumerate(job.request.inputs):
            assert image.file is not None
            name = f"{job.id}-{at}-{self.published[job.id]}"
            content = self._store.path(image.file.sha256, image.file.media_type).read_bytes()
            urls.append(self._image_host.put(name, content, until=START + timedelta(hours=self.hours)))
        return tuple(urls)


def publisher_of(harness: EngineHarness) -> Publisher:
    """Return the publisher of a harness without a public URL."""
    assert isinstance(harness.publisher, Publisher)
    return harness.publisher


@asynccontextmanager
async def edit_harness(
    database: Database,
    folder: Path,
    image_host: ImageServer,
    reve2img: Reve2ImgServer,
    *,
    public: str | None = PUBLIC,
    start: bool = True,
    alone: bool = True,
    clock: ManualClock | None = None,
    config: EngineConfig | None = None,
) -> AsyncIterator[EngineHarness]:
    """Run a harness with members' images on the image server.

    Without `public`, the sanitized ones are published there too.
    """

    def new_input_url() -> CallbackUrl | None:
        token = new_token()
        return None if public is None else CallbackUrl(url=input_url_for(public, token), hash=hash_token(token))

    policy = InputPolicy(extra_origin=image_host.base, served=public is not None)
    async with engine_harness(
        database,
        folder,
        second=reve2img,
        policy=policy,
        new_input_url=new_input_url,
        start=start,
        alone=alone,
        clock=clock,
        config=config,
        publisher=None if public else Publisher(image_host, folder / "pictures"),
    ) as harness:
        yield harness


@asynccontextmanager
async def serving_edit_harness(
    database: Database, folder: Path, image_host: ImageServer, reve2img: Reve2ImgServer
) -> AsyncIterator[EngineHarness]:
    """Run a harness and a web server: the provider downloads from us."""
    service: list[ServedFileService] = []

    class Source:
        async def find(self, token: str) -> ServedFile | None:
            return await service[0].find(token)

        async def local_file(self, served: ServedFile) -> Path:
            return await service[0].local_file(served)

    web = WebServer(host="127.0.0.1", port=0, ready=_nothing_missing, routes=ServedFileEndpoint(Source()).routes)
    public = f"http://127.0.0.1:{await web.start()}"
    try:
        async with edit_harness(database, folder, image_host, reve2img, public=public) as harness:
            service.append(ServedFileService(database=database, image_service=harness.image_service))
            yield harness
    finally:
        await web.stop()


def edit_request(*urls: str, **changes: object) -> GenerationRequest:
    """Return a request for an edit of the images at these URLs."""
    return make_request(prompt="make it dusk", inputs=tuple(InputImage(url=url) for url in urls), **changes)


async def _nothing_missing() -> list[str]:
    return []
