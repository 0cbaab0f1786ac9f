"""Fake of Black Forest Labs, to the letter of its documents.

Three hosts on three ports: the API at `url`, the polling host at `polling_url`, the samples at `delivery_url`. Tasks
are polled at the returned address alone; a task with a webhook has none, and is polled at the API.
"""

import asyncio
import hashlib
import hmac
import uuid
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Final

from aiohttp import web

from sandbox.providers.assets import serve_file
from sandbox.providers.bfl.cases import CASES, MAX_ACTIVE_TASKS, NOT_FOUND, active_tasks_detail
from sandbox.providers.bfl.models import MODELS
from sandbox.providers.bfl.tasks import (
    INPUT_LIMITS,
    Task,
    build_job_request,
    build_task,
    invalid,
    is_input_size,
    parse_body,
    task_body,
    to_credits,
)
from sandbox.providers.cases import Case
from sandbox.providers.control import webhook_routes
from sandbox.providers.faults import Endpoint, Fault, Kind
from sandbox.providers.inputs import Input, InputError, read_base64, read_data_url
from sandbox.providers.job_store import Job, State
from sandbox.providers.recording import RecordedRequest
from sandbox.providers.result_files import draw_result
from sandbox.providers.schema import build_error
from sandbox.providers.server import ImageApiServer, RequestError
from sandbox.providers.side_host import SideHost
from sandbox.providers.signed_webhooks import SignedWebhooks
from sandbox.providers.webhooks import is_acceptable

_RETRY_DELAYS: Final = (1.0, 5.0, 30.0)
_WEBHOOK_SECONDS: Final = 30.0
_UNLIMITED_CREDITS: Final = 100_000.0
_EARLY: Final = frozenset({Kind.EARLY})
_BY_STATUS: Final = {
    400: "bad_request",
    401: "key_refused",
    402: "account_empty",
    403: "key_forbidden",
    404: "model_retired",
    429: "rate_limited",
    500: "server_error",
    503: "overloaded",
}


class BflServer(ImageApiServer):
    """Fake of Black Forest Labs: costs in replies, samples with a lifetime.

    It charges pictures, and refused outputs by case. Nothing can be cancelled.
    With `media_at_api`, the samples are at `url` too: the sandbox's bot downloads from the addresses in its settings
    alone.
    """

    cases: ClassVar[Mapping[str, Case]] = CASES
    signs_pictures = True

    def __init__(
        self,
        *,
        ids: Callable[[], str] = lambda: str(uuid.uuid4()),
        media_at_api: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(ids=ids, **options)
        self.tasks: dict[str, Task] = {}
        self.webhooks = SignedWebhooks(
            self.faults,
            build=lambda job, _: self.body(job),
            sign=self._sign,
            retry_delays=_RETRY_DELAYS,
            answer_seconds=_WEBHOOK_SECONDS,
            on_change=self.store.notify,
        )
        self._new_id = ids
        self._secret = uuid.uuid4().bytes
        self._polling = SideHost(lambda: [web.get("/v1/get_result", self.handler(Endpoint.STATUS, self._poll))])
        self._delivery = None if media_at_api else SideHost(self._sample_routes)

    @property
    def polling_url(self) -> str:
        """Return the address of the polling host."""
        return self._polling.url

    @property
    def delivery_url(self) -> str:
        """Return the address of the samples' host."""
        return self.url if self._delivery is None else self._delivery.url

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> None:
        """Listen on all hosts; port 0 takes a free one for the API."""
        await self._polling.start(host)
        if self._delivery is not None:
            await self._delivery.start(host)
        await super().start(host, port)

    async def close(self) -> None:
        """Stop listening and end all deliveries. Calling it twice is allowed."""
        await self.webhooks.close()
        await super().close()
        await self._polling.close()
        if self._delivery is not None:
            await self._delivery.close()

    def clear_faults(self) -> None:
        """Remove all faults: stuck tasks move on, delayed webhooks are delivered."""
        super().clear_faults()
        self.webhooks.release()

    def request_key(self, record: RecordedRequest) -> str:
        """Return the key of the header `x-key`; empty if missing."""
        return record.headers.get("x-key", "")

    def key_error(self, key: str) -> RequestError:
        """Return the error for a missing (403) or unknown (401) key."""
        detail = "Not authenticated - Invalid Authentication" if key else "Not authenticated"
        return RequestError(401 if key else 403, detail, body={"detail": detail})

    def error_response(self, status: int, message: str | None, *, in_envelope: bool = False) -> web.Response:  # noqa: ARG002 - the signature of all fakes
        """Return an error with its documented detail; `in_envelope` has no effect."""
        if message is None and status in _BY_STATUS:
            return CASES[_BY_STATUS[status]].reply("")
        return web.json_response({"detail": message or "Error"}, status=status)

    def routes(self) -> list[web.RouteDef]:
        """Return the routes of the API."""
        return [
            web.get("/v1/get_result", self.handler(Endpoint.STATUS, self._poll_webhook_task)),
            web.get("/v1/credits", self.handler(Endpoint.ACCOUNT, self._credits)),
            web.post("/v1/{model}", self.handler(Endpoint.SUBMIT, self._submit)),
            *webhook_routes(self.webhooks),
            *(self._sample_routes() if self._delivery is None else ()),
        ]

    def _sample_routes(self) -> list[web.RouteDef]:
        picture = self.handler(Endpoint.PICTURE, self._sample, is_public=True)
        return [web.get("/results/{id}/sample.{extension}", picture)]

    def picture_urls(self, job: Job) -> list[str]:
        """Return the address of a completed task's sample, with its signature."""
        if job.empty or job.state is not State.COMPLETED:
            return []
        return [f"{self.delivery_url}/results/{job.id}/sample.{job.request.format}?sig={self._token(job)}"]

    async def fetch_inputs(self, job: Job) -> None:
        """Fetch the inputs given as URLs; `auto` sizes follow the first input.

        Raises:
            InputError: An input is unusable.
        """
        task = self.tasks[job.id]
        inputs = []
        for at, url in enumerate(job.request.input_urls):
            if at in task.decoded:
                inputs.append(task.decoded[at])
                continue
            (fetched,) = await self.inputs.load((url,))
            if not is_input_size(fetched):
                raise InputError("The image has an unsupported size")
            inputs.append(fetched)
        job.request = build_job_request(task, ratio=inputs[0].width / inputs[0].height)
        job.inputs = tuple(inputs)

    def on_job_end(self, job: Job) -> None:
        """Record the end, then send the task's webhook if it has one."""
        self.tasks[job.id].ended_at = self.wall_clock()
        self.webhooks.start_delivery(job)

    def body(self, job: Job) -> dict[str, Any]:
        """Return a task as a poll has it."""
        return task_body(job, self.tasks[job.id], sample=next(iter(self.picture_urls(job)), None))

    async def _submit(
        self, http_request: web.Request, record: RecordedRequest, account: str, fault: Fault | None
    ) -> web.StreamResponse:
        model = MODELS.get(http_request.match_info["model"])
        if model is None:
            raise RequestError(404, "unknown model", body={"detail": "Not Found"})
        values = parse_body(model, record.body)
        webhook_url = values.get("webhook_url")
        if webhook_url is not None and not is_acceptable(webhook_url):
            error = build_error("url_parsing", "Input should be a valid URL", ("body", "webhook_url"), webhook_url)
            raise invalid([error])
        decoded = await self._decode_inputs(model.inputs(values))
        if sum(not job.terminal and job.owner == account for job in self.jobs) >= MAX_ACTIVE_TASKS:
            detail = {"detail": active_tasks_detail(MAX_ACTIVE_TASKS)}
            raise RequestError(429, "too many tasks", body=detail, headers={"Retry-After": "5"})
        case = fault.case if fault is not None and fault.kind is Kind.CASE else ""
        task = build_task(model, values, case=case, started_at=self.wall_clock(), decoded=decoded)
        if not self.store.can_pay(task.cost):
            raise RequestError(402, "no credits", body={"detail": "Insufficient credits"})
        job = await self._open(task, account, webhook_url)
        body: dict[str, Any] = {"id": job.id, "cost": to_credits(task.cost)}
        if webhook_url is not None:
            return web.json_response({**body, "status": "Pending", "webhook_url": webhook_url})
        megapixels = round(job.request.width * job.request.height / 1_000_000, 2)
        body |= {"polling_url": f"{self.polling_url}/v1/get_result?id={job.id}"}
        return web.json_response({**body, "input_mp": task.input_megapixels, "output_mp": megapixels})

    async def _open(self, task: Task, account: str, webhook_url: str | None) -> Job:
        job_id = self._new_id()
        self.tasks[job_id] = task
        job = self.store.open(build_job_request(task), owner=account, job_id=job_id)
        job.webhook_url = webhook_url
        if task.failure is not None and not task.failure.is_billed:
            job.failure_reason = task.failure.word
        job_fault = self.apply_job_fault(job)
        if task.failure is not None or task.case == "nothing":
            job.empty = True
        if job_fault is not None and job_fault.kind is Kind.INLINE:
            self.store.complete(job)
        self.store.schedule(job)
        if webhook_url is not None and self.faults.take(Endpoint.WEBHOOK, _EARLY):
            await self.finish_and_wait(job)
            await self.wait_for(lambda: self.webhooks.sent_for(job))
        return job

    async def _poll(
        self, _: web.Request, record: RecordedRequest, account: str, fault: Fault | None
    ) -> web.StreamResponse:
        job = self.store.find(record.query.get("id", ""), owner=account)
        case = fault.case if fault is not None and fault.kind is Kind.CASE else ""
        if job is None or case == "task_not_found":
            return _unknown_task(record)
        task, body = self.tasks[job.id], self.body(job)
        if fault is not None and fault.kind is Kind.WORD:
            body["status"] = fault.word
        if job.state is State.IN_PROGRESS:
            task.polls += 1
        status = task.failure.http_status if job.terminal and task.failure is not None else 200
        return web.json_response(body, status=503 if case == "overloaded_task" else status)

    async def _poll_webhook_task(
        self, http_request: web.Request, record: RecordedRequest, account: str, fault: Fault | None
    ) -> web.StreamResponse:
        task = self.tasks.get(record.query.get("id", ""))
        if task is None or not task.has_webhook:
            return _unknown_task(record)
        return await self._poll(http_request, record, account, fault)

    async def _credits(self, *_: object) -> web.StreamResponse:
        balance = self.store.balance
        amount = _UNLIMITED_CREDITS if balance is None else float(balance * 100)
        return web.json_response({"credits": amount})

    async def _sample(
        self, request: web.Request, record: RecordedRequest, _: str, fault: Fault | None
    ) -> web.StreamResponse:
        job = self.store.jobs.get(request.match_info["id"])
        is_case = fault is not None and fault.kind is Kind.CASE
        if job is None or not self.picture_urls(job) or is_case or self._is_expired(job, record.query.get("sig", "")):
            return web.Response(status=403, text="<Error><Code>AuthenticationFailed</Code></Error>")
        data = await asyncio.to_thread(draw_result, job, 0)
        return await serve_file(request, data, f"image/{job.request.format}", fault)

    def _is_expired(self, job: Job, signature: str) -> bool:
        """Return whether a sample's signature is wrong or over."""
        task = self.tasks[job.id]
        if not hmac.compare_digest(signature.encode(errors="replace"), self._token(job).encode()):
            return True
        return self.wall_clock() - (task.ended_at or 0.0) >= task.model.sample_seconds

    def _token(self, job: Job) -> str:
        return hmac.new(self._secret, job.id.encode(), hashlib.sha256).hexdigest()

    def _sign(self, job: Job, raw: bytes, case: str) -> Mapping[str, str]:
        """Return the signature header; a webhook without a secret has none."""
        secret = self.tasks[job.id].values.get("webhook_secret")
        if secret is None:
            return {}
        key = f"not {secret}" if case == "bad_signature" else str(secret)
        return {"X-BFL-Signature": f"sha256={hmac.new(key.encode(errors='replace'), raw, hashlib.sha256).hexdigest()}"}

    async def _decode_inputs(self, images: list[tuple[tuple[str | int, ...], str]]) -> dict[int, Input]:
        """Return the inputs in the body as base64 or data URI, by their place.

        Raises:
            RequestError: One is unusable.
        """
        decoded = {}
        for at, (location, image) in enumerate(images):
            if image.startswith(("http://", "https://")):
                continue
            try:
                content = read_data_url(image)[1] if image.startswith("data:") else read_base64(image)
                decoded[at] = await self.inputs.decode(content, "The image", url="data:")
            except InputError as error:
                raise invalid([build_error("value_error", "Value error, invalid image", location, image)]) from error
            if not is_input_size(decoded[at]):
                raise invalid([build_error("value_error", INPUT_LIMITS, location, image)])
        return decoded


def _unknown_task(record: RecordedRequest) -> web.Response:
    return web.json_response({"id": record.query.get("id", ""), "status": NOT_FOUND, "result": None})
