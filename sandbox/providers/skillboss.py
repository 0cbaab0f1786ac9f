"""Fake of SkillBoss, to the letter of its page.

Seed: "Reve Text-to-Image API".
"""

import asyncio
from contextlib import suppress
from functools import cached_property
from typing import Any, Final

from aiohttp import web

from sandbox.providers.control import webhook_routes
from sandbox.providers.faults import Endpoint, Fault, Kind
from sandbox.providers.job_store import Job, JobRequest, State
from sandbox.providers.recording import RecordedRequest
from sandbox.providers.server import ImageApiServer, RequestError
from sandbox.providers.sizes import RATIOS, pixels
from sandbox.providers.webhooks import Webhooks, is_acceptable

MODEL: Final = "reve/text-to-image"
GEMINI_MODEL: Final = "google/gemini-3-pro-image"
UNIT_PRICE: Final = 10
"""Price of an image in units; the page names no figure."""

_SIZES: Final = {"1:1": "1024x1024", "9:16": "1024x1792", "16:9": "1792x1024"}
_FORMATS: Final = ("png", "jpeg", "webp")
_MAX_IMAGES: Final = 4
_GEMINI_INPUTS: Final = frozenset({"prompt", "image_urls", "image_size", "aspect_ratio"})
_GEMINI_SIZES: Final = ("1K", "2K", "4K")
_MAX_GEMINI_INPUTS: Final = 14
_EARLY: Final = frozenset({Kind.EARLY})

# Seed: "Errors": the documented messages, and the error types of its other pages.
_ERRORS: Final = {
    400: ("Invalid model, missing required field, or malformed JSON.", "invalid_request_error"),
    401: ("Missing or invalid wholesale key.", "authentication_error"),
    402: ("Wholesale balance too low - top up on the wholesale dashboard.", "insufficient_credits"),
    404: ("Unknown request_id.", "not_found"),
    409: ("The worker has already started the vendor call.", "conflict"),
    429: ("Too many requests. Back off with exponential delay.", "rate_limited"),
    500: ("Transient upstream issue.", "server_error"),
    503: ("Discount pool capacity issue (lite tier).", "upstream_unavailable"),
}


class SkillBossServer(ImageApiServer):
    """Fake of SkillBoss: charges on COMPLETED, sends webhooks.

    Only queued jobs can be cancelled. Results expire after 7 days.
    """

    @cached_property
    def webhooks(self) -> Webhooks:
        """Return the webhook deliveries."""
        return Webhooks(self.faults, body=self._webhook, on_change=self.store.notify)

    async def close(self) -> None:
        """Stop listening, drop all connections and end all deliveries.

        Calling it twice is allowed.
        """
        await self.webhooks.close()
        await super().close()

    def clear_faults(self) -> None:
        """Remove all faults: stuck jobs move on, delayed webhooks are delivered."""
        super().clear_faults()
        self.webhooks.release()

    def on_job_end(self, job: Job) -> None:
        """Send the job's webhook, if it has one."""
        self.webhooks.start_delivery(job)

    def routes(self) -> list[web.RouteDef]:
        """Return the routes of the page."""
        return [
            web.post("/v1/run", self.handler(Endpoint.SUBMIT, self._submit)),
            web.get("/v1/run/status/{id}", self.handler(Endpoint.STATUS, self._status)),
            web.post("/v1/run/cancel/{id}", self.handler(Endpoint.CANCEL, self._cancel)),
            *webhook_routes(self.webhooks),
        ]

    def error_response(self, status: int, message: str | None, *, in_envelope: bool = False) -> web.Response:  # noqa: ARG002 - the signature of all fakes
        """Return an error as on its pages; `in_envelope` has no effect here."""
        default_message, kind = _ERRORS.get(status, ("Error.", "error"))
        return web.json_response(
            {"error": {"message": message or default_message, "type": kind, "code": kind}},
            status=status,
        )

    async def _submit(
        self, _: web.Request, record: RecordedRequest, account: str, __: Fault | None
    ) -> web.StreamResponse:
        job_request, webhook_url, asynchronous = _parse_request(record.body)
        if not self.store.can_pay(job_request.cost):
            raise RequestError(402, _ERRORS[402][0])
        job = self.store.open(job_request, owner=account)
        job.webhook_url = webhook_url
        job_fault = self.apply_job_fault(job)
        if job_fault is not None and job_fault.kind is Kind.INLINE:
            self.store.complete(job)
        self.store.schedule(job)
        headers = {"x-request-id": job.id, "x-record-id": job.record_id}
        if not asynchronous:
            # A client that hangs up does not stop its job: it is completed and charged.
            await asyncio.shield(self.store.wait_ended(job))
            if job.state is not State.COMPLETED:
                return self.error_response(500, job.error)
            return web.json_response(self._result(job), headers=headers)
        if job.terminal:
            return web.json_response(self._lifecycle(job), headers=headers)
        body = {
            "request_id": job.id,
            "status": job.state,
            "status_url": f"{self.url}/v1/run/status/{job.id}",
            "cancel_url": f"{self.url}/v1/run/cancel/{job.id}",
        }
        if webhook_url is not None and self.faults.take(Endpoint.WEBHOOK, _EARLY):
            self.store.complete(job)
            with suppress(TimeoutError):  # the response goes out even if the webhook gets lost
                await self.wait_for(lambda: self.webhooks.sent_for(job))
        return web.json_response(body, status=202, headers=headers)

    async def _status(
        self, request: web.Request, _: RecordedRequest, account: str, fault: Fault | None
    ) -> web.StreamResponse:
        job = self._job(request, account)
        body = self._lifecycle(job)
        if fault is not None and fault.kind is Kind.WORD:
            body = {"request_id": job.id, "status": fault.word}
        return web.json_response(body, headers={"x-request-id": job.id, "x-record-id": job.record_id})

    async def _cancel(
        self, request: web.Request, _: RecordedRequest, account: str, fault: Fault | None
    ) -> web.StreamResponse:
        """Cancel a queued job (seed: "3. Cancel").

        An ended job is left alone; the answer is a 200 without `cancelled`.
        """
        job = self._job(request, account)
        if fault is not None and fault.kind is Kind.UNSAID:
            return web.json_response({"request_id": job.id, "status": job.state})
        if self.store.cancel(job):
            return web.json_response({"request_id": job.id, "status": job.state, "cancelled": True})
        if job.state is State.IN_PROGRESS:
            raise RequestError(409, _ERRORS[409][0])
        return web.json_response({"request_id": job.id, "status": job.state})

    def _job(self, request: web.Request, account: str) -> Job:
        job = self.store.find(request.match_info["id"], owner=account)
        if job is None:
            raise RequestError(404, _ERRORS[404][0])
        return job

    def _lifecycle(self, job: Job) -> dict[str, Any]:
        body: dict[str, Any] = {"request_id": job.id, "status": job.state}
        if job.state is State.COMPLETED:
            body |= self._result(job) if job.shape == "top_level" else {"result": self._result(job)}
        elif job.state is State.FAILED:
            body["error"] = job.error
        return body

    def _webhook(self, job: Job) -> dict[str, Any]:
        """Return the webhook body of an ended job (seed: "Payload format")."""
        done = job.state is State.COMPLETED
        return {
            "request_id": job.id,
            "status": "OK" if done else "ERROR",
            "payload": {"generated_images": [{"url": url} for url in self.picture_urls(job)]} if done else None,
            "error": None if done else job.error,
        }

    def _result(self, job: Job) -> dict[str, Any]:
        """Return the result in one of the page's different shapes."""
        urls = self.picture_urls(job)
        objects = [{"url": url} for url in urls]
        usage = {"images": len(urls)}
        match job.shape:
            case "strings":
                return {"generated_images": urls, "text_response": "", "finish_reason": "STOP", "usage": usage}
            case "objects":
                return {"generated_images": objects, "finish_reason": "STOP", "usage": usage}
            case _:
                return {"images": objects}


def _parse_request(body: Any) -> tuple[JobRequest, str | None, bool]:
    """Return a submit's request, its webhook, and whether it is asynchronous.

    A webhook implies asynchronous.

    Raises:
        RequestError: The body has something else than the page allows.
    """
    inputs = body.get("inputs") if isinstance(body, dict) else None
    if not isinstance(body, dict) or not isinstance(inputs, dict):
        raise RequestError(400, "The body must be a JSON object with an inputs object.")
    model = body.get("model")
    if model not in (MODEL, GEMINI_MODEL):
        raise RequestError(400, "Invalid model.")
    prompt = inputs.get("prompt")
    if not isinstance(prompt, str) or not prompt.strip():
        raise RequestError(400, "Missing required field: inputs.prompt.")
    job_request = _reve_job(prompt, inputs) if model == MODEL else _gemini_job(prompt, inputs)
    webhook_url = body.get("webhook_url")
    if webhook_url is not None and not is_acceptable(webhook_url):
        raise RequestError(400, "webhook_url must be an HTTPS URL.")
    asynchronous = body.get("async", False)
    if not isinstance(asynchronous, bool):
        raise RequestError(400, "async must be a boolean.")
    return job_request, webhook_url, asynchronous or webhook_url is not None


def _reve_job(prompt: str, inputs: dict[str, Any]) -> JobRequest:
    """Return the images of the seed's model."""
    images = inputs.get("n", 1)
    if type(images) is not int or not 1 <= images <= _MAX_IMAGES:
        raise RequestError(400, "inputs.n must be an integer from 1 to 4.")
    format_ = inputs.get("output_format", "png")
    if format_ not in _FORMATS:
        raise RequestError(400, "inputs.output_format must be one of png, jpeg, webp.")
    width, height = _size(inputs)
    return JobRequest(
        prompt=prompt,
        model=MODEL,
        images=images,
        width=width,
        height=height,
        format=format_,
        cost=UNIT_PRICE * images,
    )


def _gemini_job(prompt: str, inputs: dict[str, Any]) -> JobRequest:
    """Return the one image of Google's model."""
    if unknown := inputs.keys() - _GEMINI_INPUTS:
        raise RequestError(400, f"Unknown inputs: {', '.join(sorted(unknown))}.")
    urls = inputs.get("image_urls", [])
    if not isinstance(urls, list) or not all(isinstance(url, str) and url.startswith("http") for url in urls):
        raise RequestError(400, "inputs.image_urls must be a list of URLs.")
    if len(urls) > _MAX_GEMINI_INPUTS:
        raise RequestError(400, f"inputs.image_urls must have at most {_MAX_GEMINI_INPUTS} URLs.")
    size, ratio = inputs.get("image_size", "1K"), inputs.get("aspect_ratio", "1:1")
    if size not in _GEMINI_SIZES:
        raise RequestError(400, f"inputs.image_size must be one of {', '.join(_GEMINI_SIZES)}.")
    if not isinstance(ratio, str) or ratio not in RATIOS:
        raise RequestError(400, f"inputs.aspect_ratio must be one of {', '.join(RATIOS)}.")
    width, height = pixels(ratio, size)
    return JobRequest(
        prompt=prompt,
        model=GEMINI_MODEL,
        images=1,
        width=width,
        height=height,
        format="png",
        cost=UNIT_PRICE,
        input_urls=tuple(urls),
    )


def _size(inputs: dict[str, Any]) -> tuple[int, int]:
    """Return the pixels of `size` or `aspect_ratio`.

    The page names both, so at most one of them may be given.
    """
    if "size" in inputs and "aspect_ratio" in inputs:
        raise RequestError(400, "Give either inputs.size or inputs.aspect_ratio.")
    ratio = inputs.get("aspect_ratio", "1:1")
    size = inputs.get("size", _SIZES.get(ratio) if isinstance(ratio, str) else None)
    if size not in _SIZES.values():
        raise RequestError(400, f"The size must be one of {', '.join(_SIZES.values())}.")
    width, _, height = str(size).partition("x")
    return int(width), int(height)
