"""Fake of OpenAI's Images API and of similar services."""

import base64
import json
import time
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any, ClassVar, Final

from aiohttp import web

from sandbox.providers.cases import Case
from sandbox.providers.faults import Endpoint, Fault, Kind
from sandbox.providers.fields import FieldError
from sandbox.providers.inputs import Input
from sandbox.providers.job_store import Job, JobRequest
from sandbox.providers.openai.cases import CASES, error_body
from sandbox.providers.openai.costs import Usage, picture_tokens, usage
from sandbox.providers.openai.profiles import PROFILES
from sandbox.providers.openai.requests import Call, load_inputs, parse_call
from sandbox.providers.pictures import FORMATS
from sandbox.providers.recording import RecordedRequest, break_connection
from sandbox.providers.server import RequestError
from sandbox.providers.sizes import RATIOS, area_pixels, ratio_within_limits
from sandbox.providers.synchronous import RateWindow, SynchronousServer, case_error

_TICKS: Final = Decimal(10) ** 10  # of xAI, in a US dollar
_OBLONG_FROM: Final = 1.2
_STATUSES: Final = {"model_not_found": 404, "no_access": 403}
_CATEGORIES: Final = (
    *("harassment", "harassment/threatening", "hate", "hate/threatening", "illicit", "illicit/violent", "self-harm"),
    *("self-harm/intent", "self-harm/instructions", "sexual", "sexual/minors", "violence", "violence/graphic"),
)
_KINDS: Final = {401: "invalid_request_error", 429: "requests", 500: "server_error", 503: "service_unavailable"}


class OpenAiImagesServer(SynchronousServer):
    """Fake of OpenAI's Images API, or of a similar `profile`.

    Pictures are billed once they are drawn, although their reply may get lost; refused calls are not billed.
    `images_per_minute` is the limit of the account's tier.
    """

    cases: ClassVar[Mapping[str, Case]] = CASES
    max_body_bytes = 1024 * 1024 * 1024

    def __init__(self, *, profile: str = "openai", images_per_minute: int | None = None, **options: Any) -> None:
        super().__init__(**options)
        self.profile = PROFILES[profile]
        self.window = RateWindow(images_per_minute, options.get("clock", time.monotonic))

    def routes(self) -> list[web.RouteDef]:
        """Return the routes of the profile."""
        prefixes = [self.profile.prefix]
        if self.profile.prefix_deployments:
            prefixes.append("/openai/deployments/{deployment}")
        routes = [web.get(f"{self.profile.prefix}/models", self.handler(Endpoint.MODELS, self._models))]
        if self.profile is PROFILES["openai"]:
            routes.append(web.post(f"{self.profile.prefix}/moderations", self.handler(Endpoint.MODELS, self._moderate)))
        for prefix in prefixes:
            routes.append(web.post(f"{prefix}/images/generations", self.handler(Endpoint.SUBMIT, self._generate)))
            if self.profile.edits:
                routes.append(web.post(f"{prefix}/images/edits", self.handler(Endpoint.SUBMIT, self._edit)))
        return routes

    def error_response(self, status: int, message: str | None, *, in_envelope: bool = False) -> web.Response:  # noqa: ARG002 - the signature of all fakes
        """Return an error in the envelope of the API."""
        kind = _KINDS.get(status, "invalid_request_error")
        return web.json_response(error_body(message or "Error.", kind=kind, code=None), status=status)

    def request_key(self, record: RecordedRequest) -> str:
        """Return the key of the profile's header; local services need none."""
        if not self.profile.has_keys:
            return next(iter(self._keys))
        if self.profile.key_header == "authorization":
            return super().request_key(record)
        return record.headers.get(self.profile.key_header, "")

    def key_error(self, key: str) -> RequestError:
        """Return the error for a wrong key; it quotes the key's end."""
        if self.profile.prefix_deployments:
            message = "Access denied due to invalid subscription key or wrong API endpoint."
            return RequestError(401, message, body={"error": {"code": "401", "message": message}})
        message = f"Incorrect API key provided: {key[:3]}...{key[-4:]}."
        return RequestError(401, message, body=error_body(message, code="invalid_api_key"))

    def reply_headers(self) -> Mapping[str, str]:
        """Return the request's id, and the rate limit if there is one."""
        headers = {"x-request-id": f"req_{self.store.new_id()}"}
        if self.window.limit is not None:
            headers["x-ratelimit-limit-requests"] = str(self.window.limit)
            headers["x-ratelimit-remaining-requests"] = str(self.window.left)
        return headers

    async def _models(self, _: web.Request, __: RecordedRequest, ___: str, ____: Fault | None) -> web.StreamResponse:
        rows = [
            {"id": name, "object": "model", "created": 1, "owned_by": "sandbox", "shutdown_date": model.shutdown_date}
            for name, model in self.profile.models.items()
        ]
        return web.json_response({"object": "list", "data": rows})

    async def _moderate(
        self, _: web.Request, record: RecordedRequest, __: str, ___: Fault | None
    ) -> web.StreamResponse:
        """Check a text: it falls into the categories with their names in brackets."""
        body = record.body if isinstance(record.body, dict) else {}
        text = body.get("input")
        if not isinstance(text, str) or body.get("model") != "omni-moderation-latest":
            raise RequestError(
                400, "Invalid value for 'input'.", body=error_body("Invalid value for 'input'.", code=None)
            )
        categories = {name: f"[{name}]" in text for name in _CATEGORIES}
        result = {
            "flagged": any(categories.values()),
            "categories": categories,
            "category_scores": {name: float(is_found) for name, is_found in categories.items()},
            "category_applied_input_types": {name: ["text"] for name in categories},
        }
        return web.json_response({"id": "modr-1", "model": body["model"], "results": [result]})

    async def _generate(
        self, request: web.Request, record: RecordedRequest, account: str, fault: Fault | None
    ) -> web.StreamResponse:
        return await self._answer(request, record, account, fault, edit=False)

    async def _edit(
        self, request: web.Request, record: RecordedRequest, account: str, fault: Fault | None
    ) -> web.StreamResponse:
        return await self._answer(request, record, account, fault, edit=True)

    async def _answer(
        self, request: web.Request, record: RecordedRequest, account: str, fault: Fault | None, *, edit: bool
    ) -> web.StreamResponse:
        deployment = request.match_info.get("deployment")
        if deployment is not None and "api-version" not in record.query:
            raise RequestError(404, "Resource not found")
        content_type = record.headers.get("content-type", "")
        try:
            call = parse_call(
                self.profile, content_type, await request.read(), record.body, edit=edit, deployment=deployment
            )
            inputs, mask = await load_inputs(call, self.inputs)
        except FieldError as error:
            code = None if error.code == "no_access" else error.code
            body = error_body(str(error), param=error.name, code=code)
            raise RequestError(_STATUSES.get(error.code, 400), str(error), body=body) from error
        self._check_window(call)
        delivered = 0 if fault is not None and fault.case == "nothing" else call.values.get("n", 1)
        job_request, used = self._price(call, inputs, pictures=delivered)
        job_request = replace(job_request, mask=mask)
        if not self.store.can_pay(job_request.cost):
            raise case_error(CASES["account_empty"])
        if call.values.get("stream"):
            return await self._stream(request, call, job_request, used, account, fault, inputs)
        job = await self.run_job(job_request, account, fault, inputs=inputs)
        if fault is not None and fault.case == "refused_xai_picture":
            self.store.refund(job)
        return self._reply(job, call, used, fault)

    def _check_window(self, call: Call) -> None:
        wait = self.window.take(call.values.get("n", 1))
        if wait:
            headers = {"Retry-After": str(round(wait)), "x-ratelimit-reset-requests": f"{round(wait)}s"}
            raise case_error(CASES["rate_limited"], headers=headers)

    def _price(self, call: Call, inputs: tuple[Input, ...], *, pictures: int) -> tuple[JobRequest, Usage | None]:
        """Return the job of a call, and its tokens if the profile has them."""
        values = call.values
        width, height = _pixels(values, inputs)
        used = None
        cost = call.model.price.get(values.get("resolution", "1k"), Decimal(0)) * pictures
        if self.profile.has_tokens:
            quality = _quality(values)
            used = usage(
                prompt=values["prompt"],
                inputs=tuple((each.width, each.height) for each in inputs),
                picture=picture_tokens(call.model.version, quality, width, height),
                pictures=pictures,
                partial=values.get("partial_images", 0),
            )
            cost = used.cost
        format_ = values.get("output_format", "png")
        job_request = JobRequest(
            prompt=values["prompt"],
            model=call.model_name,
            images=pictures,
            width=width,
            height=height,
            format=format_ if format_ in FORMATS else "png",
            cost=cost,
            cut_out=values.get("background") == "transparent",
        )
        return job_request, used

    def _reply(self, job: Job, call: Call, used: Usage | None, fault: Fault | None) -> web.Response:
        case = fault.case if fault is not None else ""
        urls = call.values.get("response_format", "url" if self.profile.sends_urls else "b64_json") == "url"
        pictures = (
            [{"url": url} for url in self.picture_urls(job)] if urls else [_encoded(each) for each in job.pictures]
        )
        body: dict[str, Any] = {"created": int(self.wall_clock()), "data": pictures}
        if self.profile.name == "xai":
            allowed = case != "refused_xai_picture"
            body["data"] = [{**(each if allowed else {}), "respect_moderation": allowed} for each in pictures]
            body["usage"] = {"cost_in_usd_ticks": int(Decimal(job.request.cost) * _TICKS) if allowed else 0}
        headers = {}
        if used is not None:
            body |= _settings(job, call)
            if case != "no_usage":
                body["usage"] = used.as_json()
        if self.profile.name == "litellm":
            headers["x-litellm-response-cost"] = str(job.request.cost)
        return web.json_response(body, headers=headers)

    async def _stream(
        self,
        request: web.Request,
        call: Call,
        job_request: JobRequest,
        used: Usage | None,
        account: str,
        fault: Fault | None,
        inputs: tuple[Input, ...],
    ) -> web.StreamResponse:
        """Send partial pictures at once, and the whole ones at the job's end."""
        prefix = "image_edit" if inputs else "image_generation"
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", **self.reply_headers()})
        await response.prepare(request)

        async def on_open(job: Job) -> None:
            partial = await self.draw_partial(job)
            for at in range(call.values.get("partial_images", 0)):
                await _send(
                    response, {"type": f"{prefix}.partial_image", "partial_image_index": at, **_encoded(partial)}
                )

        try:
            job = await self.run_job(job_request, account, fault, inputs=inputs, on_open=on_open)
        except RequestError as error:
            await _send(response, {"type": "error", **(error.body or error_body(error.message, code=None))})
            return response
        if fault is not None and fault.kind in (Kind.RESET_AFTER, Kind.HALF, Kind.MALFORMED):
            return break_connection(request)
        for picture in job.pictures:
            event = {"type": f"{prefix}.completed", "created_at": int(self.wall_clock()), **_encoded(picture)}
            await _send(response, {**event, **_settings(job, call), "usage": used.as_json() if used else None})
        return response


async def _send(response: web.StreamResponse, event: dict[str, Any]) -> None:
    await response.write(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode())


def _encoded(picture: bytes) -> dict[str, Any]:
    return {"b64_json": base64.b64encode(picture).decode()}


def _quality(values: Mapping[str, Any]) -> str:
    quality = values.get("quality", "auto")
    return "medium" if quality == "auto" else str(quality)


def _settings(job: Job, call: Call) -> dict[str, Any]:
    """Return the settings of a reply."""
    return {
        "output_format": job.request.format,
        "quality": _quality(call.values),
        "size": f"{job.request.width}x{job.request.height}",
        "background": "transparent" if job.request.cut_out else "opaque",
    }


def _pixels(values: Mapping[str, Any], inputs: tuple[Input, ...]) -> tuple[int, int]:
    """Return the requested size; without one, it follows the first input."""
    shape = ratio_within_limits(inputs[0].width, inputs[0].height) if inputs else 1.0
    if "resolution" in values or "aspect_ratio" in values:
        edge = 2048 if values.get("resolution") == "2k" else 1024
        return area_pixels(edge, RATIOS.get(values.get("aspect_ratio", "auto"), shape))
    if (size := values.get("size")) is not None:
        width, height = size
        return width, height
    if shape >= _OBLONG_FROM:
        return 1536, 1024
    return (1024, 1536) if shape <= 1 / _OBLONG_FROM else (1024, 1024)
