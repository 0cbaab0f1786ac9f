"""`GET /inputs/{token}`: a provider downloads an input image.

The token alone gives access, so it is in no log, and it dies with the job. Strangers learn nothing: for
every token the same is done up to and including the one look-up.
"""

import asyncio
from pathlib import Path
from typing import IO, Final, Protocol

import structlog
from aiohttp import web

from bot.domain.errors import ImageError
from bot.services.served_files import ServedFile

# Look-ups and files at a time: a flood must take neither the database nor all places from the rest of the bot.
_LOOK_UPS: Final = 16
_FILES: Final = 32
_CHUNK_BYTES: Final = 256 * 1024
# Time for 20 MiB on a slow line; who reads more slowly gives the place back.
SEND_SECONDS: Final = 60.0
FILE_POLICY: Final = "default-src 'none'; sandbox"
"""The Content-Security-Policy of every answer; `atelier doctor` knows the bot's own 404 by it."""
_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": FILE_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
}

_log = structlog.get_logger(__name__)


class ServedFileSource(Protocol):
    """Look-up of served files: the service."""

    async def find(self, token: str) -> ServedFile | None:
        """Return the file behind a token, while its job lives."""
        ...

    async def local_file(self, served: ServedFile) -> Path:
        """Return the file on this machine's disk.

        Raises:
            ImageError: GONE if it is no longer in the store.
            OSError: the store cannot be read.
        """
        ...


class ServedFileEndpoint:
    """Answers 200 with the image, 404 to any other token.

    503 if the look-up fails or the server is busy.
    """

    def __init__(self, source: ServedFileSource, *, send_seconds: float = SEND_SECONDS) -> None:
        self._source = source
        self._send_seconds = send_seconds
        self._look_ups = asyncio.Semaphore(_LOOK_UPS)
        self._sending = 0

    @property
    def routes(self) -> tuple[web.RouteDef, ...]:
        """Routes for the web server.

        HEAD is answered like GET, without the image.
        """
        return (web.get("/inputs/{token:[^/]+}", self._give),)

    async def _give(self, request: web.Request) -> web.StreamResponse:
        try:
            async with self._look_ups:
                served = await self._source.find(request.match_info["token"])
        except Exception as error:  # noqa: BLE001 - whatever it is, the provider may try again
            _log.warning("input.not_looked_up", fault=type(error).__name__)
            raise web.HTTPServiceUnavailable from None
        if served is None:
            raise web.HTTPNotFound(headers=_HEADERS)
        if self._sending >= _FILES:
            raise web.HTTPServiceUnavailable
        self._sending += 1
        try:
            return await self._send(request, served)
        finally:
            self._sending -= 1

    async def _send(self, request: web.Request, served: ServedFile) -> web.StreamResponse:
        response = web.StreamResponse(headers=_HEADERS)
        response.content_type = served.file.media_type
        response.content_length = served.file.size
        response.force_close()
        try:
            path = await self._source.local_file(served)
            file = await asyncio.to_thread(path.open, "rb")
        except (ImageError, FileNotFoundError):
            _log.error("input.file_missing", job=served.job_id)
            raise web.HTTPNotFound(headers=_HEADERS) from None
        except OSError as error:
            _log.warning("input.not_read", job=served.job_id, fault=type(error).__name__)
            raise web.HTTPServiceUnavailable from None
        try:
            async with asyncio.timeout(self._send_seconds):
                await response.prepare(request)
                if request.method != "HEAD":
                    await _pour(file, response)
                await response.write_eof()
        except TimeoutError:
            if request.transport is not None:
                request.transport.abort()
        except ConnectionError:
            pass  # it hung up
        finally:
            await asyncio.to_thread(file.close)
        return response


async def _pour(file: IO[bytes], response: web.StreamResponse) -> None:
    while chunk := await asyncio.to_thread(file.read, _CHUNK_BYTES):
        await response.write(chunk)
