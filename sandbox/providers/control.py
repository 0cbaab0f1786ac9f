"""Control endpoints beside the API: faults, jobs, charges and webhooks.

GET /sandbox/faults lists the faults, PUT adds one (an object) or replaces all (a list), DELETE removes all.
GET /sandbox/cases lists the names of the provider's cases by endpoint, for faults of the kind `case`.
GET /sandbox/jobs lists the jobs with their fetched inputs and the label of their key, the charges and the balance.
With webhooks, GET /sandbox/webhooks lists the sent ones and POST /sandbox/webhooks/release sends the delayed ones.
"""

import hashlib
import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from functools import partial

from aiohttp import web

from sandbox.loopback import is_own
from sandbox.providers.faults import FaultError, Faults
from sandbox.providers.job_store import JobStore
from sandbox.providers.webhooks import Webhooks

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def control_routes(faults: Faults, store: JobStore) -> list[web.RouteDef]:
    """Return the routes for faults and jobs."""

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

    async def list_cases(_: web.Request) -> web.Response:
        return web.json_response(faults.cases)

    async def list_jobs(_: web.Request) -> web.Response:
        jobs = [
            {
                "id": job.id,
                "key": key_label(job.owner),
                "state": job.state,
                "prompt": job.request.prompt,
                "images": job.request.images,
                "inputs": [each.as_json() for each in job.inputs],
            }
            for job in store.jobs.values()
        ]
        billed = [{key: value for key, value in asdict(charge).items() if key != "owner"} for charge in store.billed]
        listed = {"jobs": jobs, "billed": billed, "balance": store.balance}
        return web.json_response(listed, dumps=partial(json.dumps, default=str))

    return [
        web.get("/sandbox/faults", _require_own_origin(list_faults)),
        web.put("/sandbox/faults", _require_own_origin(put_faults)),
        web.delete("/sandbox/faults", _require_own_origin(clear_faults)),
        web.get("/sandbox/cases", _require_own_origin(list_cases)),
        web.get("/sandbox/jobs", _require_own_origin(list_jobs)),
    ]


def key_label(key: str) -> str:
    """Return a short label of a key, which does not reveal it."""
    return hashlib.sha256(key.encode()).hexdigest()[:8]


def webhook_routes(webhooks: Webhooks) -> list[web.RouteDef]:
    """Return the routes to list webhooks and release delayed ones."""

    async def list_sent(_: web.Request) -> web.Response:
        return web.json_response([each.as_json() for each in webhooks.sent])

    async def release(_: web.Request) -> web.Response:
        webhooks.release()
        return web.Response(status=204)

    return [
        web.get("/sandbox/webhooks", _require_own_origin(list_sent)),
        web.post("/sandbox/webhooks/release", _require_own_origin(release)),
    ]


def _require_own_origin(handler: Callable[[web.Request], Awaitable[web.Response]]) -> Handler:
    async def checked(request: web.Request) -> web.StreamResponse:
        if not is_own(request):
            raise web.HTTPForbidden
        return await handler(request)

    return checked
