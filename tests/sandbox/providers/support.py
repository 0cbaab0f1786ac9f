"""Helpers to call an API fake."""

import io
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import aiohttp
from aiohttp import web
from PIL import Image, ImageOps

from sandbox.providers import ImageApiServer

Server = TypeVar("Server", bound=ImageApiServer)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A response: its status, its headers and its JSON (or None)."""

    status: int
    json: Any
    headers: dict[str, str] = field(default_factory=dict)


class Api(Generic[Server]):
    """An API fake and a client with its key."""

    def __init__(self, server: Server, session: aiohttp.ClientSession) -> None:
        self.server = server
        self._session = session

    async def send(self, method: str, path: str, body: Any = None, *, key: str | None = "key-a") -> Reply:
        """Send a request and return its response."""
        headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        async with self._session.request(method, self.server.url + path, json=body, headers=headers) as response:
            is_json = response.content_type == "application/json"
            return Reply(
                status=response.status,
                json=await response.json() if is_json else None,
                headers={name.lower(): value for name, value in response.headers.items()},
            )

    async def picture(self, url: str) -> bytes:
        """Return the bytes of an image; anything but a 200 raises."""
        async with self._session.get(url, allow_redirects=False, raise_for_status=True) as response:
            return await response.read()


class ImageServer:
    """Images at local addresses; `requested` are the requested names."""

    def __init__(self) -> None:
        self.url = ""
        self.requested: list[str] = []
        self._files: dict[str, bytes] = {}
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        """Listen on a free port."""
        app = web.Application()
        app.router.add_get("/{name}", self._serve)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def close(self) -> None:
        """Stop listening."""
        if self._runner is not None:
            await self._runner.cleanup()

    def put(self, name: str, content: bytes) -> str:
        """Serve some content and return its address."""
        self._files[name] = content
        return self.at(name)

    def at(self, name: str) -> str:
        """Return the address of a name, served or not."""
        return f"{self.url}/{name}"

    async def _serve(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        self.requested.append(name)
        if name not in self._files:
            raise web.HTTPNotFound
        return web.Response(body=self._files[name], content_type="application/octet-stream")


def photo(kind: str = "stripes", size: tuple[int, int] = (600, 400), format_: str = "PNG") -> bytes:
    """Return an encoded image; its two kinds look very different."""
    ramp = Image.linear_gradient("L") if kind == "stripes" else Image.radial_gradient("L")
    picture = ImageOps.colorize(ramp, "#123c1e", "#e8d8a0", mid="#c04020").resize(size)
    file = io.BytesIO()
    picture.save(file, format_)
    return file.getvalue()
