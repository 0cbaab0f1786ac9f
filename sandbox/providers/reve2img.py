"""Fake of reve2img, to the letter of its page (seed: "Image Models")."""

import re
from dataclasses import dataclass
from typing import Any, Final

from aiohttp import web

from sandbox.providers.faults import Endpoint, Fault, Kind
from sandbox.providers.job_store import Job, JobRequest, State
from sandbox.providers.post_processing import FLAT, parse_post_processing
from sandbox.providers.recording import RecordedRequest
from sandbox.providers.server import ImageApiServer, RequestError
from sandbox.providers.sizes import RATIOS, pixels, ratio_within_limits


@dataclass(frozen=True, slots=True, kw_only=True)
class _Model:
    """A row of the page's table: credits per image.

    `text` is for images from a prompt, `edit` for edits; None if the model cannot edit.
    """

    text: int
    edit: int | None
    resolutions: tuple[str, ...] = ()
    factor_4k: int = 1


_MODELS: Final = {
    "reve-2.0": _Model(text=12, edit=20),
    "nano-banana": _Model(text=20, edit=None),
    "nano-banana-pro": _Model(text=70, edit=70, resolutions=("1K", "2K", "4K"), factor_4k=2),
    "seedream-5": _Model(text=25, edit=25, resolutions=("1K", "2K", "4K")),
}
_REVE: Final = "reve-2.0"
_REVE_ONLY: Final = ("test_time_scaling", "version", *FLAT, "postprocessing")
_FIELDS: Final = frozenset(
    {"model", "prompt", "image_urls", "aspect_ratio", "num_images", "output_format", "resolution", *_REVE_ONLY}
)
_MAX_INPUTS: Final = 8
_VERSION: Final = re.compile(r"latest|latest-fast|([a-z0-9.-]+@)?\d{8}")
_EDIT_VERSION: Final = "latest-fast"
_FORMATS: Final = ("png", "jpeg", "webp")
_MAX_IMAGES: Final = 4
_MAX_SCALING: Final = 15
_MESSAGES: Final = {
    400: "Invalid parameters",
    401: "Invalid API key",
    402: "Insufficient credits",
    404: "Task not found",
    429: "Too many requests",
    500: "Internal server error",
    503: "Service unavailable",
}


class Reve2ImgServer(ImageApiServer):
    """Fake of reve2img: prepaid, refunds failed tasks, cannot cancel.

    Its tasks know only IN_PROGRESS, SUCCESS and FAILED. Of a job's result shapes, `strings` is the documented
    `response.resultUrls` and `data.error_message`; the others are variants of sister services.
    """

    prepaid = True

    async def fetch_inputs(self, job: Job) -> None:
        """Fetch a task's inputs; a missing ratio is taken from the first one."""
        await super().fetch_inputs(job)
        first = job.inputs[0]
        job.request = _parse_request(job.submit_body, auto=ratio_within_limits(first.width, first.height))

    def routes(self) -> list[web.RouteDef]:
        """Return the routes of the page."""
        return [
            web.post("/api/v1/generate", self.handler(Endpoint.SUBMIT, self._submit)),
            web.get("/api/v1/status", self.handler(Endpoint.STATUS, self._status)),
        ]

    def error_response(self, status: int, message: str | None, *, in_envelope: bool = False) -> web.Response:
        """Return an error in the envelope.

        Its HTTP status is the error's status; 200 if `in_envelope`.
        """
        body = {"code": status, "message": message or _MESSAGES.get(status, "Error"), "data": None}
        return web.json_response(body, status=200 if in_envelope else status)

    async def _submit(
        self, _: web.Request, record: RecordedRequest, account: str, __: Fault | None
    ) -> web.StreamResponse:
        job_request = _parse_request(record.body)
        if not self.store.can_pay(job_request.cost):
            raise RequestError(402, _MESSAGES[402])
        job = self.store.open(job_request, owner=account)
        job.submit_body = record.body
        job_fault = self.apply_job_fault(job)
        if job_fault is not None and job_fault.kind is Kind.INLINE:
            self.store.complete(job)
            await self.store.wait_ended(job)
        self.store.schedule(job)
        return self._envelope(self._task(job))

    async def _status(
        self, _: web.Request, record: RecordedRequest, account: str, fault: Fault | None
    ) -> web.StreamResponse:
        job = self.store.find(record.query.get("task_id", ""), owner=account)
        if job is None:
            raise RequestError(404, _MESSAGES[404])
        task = self._task(job)
        if fault is not None and fault.kind is Kind.WORD:
            task = {"task_id": job.id, "status": fault.word}
        return self._envelope(task)

    def _envelope(self, data: dict[str, Any]) -> web.Response:
        return web.json_response({"code": 200, "message": "success", "data": data})

    def _task(self, job: Job) -> dict[str, Any]:
        task: dict[str, Any] = {"task_id": job.id, "status": "IN_PROGRESS"}
        if job.state is State.COMPLETED:
            urls = self.picture_urls(job)
            response: Any = urls if job.shape == "objects" else {"resultUrls": urls}
            if job.shape == "images":
                response = [{"url": url} for url in urls]
            task |= {"status": "SUCCESS", "consumed_credits": job.request.cost, "response": response}
        elif job.terminal:
            task |= {"status": "FAILED", "consumed_credits": 0}
            reasons: dict[str, dict[str, Any]] = {
                "strings": {"error_message": job.error},
                "objects": {"error": {"message": job.error}},
                "images": {"error": job.error},
                "top_level": {"response": {"error": job.error}},
            }
            task |= reasons[job.shape]
        return task


def _parse_request(body: Any, *, auto: float = 3 / 2) -> JobRequest:
    """Parse a task (seed: "Parameters").

    `auto` is the aspect ratio of an image without a requested one.

    Raises:
        RequestError: The body has something else than the page allows.
    """
    if not isinstance(body, dict):
        raise RequestError(400, "The body must be a JSON object")
    name = body.get("model", _REVE)
    model = _MODELS.get(name) if isinstance(name, str) else None
    if model is None:
        raise RequestError(400, "Unknown model")
    prompt = body.get("prompt")
    if not isinstance(prompt, str) or not prompt.strip():
        raise RequestError(400, "prompt is required")
    images = _integer(body, "num_images", _MAX_IMAGES)
    format_ = _choice(body, "output_format", "png", _FORMATS)
    ratios = (*RATIOS, "auto") if name == _REVE else tuple(RATIOS)
    left_open = "image_urls" in body and "aspect_ratio" not in body
    ratio = "auto" if left_open else _choice(body, "aspect_ratio", "1:1", ratios)
    if "resolution" in body and not model.resolutions:
        raise RequestError(400, f"{name} has no resolution")
    resolution = _choice(body, "resolution", "1K", model.resolutions or ("1K",))
    _check_reve_only(body, str(name))
    price, urls = _unit_price(body, model)
    post_processing = parse_post_processing(body, pixels(ratio, resolution, auto=auto))
    factor = model.factor_4k if resolution == "4K" else 1
    scaling = _integer(body, "test_time_scaling", _MAX_SCALING)
    return JobRequest(
        prompt=prompt,
        model=str(name),
        images=images,
        width=post_processing.size[0],
        height=post_processing.size[1],
        format=format_,
        cost=(price * factor * scaling + post_processing.cost) * images,
        cut_out=post_processing.cut_out,
        effect=post_processing.effect,
        input_urls=urls,
    )


def _unit_price(body: dict[str, Any], model: _Model) -> tuple[int, tuple[str, ...]]:
    """Return an image's price before any extras, and the input addresses."""
    urls = body.get("image_urls")
    if urls is None:
        return model.text, ()
    if not isinstance(urls, list) or not all(isinstance(url, str) and url.startswith("http") for url in urls):
        raise RequestError(400, "image_urls must be a list of URLs")
    if not 1 <= len(urls) <= _MAX_INPUTS:
        raise RequestError(400, f"image_urls must have 1 to {_MAX_INPUTS} URLs")
    if model.edit is None:
        raise RequestError(400, "This model takes text only")
    return model.edit, tuple(urls)


def _check_reve_only(body: dict[str, Any], name: str) -> None:
    """Validate the fields for Reve only, and refuse unknown fields."""
    for field in body:
        if field not in _FIELDS:
            raise RequestError(400, f"There is no field {field}")
    if name != _REVE:
        for field in _REVE_ONLY:
            if field in body:
                raise RequestError(400, f"{field} is for Reve only")
    version = body.get("version", "latest")
    if not isinstance(version, str) or not _VERSION.fullmatch(version):
        raise RequestError(400, "Unknown version")
    if version == _EDIT_VERSION and "image_urls" not in body:
        raise RequestError(400, f"{version} is a version for edits")


def _integer(body: dict[str, Any], name: str, most: int) -> int:
    value = body.get(name, 1)
    if type(value) is not int or not 1 <= value <= most:
        raise RequestError(400, f"{name} must be an integer from 1 to {most}")
    return value


def _choice(body: dict[str, Any], name: str, default: str, choices: tuple[str, ...]) -> str:
    value = body.get(name, default)
    if not isinstance(value, str) or value not in choices:
        raise RequestError(400, f"{name} must be one of {', '.join(choices)}")
    return value
