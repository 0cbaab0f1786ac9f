"""The control endpoints beside the API: faults from outside, and what the stand-in has seen and billed.

GET /sandbox/faults lists, PUT adds one (an object) or replaces all (a list), DELETE switches all off;
GET /sandbox/jobs lists the jobs and the bill.
"""

import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict

from aiohttp import web

from bot.sandbox.loopback import is_own
from bot.sandbox.providers.faults import FaultError, Faults
from bot.sandbox.providers.studio import Studio

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def control_routes(faults: Faults, studio: Studio) -> list[web.RouteDef]:
    """Return the routes that look at and change these."""

    def guarded(handler: Callable[[web.Request], Awaitable[web.Response]]) -> Handler:
        async def checked(request: web.Request) -> web.StreamResponse:
            if not is_own(request):
                raise web.HTTPForbidden
            return await handler(request)

        return checked

    async def list_faults(_: web.Request) -> web.Response:
        return web.json_response(faults.as_json())

    async def put_faults(request: web.Request) -> web.Response:
        try:
            faults.add_json(json.loads(await request.read()))
        except FaultError as error:
            return web.json_response({"error": str(error)}, status=400)
        except ValueError:
            return web.json_response({"error": "not JSON"}, status=400)
        return web.json_response(faults.as_json())

    async def clear_faults(_: web.Request) -> web.Response:
        faults.clear()
        return web.json_response([])

    async def list_jobs(_: web.Request) -> web.Response:
        jobs = [
            {"id": job.id, "state": job.state, "prompt": job.order.prompt, "images": job.order.images}
            for job in studio.jobs.values()
        ]
        billed = [{key: value for key, value in asdict(charge).items() if key != "owner"} for charge in studio.billed]
        return web.json_response({"jobs": jobs, "billed": billed, "balance": studio.balance})

    return [
        web.get("/sandbox/faults", guarded(list_faults)),
        web.put("/sandbox/faults", guarded(put_faults)),
        web.delete("/sandbox/faults", guarded(clear_faults)),
        web.get("/sandbox/jobs", guarded(list_jobs)),
    ]
