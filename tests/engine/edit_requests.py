"""An engine harness for jobs with input images."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

from bot.domain.attachments import InputPolicy
from bot.domain.images import InputImage
from bot.domain.requests import GenerationRequest
from bot.engine.callback_urls import hash_token, input_url_for, new_token
from bot.engine.claimer import CallbackUrl
from bot.engine.config import EngineConfig
from bot.services.served_files import ServedFileService
from bot.web.served_files import ServedFileEndpoint
from bot.web.server import WebServer
from db.database import Database
from sandbox.providers import Reve2ImgServer
from tests.engine.engine_harness import EngineHarness, engine_harness
from tests.support.clock import ManualClock
from tests.support.factories import make_request
from tests.support.image_server import ImageServer

PUBLIC = "https://studio.example"


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

    Without `public`, providers download them from there themselves.
    """

    def new_input_url() -> CallbackUrl | None:
        token = new_token()
        return None if public is None else CallbackUrl(url=input_url_for(public, token), hash=hash_token(token))

    policy = InputPolicy(extra_origin=image_host.base, min_url_lifetime=None if public else timedelta(hours=2))
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
    ) as harness:
        yield harness


@asynccontextmanager
async def serving_edit_harness(
    database: Database, folder: Path, image_host: ImageServer, reve2img: Reve2ImgServer
) -> AsyncIterator[EngineHarness]:
    """Run a harness and a web server: the provider downloads from us."""
    service: list[ServedFileService] = []

    class Source:
        async def find(self, token: str) -> object:
            return await service[0].find(token)

    web = WebServer(host="127.0.0.1", port=0, ready=_nothing_missing, routes=ServedFileEndpoint(Source()).routes)  # type: ignore[arg-type]
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
