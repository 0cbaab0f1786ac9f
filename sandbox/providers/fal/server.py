"""Fake of fal's queue: submit, status, result and cancel.

Three hosts on three ports: the queue at `url`, the platform with the key set at `platform_url`, the media at
`media_url`. An invalid input ends its job, as at fal: status COMPLETED, and the error as its result.
"""

import asyncio
import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import Any, ClassVar, Final

from aiohttp import web

from sandbox.providers.assets import picture_paths
from sandbox.providers.cases import Case
from sandbox.providers.control import webhook_routes
from sandbox.providers.fal.cases import CANCELLED, CASES, NOT_FOUND, download_error, locked, model_error, platform_error
from sandbox.providers.fal.endpoints import ENDPOINTS
from sandbox.providers.fal.media import FalMedia
from sandbox.providers.fal.platform import FalPlatform
from sandbox.providers.fal.replies import addresses, result_reply, status_reply, webhook_body
from sandbox.providers.fal.requests import FalRequest, bad_request, build_job_request, build_request
from sandbox.providers.fal.signatures import WebhookSigner
from sandbox.providers.faults import Endpoint, Fault, Kind
from sandbox.providers.inputs import Input, InputError, read_data_url
from sandbox.providers.job_store import Job, State
from sandbox.providers.recording import RecordedRequest
from sandbox.providers.server import ImageApiServer, RequestError
from sandbox.providers.side_host import SideHost
from sandbox.providers.signed_webhooks import SignedWebhooks
from sandbox.providers.webhooks import is_acceptable

_RETRY_DELAYS: Final = (5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1_200.0, 3_600.0)
_WEBHOOK_SECONDS: Final = 15.0
_EARLY: Final = frozenset({Kind.EARLY})
_MESSAGES: Final = {401: CASES["key_refused"], 403: CASES["account_empty"], 429: CASES["rate_limited"]}
_NO_INPUT: Final = "Input should be accessible"


class FalServer(ImageApiServer):
    """Fake of fal: charges successful outputs, signs its webhooks.

    `admin_key` alone may read the billing events. A running job goes on after a
    cancel unless `obeys_cancel`. With `forgets_cancelled`, a cancelled request is unknown; otherwise it has ended with
    the error `client_cancelled`. With `lists_running`, the platform lists requests before their end. With
    `media_at_api`, the media are at `url` too: the sandbox's bot downloads from the addresses in its settings alone.
    """

    cases: ClassVar[dict[str, Case]] = CASES
    signs_pictures = True

    def __init__(
        self,
        *,
        admin_key: str = "sandbox-admin-key",
        ids: Callable[[], str] = lambda: str(uuid.uuid4()),
        media_at_api: bool = False,
        **options: Any,
    ) -> None:
        others = (*options.pop("other_keys", ()), admin_key)
        super().__init__(ids=ids, other_keys=others, **options)
        self.admin_key = admin_key
        self.main_key = options.get("key", "sandbox-key")
        self.obeys_cancel = False
        self.forgets_cancelled = False
        self.lists_running = False
        self.requests_by_id: dict[str, FalRequest] = {}
        self.new_id = ids
        self.signer = WebhookSigner(self.wall_clock)
        self.webhooks = SignedWebhooks(
            self.faults,
            build=lambda job, case: webhook_body(job, self.requests_by_id[job.id], self.picture_urls(job), case),
            sign=lambda job, raw, case: self.signer.headers(job.id, raw, case),
            retry_delays=_RETRY_DELAYS,
            answer_seconds=_WEBHOOK_SECONDS,
            on_change=self.store.notify,
            ends_on_redirect=True,
        )
        self._platform = SideHost(FalPlatform(self).routes)
        self._media_routes = FalMedia(self).routes
        self._media = None if media_at_api else SideHost(self._media_routes)
        self._start_timers: dict[str, asyncio.TimerHandle] = {}

    @property
    def platform_url(self) -> str:
        """Return the address of the platform and of the key set."""
        return self._platform.url

    @property
    def media_url(self) -> str:
        """Return the address of the media."""
        return self.url if self._media is None else self._media.url

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> None:
        """Listen on all hosts; port 0 takes a free one for the queue."""
        await self._platform.start(host)
        if self._media is not None:
            await self._media.start(host)
        await super().start(host, port)

    async def close(self) -> None:
        """Stop listening and end all deliveries. Calling it twice is allowed."""
        for timer in self._start_timers.values():
            timer.cancel()
        await self.webhooks.close()
        await super().close()
        await self._platform.close()
        if self._media is not None:
            await self._media.close()

    def clear_faults(self) -> None:
        """Remove all faults: stuck jobs move on, delayed webhooks are delivered."""
        super().clear_faults()
        self.webhooks.release()

    def request_key(self, record: RecordedRequest) -> str:
        """Return the key of `Authorization: Key …`; empty if missing."""
        scheme, _, key = record.headers.get("authorization", "").partition(" ")
        return key if scheme.lower() == "key" else ""

    def key_error(self, key: str) -> RequestError:  # noqa: ARG002 - fal quotes no key
        """Return the error for a missing or unknown key."""
        detail = "Authentication is required to access this application."
        return RequestError(401, detail, body={"detail": detail})

    def error_response(self, status: int, message: str | None, *, in_envelope: bool = False) -> web.Response:  # noqa: ARG002 - the signature of all fakes
        """Return an error as the platform words it; `in_envelope` has no effect."""
        if message is None and status in _MESSAGES:
            return _MESSAGES[status].reply("")
        if message is None and status == 404:  # noqa: PLR2004 - HTTP
            return web.json_response(NOT_FOUND, status=status)
        type_ = "internal_error" if status >= 500 else "bad_request"  # noqa: PLR2004 - the class of statuses
        body = {"detail": message or "The request failed.", "error_type": type_}
        return web.json_response(body, status=status, headers={"X-Fal-Error-Type": type_})

    def routes(self) -> list[web.RouteDef]:
        """Return the routes of the queue."""
        of_request = "/{owner}/{app}/requests/{id}"
        return [
            *(self._media_routes() if self._media is None else ()),
            web.get(of_request + "/status", self.handler(Endpoint.STATUS, self._status)),
            web.get(of_request + "/response", self.handler(Endpoint.RESULT, self._result)),
            web.get(of_request, self.handler(Endpoint.RESULT, self._result)),
            web.put(of_request + "/cancel", self.handler(Endpoint.CANCEL, self._cancel)),
            *webhook_routes(self.webhooks),
            web.post("/{endpoint:.+}", self.handler(Endpoint.SUBMIT, self._submit)),
        ]

    def picture_urls(self, job: Job) -> list[str]:
        """Return the addresses of a completed job's images."""
        return [f"{self.media_url}/files{path.removeprefix('/assets')}" for path in picture_paths(job)]

    async def fetch_inputs(self, job: Job) -> None:
        """Fetch or decode a job's inputs; `auto` sizes follow the first one.

        Raises:
            InputError: An input is unusable; the job's failure names it.
        """
        request = self.requests_by_id[job.id]
        inputs = [await self._load_input(request, at, url) for at, url in enumerate(job.request.input_urls)]
        mask, alpha = request.values.get("mask_url"), b""
        if mask is not None:
            drawn = await self._load_input(request, -1, mask)
            if (drawn.width, drawn.height) != (inputs[0].width, inputs[0].height):
                request.failure = model_error(
                    422, "image_size_mismatch", "The mask must have the image's size.", ("body", "mask_url"), mask
                )
                raise InputError("the mask has another size")
            alpha = drawn.alpha
        made = build_job_request(request, ratio=inputs[0].width / inputs[0].height)
        job.request = replace(made, mask=alpha)
        job.inputs = tuple(inputs)

    def on_job_end(self, job: Job) -> None:
        """Record the end, then send the job's webhook if it has one."""
        request = self.requests_by_id[job.id]
        request.ended_at = self.wall_clock()
        request.state = job.state
        if job.state is State.CANCELLED:
            request.failure = CANCELLED
        elif job.state is State.FAILED and request.failure is None:
            request.failure = platform_error(500, "internal_error", job.error or "The request failed.")
        elif job.empty:
            self.store.refund(job)  # only outputs are billed
        self.webhooks.start_delivery(job)

    async def _submit(
        self, http_request: web.Request, record: RecordedRequest, account: str, fault: Fault | None
    ) -> web.StreamResponse:
        endpoint = ENDPOINTS.get(http_request.match_info["endpoint"])
        if endpoint is None:
            raise RequestError(404, "unknown endpoint", body={"detail": "Application not found"})
        webhook_url = record.query.get("fal_webhook")
        if webhook_url is not None and not is_acceptable(webhook_url):
            raise bad_request("fal_webhook must be an HTTPS URL.")
        self._check_queue_length(record.query.get("fal_max_queue_length"))
        case = fault.case if fault is not None and fault.kind is Kind.CASE else ""
        request = build_request(
            endpoint, record, account=account, sent_at=self.wall_clock(), gateway_id=self.new_id(), case=case
        )
        job_request = build_job_request(request)
        if not self.store.can_pay(job_request.cost):
            raise RequestError(403, "locked", body=locked("Exhausted balance"))
        job = self._open(request, job_request, webhook_url)
        body: dict[str, Any] = {
            "request_id": job.id,
            **addresses(self._address(job)),
            "queue_position": request.positions_left,
        }
        if webhook_url is not None:
            body["gateway_request_id"] = request.gateway_id
            if self.faults.take(Endpoint.WEBHOOK, _EARLY):
                await self.finish_and_wait(job)
                await self.wait_for(lambda: self.webhooks.sent_for(job))
        return web.json_response(body, headers={"x-fal-request-id": job.id})

    def _open(self, request: FalRequest, job_request: Any, webhook_url: str | None) -> Job:
        job_id = self.new_id()
        self.requests_by_id[job_id] = request
        job = self.store.open(job_request, owner=request.account, job_id=job_id)
        job.webhook_url = webhook_url
        job.submit_body = request.body
        if request.failure is not None:
            job.failure_reason = request.failure.error_type
        job_fault = self.apply_job_fault(job)
        if job_fault is not None and job_fault.kind is Kind.INLINE:
            self.store.complete(job)
        if request.case == "nothing":
            job.empty = True
        if request.start_seconds is not None:
            timer = asyncio.get_running_loop().call_later(request.start_seconds, self._give_up_start, job)
            self._start_timers[job.id] = timer
        self.store.schedule(job)
        return job

    def _give_up_start(self, job: Job) -> None:
        """Fail a job still queued after the client's time to start."""
        self._start_timers.pop(job.id, None)
        if job.state is State.IN_QUEUE:
            failure = platform_error(504, "request_timeout", "The request did not start in time.")
            headers = {"X-Fal-Request-Timeout-Type": "user"}
            self.requests_by_id[job.id].failure = replace(failure, headers=headers)
            self.store.fail(job, "the request did not start in time")

    def _check_queue_length(self, limit: str | None) -> None:
        if limit is None:
            return
        if not limit.isascii() or not limit.isdigit() or len(limit) > 9:  # noqa: PLR2004 - more digits than any queue has
            raise bad_request("fal_max_queue_length must be an integer.")
        if sum(job.state is State.IN_QUEUE for job in self.jobs) >= int(limit):
            detail = "The queue is longer than fal_max_queue_length."
            raise RequestError(429, detail, body={"detail": detail, "error_type": "queue_full"})

    async def _status(
        self, http_request: web.Request, record: RecordedRequest, account: str, fault: Fault | None
    ) -> web.StreamResponse:
        job, request = self._find(http_request, account)
        if fault is not None and fault.kind is Kind.WORD:
            return web.json_response({"status": fault.word, "request_id": job.id}, status=202)
        return status_reply(job, request, address=self._address(job), has_logs=record.query.get("logs") == "1")

    async def _result(
        self, http_request: web.Request, _: RecordedRequest, account: str, __: Fault | None
    ) -> web.StreamResponse:
        job, request = self._find(http_request, account)
        return await result_reply(job, request, self.picture_urls(job))

    async def _cancel(
        self, http_request: web.Request, _: RecordedRequest, account: str, fault: Fault | None
    ) -> web.StreamResponse:
        job, __ = self._find(http_request, account)
        if self.store.cancel(job):
            return web.json_response({"status": "OK"})
        if job.terminal:
            return web.json_response({"status": "ALREADY_COMPLETED"}, status=400)
        if self.obeys_cancel or (fault is not None and fault.case == "cancel_obeyed"):
            self.store.drop(job)
        return web.json_response({"status": "CANCELLATION_REQUESTED"}, status=202)

    def _find(self, http_request: web.Request, account: str) -> tuple[Job, FalRequest]:
        """Return the job at an address; its `owner/app` must fit."""
        found = http_request.match_info
        job = self.store.find(found["id"], owner=account)
        request = self.requests_by_id.get(found["id"])
        is_at = request is not None and request.endpoint.app == f"{found['owner']}/{found['app']}"
        if job is None or request is None or not is_at:
            raise RequestError(404, "unknown request", body=NOT_FOUND)
        if self.forgets_cancelled and job.state is State.CANCELLED and http_request.method == "GET":
            raise RequestError(404, "cancelled request", body=NOT_FOUND)
        return job, request

    def _address(self, job: Job) -> str:
        return f"{self.url}/{self.requests_by_id[job.id].endpoint.app}/requests/{job.id}"

    async def _load_input(self, request: FalRequest, at: int, url: str) -> Input:
        try:
            if url.startswith("data:"):
                return await self.inputs.decode(read_data_url(url)[1], f"image_urls[{at}]", url="data:")
            (loaded,) = await self.inputs.load((url,))
        except InputError as error:
            request.failure = download_error(at, url)
            raise InputError(_NO_INPUT) from error
        return loaded
