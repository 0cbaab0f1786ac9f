"""The control endpoints beside the API: faults from outside, and what the stand-in has seen and billed.

GET /sandbox/faults lists, PUT adds one (an object) or replaces all (a list), DELETE switches all off;
GET /sandbox/jobs lists the jobs, with the inputs that were fetched for each, and the bill.
Where there are webhooks, GET /sandbox/webhooks lists what was sent and POST /sandbox/webhooks/release lets go those
that are held back.
"""

import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict

from aiohttp import web

from sandbox.loopback import is_own
from sandbox.providers.faults import FaultError, Faults
from sandbox.providers.job_store import Studio
from sandbox.providers.webhooks import Webhooks

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def control_routes(faults: Faults, studio: Studio) -> list[web.RouteDef]:
    """Return the routes that look at and change these."""

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
            {
                "id": job.id,
                "state": job.state,
                "prompt": job.order.prompt,
                "images": job.order.images,
                "inputs": [each.as_json() for each in job.inputs],
            }
            for job in studio.jobs.values()
        ]
        billed = [{key: value for key, value in asdict(charge).items() if key != "owner"} for charge in studio.billed]
        return web.json_response({"jobs": jobs, "billed": billed, "balance": studio.balance})

    return [
        web.get("/sandbox/faults", _guarded(list_faults)),
        web.put("/sandbox/faults", _guarded(put_faults)),
        web.delete("/sandbox/faults", _guarded(clear_faults)),
        web.get("/sandbox/jobs", _guarded(list_jobs)),
    ]


def webhook_routes(webhooks: Webhooks) -> list[web.RouteDef]:
    """Return the routes that look at what was delivered and let go what is held back."""

    async def list_sent(_: web.Request) -> web.Response:
        return web.json_response([each.as_json() for each in webhooks.sent])

    async def release(_: web.Request) -> web.Response:
        webhooks.release()
        return web.Response(status=204)

    return [
        web.get("/sandbox/webhooks", _guarded(list_sent)),
        web.post("/sandbox/webhooks/release", _guarded(release)),
    ]


def _guarded(handler: Callable[[web.Request], Awaitable[web.Response]]) -> Handler:
    async def checked(request: web.Request) -> web.StreamResponse:
        if not is_own(request):
            raise web.HTTPForbidden
        return await handler(request)

    return checked
