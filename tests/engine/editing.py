"""A workshop whose jobs start from pictures on a shelf."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

from bot.domain.inputs import InputPolicy
from bot.domain.requests import GenerationRequest, InputPicture
from bot.engine.claiming import Hook
from bot.engine.webhooks import hash_of, input_address, new_token
from bot.sandbox.providers import Reve2ImgServer
from bot.services.inputs import InputService
from bot.web.inputs import InputEndpoint
from bot.web.server import WebServer
from db.database import Database
from tests.engine.workshop import Workshop, workshop
from tests.support.clock import ManualClock
from tests.support.factories import a_request
from tests.support.shelf import Shelf

PUBLIC = "https://studio.example"


@asynccontextmanager
async def editing(
    database: Database,
    folder: Path,
    shelf: Shelf,
    reve2img: Reve2ImgServer,
    *,
    public: str | None = PUBLIC,
    start: bool = True,
    alone: bool = True,
    clock: ManualClock | None = None,
) -> AsyncIterator[Workshop]:
    """Run a workshop that takes pictures from the shelf; without `public`, providers fetch them there themselves."""

    def address() -> Hook | None:
        token = new_token()
        return None if public is None else Hook(url=input_address(public, token), hash=hash_of(token))

    policy = InputPolicy(stand_in=shelf.base, lasting=None if public else timedelta(hours=2))
    async with workshop(
        database, folder, second=reve2img, policy=policy, address=address, start=start, alone=alone, clock=clock
    ) as shop:
        yield shop


@asynccontextmanager
async def reachable(
    database: Database, folder: Path, shelf: Shelf, reve2img: Reve2ImgServer
) -> AsyncIterator[Workshop]:
    """Run a workshop whose provider fetches the pictures from us, by their addresses."""
    service: list[InputService] = []

    class Source:
        async def find(self, token: str) -> object:
            return await service[0].find(token)

    web = WebServer(host="127.0.0.1", port=0, ready=_nothing_missing, routes=InputEndpoint(Source()).routes)  # type: ignore[arg-type]
    public = f"http://127.0.0.1:{await web.start()}"
    try:
        async with editing(database, folder, shelf, reve2img, public=public) as shop:
            service.append(InputService(database=database, keeper=shop.keeper))
            yield shop
    finally:
        await web.stop()


def editing_of(*urls: str, **changes: object) -> GenerationRequest:
    """Return a request that starts from what is at these addresses."""
    return a_request(prompt="make it dusk", inputs=tuple(InputPicture(url=url) for url in urls), **changes)


async def _nothing_missing() -> list[str]:
    return []
