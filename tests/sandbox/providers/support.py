"""A few words to talk to a stand-in with."""

from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import aiohttp

from bot.sandbox.providers import ImageApiServer

Server = TypeVar("Server", bound=ImageApiServer)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer: its status, its headers and its JSON (or None)."""

    status: int
    json: Any
    headers: dict[str, str] = field(default_factory=dict)


class Api(Generic[Server]):
    """A stand-in and a client with its key."""

    def __init__(self, server: Server, session: aiohttp.ClientSession) -> None:
        self.server = server
        self._session = session

    async def send(self, method: str, path: str, body: Any = None, *, key: str | None = "key-a") -> Reply:
        """Send a request and return its answer."""
        headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        async with self._session.request(method, self.server.url + path, json=body, headers=headers) as response:
            is_json = response.content_type == "application/json"
            return Reply(
                status=response.status,
                json=await response.json() if is_json else None,
                headers={name.lower(): value for name, value in response.headers.items()},
            )

    async def picture(self, url: str) -> bytes:
        """Return the bytes of a picture; anything but a 200 raises."""
        async with self._session.get(url, allow_redirects=False, raise_for_status=True) as response:
            return await response.read()
