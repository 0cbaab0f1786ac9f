"""Platform host of the fal fake: past requests, charges, prices and keys."""

import base64
import binascii
from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from aiohttp import web

from sandbox.providers.fal.endpoints import ENDPOINTS
from sandbox.providers.fal.replies import output
from sandbox.providers.fal.requests import FalRequest
from sandbox.providers.faults import Endpoint, Fault, Kind
from sandbox.providers.job_store import Job
from sandbox.providers.recording import RecordedRequest
from sandbox.providers.server import RequestError

if TYPE_CHECKING:
    from sandbox.providers.fal.server import FalServer

_MAX_LIMIT: Final = 100
_DEFAULT_LIMIT: Final = 50
_WEBHOOK_IP_RANGES: Final = ["127.0.0.1/32"]
_BY_STATUS: Final = {
    "success": range(200, 300),
    "user_error": range(400, 500),
    "error": range(500, 600),
}


class FalPlatform:
    """Answers questions about the requests of a fal fake."""

    def __init__(self, server: "FalServer") -> None:
        self._server = server

    def routes(self) -> list[web.RouteDef]:
        """Return the routes of the platform host."""
        of = self._server.handler
        return [
            web.get("/.well-known/jwks.json", of(Endpoint.MODELS, self._key_set, is_public=True)),
            web.get("/v1/meta", of(Endpoint.MODELS, self._meta, is_public=True)),
            web.get("/v1/models", of(Endpoint.MODELS, self._models)),
            web.get("/v1/models/pricing", of(Endpoint.MODELS, self._pricing)),
            web.get("/v1/models/requests/by-endpoint", of(Endpoint.ACCOUNT, self._requests)),
            web.get("/v1/models/billing-events", of(Endpoint.ACCOUNT, self._billing_events)),
        ]

    async def _key_set(self, *_: object) -> web.StreamResponse:
        headers = {"Cache-Control": "public, max-age=86400"}
        return web.json_response(self._server.signer.key_set(), headers=headers)

    async def _meta(self, *_: object) -> web.StreamResponse:
        return web.json_response({"webhook_ip_ranges": _WEBHOOK_IP_RANGES})

    async def _models(self, *_: object) -> web.StreamResponse:
        models = [{"endpoint_id": id_, "metadata": {"status": "active"}} for id_ in ENDPOINTS]
        return web.json_response({"models": models, "next_cursor": None, "has_more": False})

    async def _pricing(self, _: web.Request, record: RecordedRequest, __: str, ___: Fault | None) -> web.StreamResponse:
        """Return the prices of the listed endpoints at their default values."""
        wanted = record.query.get("endpoint_id", "").split(",")
        prices = []
        for endpoint in (ENDPOINTS[id_] for id_ in wanted if id_ in ENDPOINTS):
            values = {name: each.default for name, each in endpoint.schema.items()}
            price = endpoint.price(values, endpoint.size(values, None))
            row = {"endpoint_id": endpoint.id, "unit_price": float(price), "unit": "images", "currency": "USD"}
            prices.append(row)
        return web.json_response({"prices": prices, "next_cursor": None, "has_more": False})

    async def _requests(
        self, _: web.Request, record: RecordedRequest, account: str, fault: Fault | None
    ) -> web.StreamResponse:
        """List the requests of an endpoint, the newest first."""
        query = record.query
        if query.get("endpoint_id") not in ENDPOINTS:
            raise _invalid("endpoint_id is required")
        start, end = _time(query, "start"), _time(query, "end")
        statuses = _BY_STATUS.get(query.get("status", ""), range(1000))
        limit, offset = _limit(query.get("limit")), _offset(query.get("cursor"))
        case = fault.case if fault is not None and fault.kind is Kind.CASE else ""
        has_payloads = "payloads" in query.get("expand", "").split(",") and case != "history_without_payloads"
        items = [
            self._item(job, request, has_payloads=has_payloads)
            for job, request in self._owned(account)
            if request.endpoint.id == query["endpoint_id"]
            and (start is None or request.sent_at >= start)
            and (end is None or request.sent_at < end)
            and request.status_code in statuses
        ][::-1]
        if case == "history_empty":
            items = []
        if case == "history_twin" and items:
            items.insert(0, {**items[0], "request_id": self._server.new_id()})
        page, has_more = items[offset : offset + limit], len(items) > offset + limit
        cursor = base64.urlsafe_b64encode(str(offset + limit).encode()).decode() if has_more else None
        return web.json_response({"items": page, "next_cursor": cursor, "has_more": has_more})

    async def _billing_events(
        self, _: web.Request, record: RecordedRequest, account: str, __: Fault | None
    ) -> web.StreamResponse:
        """List the charges of a request; a failed one has none."""
        if account != self._server.admin_key:
            raise _refusal(403, "authorization_error", "This endpoint needs an Admin API key.")
        wanted = record.query.get("request_id")
        events = [
            _billing_event(job, request, Decimal(charge.cost))
            for charge in self._server.billed
            if wanted in (None, charge.job_id)
            for job, request in [(self._server.store.jobs[charge.job_id], self._server.requests_by_id[charge.job_id])]
        ]
        return web.json_response({"billing_events": events, "next_cursor": None, "has_more": False})

    def _owned(self, account: str) -> Iterable[tuple[Job, FalRequest]]:
        """Yield an account's listed requests; an Admin sees the main account."""
        owner = self._server.main_key if account == self._server.admin_key else account
        for job in self._server.jobs:
            request = self._server.requests_by_id[job.id]
            if job.owner == owner and (job.terminal or self._server.lists_running):
                yield job, request

    def _item(self, job: Job, request: FalRequest, *, has_payloads: bool) -> dict[str, Any]:
        item: dict[str, Any] = {
            "request_id": job.id,
            "endpoint_id": request.endpoint.id,
            "sent_at": _iso(request.sent_at),
            "started_at": _iso(request.sent_at),
            "ended_at": None if request.ended_at is None else _iso(request.ended_at),
            "status_code": request.status_code if job.terminal else None,
            "duration": request.duration if job.terminal else None,
        }
        if has_payloads and request.is_stored:
            item["json_input"] = request.body
            if request.failure is not None:
                item["json_output"] = request.failure.body
            elif job.terminal:
                item["json_output"] = output(job, request, self._server.picture_urls(job))
        return item


def _billing_event(job: Job, request: FalRequest, cost: Decimal) -> dict[str, Any]:
    units = request.billed_units(job)
    return {
        "request_id": job.id,
        "endpoint_id": request.endpoint.id,
        "timestamp": _iso(request.ended_at or request.sent_at),
        "output_units": units,
        "unit_price": float(cost / max(1, units)),
        "percent_discount": 0,
        "cost_total": float(cost),
        "cost_estimate_nano_usd": int(cost * 10**9),
    }


def _time(query: Any, name: str) -> float | None:
    """Return a time of a query in Unix seconds; None if missing."""
    if name not in query:
        return None
    try:
        time = datetime.fromisoformat(query[name])
    except ValueError as error:
        raise _invalid(f"{name} must be an ISO 8601 time") from error
    return (time if time.tzinfo is not None else time.replace(tzinfo=UTC)).timestamp()


def _limit(value: str | None) -> int:
    if value is None:
        return _DEFAULT_LIMIT
    if not (value.isascii() and value.isdigit() and len(value) <= 3 and 1 <= int(value) <= _MAX_LIMIT):  # noqa: PLR2004 - the digits of the largest
        raise _invalid(f"limit must be 1 to {_MAX_LIMIT}")
    return int(value)


def _offset(cursor: str | None) -> int:
    if cursor is None:
        return 0
    try:
        return int(base64.urlsafe_b64decode(cursor)[:9])
    except (binascii.Error, ValueError) as error:
        raise _invalid("the cursor is unknown") from error


def _invalid(message: str) -> RequestError:
    return _refusal(400, "validation_error", message)


def _refusal(status: int, type_: str, message: str) -> RequestError:
    return RequestError(status, message, body={"error": {"type": type_, "message": message}})


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")
