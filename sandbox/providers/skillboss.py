"""The stand-in for SkillBoss, to the letter of its page (seed: "Reve Text-to-Image API")."""

import asyncio
from contextlib import suppress
from functools import cached_property
from typing import Any, Final

from aiohttp import web

from sandbox.providers.control import webhook_routes
from sandbox.providers.faults import Endpoint, Fault, Kind
from sandbox.providers.job_store import Job, Order, State
from sandbox.providers.recording import Received
from sandbox.providers.server import ImageApiServer, Refused
from sandbox.providers.webhooks import Webhooks, is_acceptable

MODEL: Final = "reve/text-to-image"
UNIT_PRICE: Final = 10
"""What a picture costs the account, in units; the page names no figure."""

_SIZES: Final = {"1:1": "1024x1024", "9:16": "1024x1792", "16:9": "1792x1024"}
_FORMATS: Final = ("png", "jpeg", "webp")
_MOST: Final = 4
_EARLY: Final = frozenset({Kind.EARLY})

# Seed: "Errors": the documented words, and the type of its other pages' error object.
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
    """SkillBoss: charges on COMPLETED, cancels in the queue only, tells webhooks, forgets results after 7 days."""

    @cached_property
    def webhooks(self) -> Webhooks:
        """Return the deliveries to those who named a webhook."""
        return Webhooks(self.faults, body=self._webhook, changed=self.studio.changed)

    async def close(self) -> None:
        """Stop listening, drop all connections and deliver nothing more; closing twice is no mistake."""
        await self.webhooks.close()
        await super().close()

    def mend(self) -> None:
        """Switch all faults off and let go what they hold: stuck jobs move on, held webhooks are delivered."""
        super().mend()
        self.webhooks.release()

    def job_ended(self, job: Job) -> None:
        """Tell the job's webhook, if it named one."""
        self.webhooks.announce(job)

    def routes(self) -> list[web.RouteDef]:
        """Return the routes of the page."""
        return [
            web.post("/v1/run", self.handler(Endpoint.SUBMIT, self._submit)),
            web.get("/v1/run/status/{id}", self.handler(Endpoint.STATUS, self._status)),
            web.post("/v1/run/cancel/{id}", self.handler(Endpoint.CANCEL, self._cancel)),
            *webhook_routes(self.webhooks),
        ]

    def refusal(self, status: int, message: str | None, *, in_envelope: bool = False) -> web.Response:  # noqa: ARG002
        """Return an error as its pages show it; there is no envelope here."""
        words, kind = _ERRORS.get(status, ("Error.", "error"))
        return web.json_response(
            {"error": {"message": message or words, "type": kind, "code": kind}},
            status=status,
        )

    async def _submit(self, _: web.Request, record: Received, account: str, __: Fault | None) -> web.StreamResponse:
        order, webhook_url, asynchronous = _order(record.body)
        if not self.studio.can_pay(order.cost):
            raise Refused(402, _ERRORS[402][0])
        job = self.studio.open(order, owner=account)
        job.webhook_url = webhook_url
        fate = self.with_fate(job)
        if fate is not None and fate.kind is Kind.INLINE:
            self.studio.complete(job)
        self.studio.schedule(job)
        headers = {"x-request-id": job.id, "x-record-id": job.record_id}
        if not asynchronous:
            # A client that hangs up has its job made and charged all the same.
            await asyncio.shield(self.studio.ended(job))
            if job.state is not State.COMPLETED:
                return self.refusal(500, job.error)
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
            self.studio.complete(job)
            with suppress(TimeoutError):  # the answer goes out even if the webhook gets lost on its way
                await self.wait_for(lambda: self.webhooks.sent_for(job))
        return web.json_response(body, status=202, headers=headers)

    async def _status(self, request: web.Request, _: Received, account: str, fault: Fault | None) -> web.StreamResponse:
        job = self._job(request, account)
        body = self._lifecycle(job)
        if fault is not None and fault.kind is Kind.WORD:
            body = {"request_id": job.id, "status": fault.word}
        return web.json_response(body, headers={"x-request-id": job.id, "x-record-id": job.record_id})

    async def _cancel(self, request: web.Request, _: Received, account: str, fault: Fault | None) -> web.StreamResponse:
        """Cancel (seed: "3. Cancel"); a job that has ended is left alone with a 200 that claims nothing."""
        job = self._job(request, account)
        if fault is not None and fault.kind is Kind.UNSAID:
            return web.json_response({"request_id": job.id, "status": job.state})
        if self.studio.cancel(job):
            return web.json_response({"request_id": job.id, "status": job.state, "cancelled": True})
        if job.state is State.IN_PROGRESS:
            raise Refused(409, _ERRORS[409][0])
        return web.json_response({"request_id": job.id, "status": job.state})

    def _job(self, request: web.Request, account: str) -> Job:
        job = self.studio.find(request.match_info["id"], owner=account)
        if job is None:
            raise Refused(404, _ERRORS[404][0])
        return job

    def _lifecycle(self, job: Job) -> dict[str, Any]:
        body: dict[str, Any] = {"request_id": job.id, "status": job.state}
        if job.state is State.COMPLETED:
            body |= self._result(job) if job.shape == "top_level" else {"result": self._result(job)}
        elif job.state is State.FAILED:
            body["error"] = job.error
        return body

    def _webhook(self, job: Job) -> dict[str, Any]:
        """Return what is posted at a job's end (seed: "Payload format")."""
        done = job.state is State.COMPLETED
        return {
            "request_id": job.id,
            "status": "OK" if done else "ERROR",
            "payload": {"generated_images": [{"url": url} for url in self.picture_urls(job)]} if done else None,
            "error": None if done else job.error,
        }

    def _result(self, job: Job) -> dict[str, Any]:
        """Return the result in one of the shapes that the page shows in different places."""
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


def _order(body: Any) -> tuple[Order, str | None, bool]:
    """Return what a submit asks for, its webhook, and whether it is asynchronous; a webhook implies that it is."""
    inputs = body.get("inputs") if isinstance(body, dict) else None
    if not isinstance(body, dict) or not isinstance(inputs, dict):
        raise Refused(400, "The body must be a JSON object with an inputs object.")
    if body.get("model") != MODEL:
        raise Refused(400, "Invalid model.")
    prompt = inputs.get("prompt")
    if not isinstance(prompt, str) or not prompt.strip():
        raise Refused(400, "Missing required field: inputs.prompt.")
    images = inputs.get("n", 1)
    if type(images) is not int or not 1 <= images <= _MOST:
        raise Refused(400, "inputs.n must be an integer from 1 to 4.")
    format_ = inputs.get("output_format", "png")
    if format_ not in _FORMATS:
        raise Refused(400, "inputs.output_format must be one of png, jpeg, webp.")
    webhook_url = body.get("webhook_url")
    if webhook_url is not None and not is_acceptable(webhook_url):
        raise Refused(400, "webhook_url must be an HTTPS URL.")
    asynchronous = body.get("async", False)
    if not isinstance(asynchronous, bool):
        raise Refused(400, "async must be a boolean.")
    width, height = _size(inputs)
    order = Order(
        prompt=prompt,
        model=MODEL,
        images=images,
        width=width,
        height=height,
        format=format_,
        cost=UNIT_PRICE * images,
    )
    return order, webhook_url, asynchronous or webhook_url is not None


def _size(inputs: dict[str, Any]) -> tuple[int, int]:
    """Return the pixels of `size` or `aspect_ratio`: the page names both, so exactly one of them may come."""
    if "size" in inputs and "aspect_ratio" in inputs:
        raise Refused(400, "Give either inputs.size or inputs.aspect_ratio.")
    ratio = inputs.get("aspect_ratio", "1:1")
    size = inputs.get("size", _SIZES.get(ratio) if isinstance(ratio, str) else None)
    if size not in _SIZES.values():
        raise Refused(400, f"The size must be one of {', '.join(_SIZES.values())}.")
    width, _, height = str(size).partition("x")
    return int(width), int(height)
