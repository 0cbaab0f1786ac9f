"""Replies of the fal fake about a request: status, result and webhook."""

import asyncio
import base64
from collections.abc import Sequence
from typing import Any, Final

from aiohttp import web

from sandbox.providers.fal.requests import FalRequest
from sandbox.providers.job_store import Job, State
from sandbox.providers.result_files import draw_result

_SEED: Final = 7
"""The seed of requests without one."""


def addresses(address: str) -> dict[str, str]:
    """Return the addresses in a submit's reply and a status."""
    return {"response_url": address, "status_url": f"{address}/status", "cancel_url": f"{address}/cancel"}


def status_reply(job: Job, request: FalRequest, *, address: str, has_logs: bool) -> web.Response:
    """Return the status; each read in the queue moves the request up."""
    headers = {"x-fal-request-id": job.id}
    body: dict[str, Any] = {"request_id": job.id, **addresses(address)}
    if job.state is State.IN_QUEUE:
        position, request.positions_left = request.positions_left, max(0, request.positions_left - 1)
        return web.json_response(
            {"status": "IN_QUEUE", "queue_position": position, **body}, status=202, headers=headers
        )
    if has_logs:
        body["logs"] = [{"message": f"Running {request.endpoint.id}", "level": "INFO", "source": "stdout"}]
    if job.state is State.IN_PROGRESS:
        return web.json_response({"status": "IN_PROGRESS", **body}, status=202, headers=headers)
    body["metrics"] = {"inference_time": request.duration}
    if request.failure is not None:
        body["error"] = f"Invalid status code: {request.failure.status}"
        body["error_type"] = headers["X-Fal-Error-Type"] = request.failure.error_type
    return web.json_response({"status": "COMPLETED", **body}, headers=headers)


async def result_reply(job: Job, request: FalRequest, urls: Sequence[str]) -> web.Response:
    """Return the result, or the error of a failed job; `urls` are its images'."""
    headers = {"x-fal-request-id": job.id}
    if not job.terminal:
        return web.json_response({"detail": "Request is still in progress"}, status=400, headers=headers)
    failure = request.failure
    if failure is not None:
        headers |= {"X-Fal-Error-Type": failure.error_type, **failure.headers}
        headers["X-Fal-Needs-Retry"] = "1" if failure.is_retryable else "0"
        return web.json_response(failure.body, status=failure.status, headers=headers)
    headers["X-Fal-Billable-Units"] = str(request.billed_units(job))
    return web.json_response(await asyncio.to_thread(output, job, request, urls), headers=headers)


def output(job: Job, request: FalRequest, urls: Sequence[str]) -> dict[str, Any]:
    """Return the output of a completed job; in sync mode, with data URIs."""
    content_type = f"image/{job.request.format}"
    images = []
    for index, url in enumerate(urls):
        address = url
        if request.values.get("sync_mode"):
            data = draw_result(job, index, is_black=request.is_black)
            address = f"data:{content_type};base64,{base64.b64encode(data).decode()}"
        size = {"width": job.request.width, "height": job.request.height}
        images.append({"url": address, "content_type": content_type, **size, "file_name": url.split("/")[-1]})
    body: dict[str, Any] = {"images": images, "prompt": request.prompt}
    if "seed" in request.endpoint.schema:
        body["seed"] = _SEED if request.values["seed"] is None else request.values["seed"]
    if request.is_black or "enable_safety_checker" in request.endpoint.schema:
        body["has_nsfw_concepts"] = [request.is_black] * len(images)
    return body


def webhook_body(job: Job, request: FalRequest, urls: Sequence[str], case: str) -> dict[str, Any]:
    """Return the webhook body of an ended job, or of a named case."""
    body: dict[str, Any] = {"request_id": job.id, "gateway_request_id": request.gateway_id}
    if case == "webhook_error":
        return {**body, "status": "ERROR", "error": "Invalid status code: 500", "payload": None}
    if case == "payload_null":
        return {**body, "status": "OK", "payload": None, "payload_error": "The response is no JSON."}
    if request.failure is not None:
        error = f"Invalid status code: {request.failure.status}"
        return {**body, "status": "ERROR", "error": error, "payload": request.failure.body}
    return {**body, "status": "OK", "payload": output(job, request, urls)}
