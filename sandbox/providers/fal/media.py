"""Media host of the fal fake: public files without a key."""

import asyncio
from typing import TYPE_CHECKING

from aiohttp import web

from sandbox.providers.assets import picture_paths, serve_file
from sandbox.providers.faults import Endpoint, Fault
from sandbox.providers.job_store import Job
from sandbox.providers.recording import RecordedRequest
from sandbox.providers.result_files import draw_result

if TYPE_CHECKING:
    from sandbox.providers.fal.server import FalServer


class FalMedia:
    """Serves the result files of a fal fake while their lifetime lasts."""

    def __init__(self, server: "FalServer") -> None:
        self._server = server

    def routes(self) -> list[web.RouteDef]:
        """Return the routes of the media host."""
        handler = self._server.handler(Endpoint.PICTURE, self._serve, is_public=True)
        return [web.get("/files/{job}/{name}", handler)]

    async def _serve(
        self, request: web.Request, _: RecordedRequest, __: str, fault: Fault | None
    ) -> web.StreamResponse:
        job = self._server.store.jobs.get(request.match_info["job"])
        if job is None or self._is_gone(job):
            return web.json_response({"detail": "Not Found"}, status=404)
        paths = [path.removeprefix("/assets") for path in picture_paths(job)]
        path = request.path.removeprefix("/files")
        if path not in paths:
            return web.json_response({"detail": "Not Found"}, status=404)
        black = self._server.requests_by_id[job.id].is_black
        data = await asyncio.to_thread(draw_result, job, paths.index(path), is_black=black)
        return await serve_file(request, data, f"image/{job.request.format}", fault)

    def _is_gone(self, job: Job) -> bool:
        fal_request = self._server.requests_by_id[job.id]
        if fal_request.values.get("sync_mode"):
            return True  # nothing is stored
        lifetime, ended_at = fal_request.lifetime_seconds, fal_request.ended_at
        return lifetime is not None and ended_at is not None and self._server.wall_clock() - ended_at >= lifetime
