"""Fake of OpenRouter's Image API."""

import base64
import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, ClassVar, Final

from aiohttp import web

from sandbox.providers.cases import Case
from sandbox.providers.faults import Endpoint, Fault, Kind
from sandbox.providers.fields import FieldError
from sandbox.providers.inputs import Input
from sandbox.providers.job_store import Job, JobRequest
from sandbox.providers.openrouter.cases import CASES, NO_CREDITS, error_body
from sandbox.providers.openrouter.models import MODELS, ProviderEndpoint
from sandbox.providers.openrouter.requests import Call, load_inputs, parse_call, pixels
from sandbox.providers.recording import RecordedRequest, break_connection
from sandbox.providers.server import RequestError
from sandbox.providers.synchronous import SynchronousServer, case_error

_OUTPUT_TOKENS: Final = 1120


class OpenRouterServer(SynchronousServer):
    """Fake of OpenRouter: bills no lost replies.

    A client that hangs up ends its job. Discovery needs no key.
    """

    cases: ClassVar[Mapping[str, Case]] = CASES
    bills_lost_replies = False
    stops_on_disconnect = True
    keyless_endpoints = frozenset({Endpoint.MODELS})

    def routes(self) -> list[web.RouteDef]:
        """Return the routes of the Image API and the account."""
        base = "/api/v1"
        return [
            web.post(f"{base}/images", self.handler(Endpoint.SUBMIT, self._generate)),
            web.get(f"{base}/images/models", self.handler(Endpoint.MODELS, self._models)),
            web.get(
                f"{base}/images/models/{{author}}/{{slug}}/endpoints", self.handler(Endpoint.MODELS, self._endpoints)
            ),
            web.get(f"{base}/key", self.handler(Endpoint.ACCOUNT, self._key)),
            web.get(f"{base}/generation", self.handler(Endpoint.STATUS, self._generation)),
        ]

    def error_response(self, status: int, message: str | None, *, in_envelope: bool = False) -> web.Response:  # noqa: ARG002 - the signature of all fakes
        """Return an error in the envelope of the API."""
        return web.json_response(error_body(status, message or "Error."), status=status)

    def key_error(self, key: str) -> RequestError:
        """Return the error for a wrong key, or for none."""
        return RequestError(401, "User not found." if key else "No auth credentials found")

    async def _models(self, _: web.Request, __: RecordedRequest, ___: str, ____: Fault | None) -> web.StreamResponse:
        return web.json_response({"data": [model.as_json() for model in MODELS.values()]})

    async def _endpoints(
        self, request: web.Request, _: RecordedRequest, __: str, ___: Fault | None
    ) -> web.StreamResponse:
        model = MODELS.get("{author}/{slug}".format_map(request.match_info))
        if model is None:
            raise RequestError(404, "Model not found")
        return web.json_response({"id": model.id, "endpoints": [each.as_json() for each in model.endpoints]})

    async def _key(self, _: web.Request, __: RecordedRequest, account: str, ___: Fault | None) -> web.StreamResponse:
        used = sum((Decimal(charge.cost) for charge in self.billed if charge.owner == account), Decimal(0))
        left = self.store.balance
        data = {
            "label": "sk-or-v1-sandbox",
            "limit": None if left is None else float(left + used),
            "limit_remaining": None if left is None else float(left),
            "usage": float(used),
            "is_free_tier": False,
        }
        return web.json_response({"data": data})

    async def _generation(
        self, _: web.Request, record: RecordedRequest, account: str, __: Fault | None
    ) -> web.StreamResponse:
        job = self.store.find(record.query.get("id", "").removeprefix("gen-"), owner=account)
        if job is None:
            raise RequestError(404, "Generation not found")
        cost = sum((Decimal(charge.cost) for charge in self.billed if charge.job_id == job.id), Decimal(0))
        data = {"id": f"gen-{job.id}", "model": job.request.model, "total_cost": float(cost), "is_byok": False}
        return web.json_response({"data": {**data, "cancelled": job.terminal and not cost}})

    async def _generate(
        self, request: web.Request, record: RecordedRequest, account: str, fault: Fault | None
    ) -> web.StreamResponse:
        try:
            call = parse_call(record.body)
            inputs = await load_inputs(call, self.inputs)
            size = pixels(call, inputs)
        except FieldError as error:
            status = 404 if error.code == "not_found" else 400
            error_type = error.code if error.code.startswith(("image_", "unsupported_")) else None
            body = error_body(status, str(error), error_type=error_type)
            raise RequestError(status, str(error), body=body) from error
        case = fault.case if fault is not None else ""
        endpoint = call.endpoints[0]
        if case == "first_provider_down":
            if not call.falls_back or len(call.endpoints) == 1:
                raise case_error(CASES["overloaded"])
            endpoint = call.endpoints[1]
        images = {"nothing": 0, "fewer": max(0, call.values.get("n", 1) - 1)}.get(case, call.values.get("n", 1))
        job_request = self._job_request(call, endpoint, images, size, len(inputs))
        if not self.store.can_pay(job_request.cost):
            raise case_error(NO_CREDITS)
        if call.values.get("stream"):
            return await self._stream(request, job_request, account, fault, inputs)
        job = await self.run_job(job_request, account, fault, inputs=inputs)
        if not job.pictures:
            self.store.refund(job)
        pictures = [_encoded(job, each) for each in job.pictures]
        body = {"created": int(self.wall_clock()), "data": pictures, **_usage(job)}
        return web.json_response(body, headers={"X-Generation-Id": f"gen-{job.id}"})

    def _job_request(
        self, call: Call, endpoint: ProviderEndpoint, images: int, size: tuple[int, int], references: int
    ) -> JobRequest:
        cost = Decimal(0)
        if images:
            cost = endpoint.cost(images=images, pixels=size[0] * size[1], references=references, variants=call.variants)
        return JobRequest(
            prompt=call.values["prompt"],
            model=call.model.id,
            images=images,
            width=size[0],
            height=size[1],
            format=call.values.get("output_format", "png"),
            cost=cost,
            cut_out=call.values.get("background") == "transparent",
        )

    async def _stream(
        self,
        request: web.Request,
        job_request: JobRequest,
        account: str,
        fault: Fault | None,
        inputs: tuple[Input, ...],
    ) -> web.StreamResponse:
        """Send a partial picture at once, and the whole ones at the job's end."""
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)

        async def on_open(job: Job) -> None:
            partial = base64.b64encode(await self.draw_partial(job)).decode()
            event = {"type": "image_generation.partial_image", "partial_image_index": 0, "b64_json": partial}
            await _send(response, json.dumps(event))

        try:
            job = await self.run_job(job_request, account, fault, inputs=inputs, on_open=on_open)
        except RequestError as error:
            body = error.body or error_body(error.status, error.message)
            await _send(response, json.dumps({"type": "error", **body}))
            await _send(response, "[DONE]")
            return response
        if fault is not None and fault.kind in (Kind.RESET_AFTER, Kind.HALF, Kind.MALFORMED):
            return break_connection(request)
        for picture in job.pictures:
            event = {"type": "image_generation.completed", "created": int(self.wall_clock())}
            await _send(response, json.dumps({**event, **_encoded(job, picture), **_usage(job)}))
        await _send(response, "[DONE]")
        return response


async def _send(response: web.StreamResponse, data: str) -> None:
    await response.write(f"data: {data}\n\n".encode())


def _encoded(job: Job, picture: bytes) -> dict[str, Any]:
    return {"b64_json": base64.b64encode(picture).decode(), "media_type": f"image/{job.request.format}"}


def _usage(job: Job) -> dict[str, Any]:
    tokens = _OUTPUT_TOKENS * len(job.pictures)
    cost = float(job.request.cost) if job.pictures else 0.0
    return {
        "usage": {
            "prompt_tokens": 0,
            "completion_tokens": tokens,
            "total_tokens": tokens,
            "cost": cost,
            "cost_details": {"upstream_inference_cost": None},
            "is_byok": False,
        }
    }
