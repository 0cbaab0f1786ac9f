"""Common base of the fakes: listen, record, check keys, apply faults."""

import asyncio
import time
import uuid
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any, ClassVar, Final

from aiohttp import web
from aiohttp.typedefs import Middleware

from sandbox.providers.assets import picture_paths, serve_file, serve_picture
from sandbox.providers.cases import Case
from sandbox.providers.control import control_routes
from sandbox.providers.faults import JOB_FAULTS, Endpoint, Fault, Faults, Kind
from sandbox.providers.inputs import InputDownloader
from sandbox.providers.job_store import Charge, Cost, Job, JobStore, Latency, State
from sandbox.providers.recording import RecordedRequest, break_connection, read_request, send_half

_DELAY: Final = frozenset({Kind.DELAY})
_SHAPE: Final = frozenset({Kind.SHAPE})
_JOB_FAULTS: Final = JOB_FAULTS - _SHAPE
_FAULTS: Final = frozenset(Kind) - JOB_FAULTS - _DELAY
_MAX_REMEMBERED: Final = 10_000


class RequestError(Exception):
    """Ends a request with a status and its documented body.

    A `body` is sent as it is; without one, the server builds it from the message.
    """

    def __init__(
        self, status: int, message: str, *, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.body = body
        self.headers = headers or {}


EndpointHandler = Callable[[web.Request, RecordedRequest, str, Fault | None], Awaitable[web.StreamResponse]]


class ImageApiServer(ABC):
    """An image API on its own port.

    `key` is the account's key, `other_keys` are those of other accounts. A `balance` of None is unlimited. Tests may
    give `clock` (monotonic seconds), `wall_clock` (Unix seconds) and `ids`. `middlewares` present at the start are put
    around the requests.

    `cases` are the named cases. With `signs_pictures`, images have a provenance manifest; `fixed_picture` is sent in
    place of every image, whatever its format. With `stops_on_disconnect`, a handler is cancelled once its client is
    gone. `keyless_endpoints` need no key.
    """

    prepaid = False
    cases: ClassVar[Mapping[str, Case]] = {}
    signs_pictures = False
    fixed_picture: bytes | None = None
    stops_on_disconnect = False
    keyless_endpoints: frozenset[Endpoint] = frozenset()
    reads_heif = False
    max_body_bytes = 64 * 1024 * 1024

    def __init__(
        self,
        *,
        key: str = "sandbox-key",
        other_keys: tuple[str, ...] = (),
        balance: Cost | None = None,
        latency: Latency | None = None,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
        ids: Callable[[], str] = lambda: uuid.uuid4().hex,
    ) -> None:
        self.faults = Faults({name: case.endpoint for name, case in self.cases.items()})
        self.requests: deque[RecordedRequest] = deque(maxlen=_MAX_REMEMBERED)
        self.middlewares: list[Middleware] = []
        self.wall_clock = wall_clock
        self.store = JobStore(
            latency=latency or Latency(),
            balance=balance,
            prepaid=self.prepaid,
            clock=clock,
            ids=ids,
            on_job_end=self.on_job_end,
            fetch_inputs=self.fetch_inputs,
        )
        self.inputs = InputDownloader(heif=self.reads_heif)
        self._keys = frozenset({key, *other_keys})
        self._runner: web.AppRunner | None = None
        self._url = ""

    @property
    def url(self) -> str:
        """Return the address without a trailing slash; empty before the start."""
        return self._url

    @property
    def jobs(self) -> list[Job]:
        """Return the jobs in the order of their creation."""
        return list(self.store.jobs.values())

    @property
    def billed(self) -> list[Charge]:
        """Return the charges without the refunded ones."""
        return self.store.billed

    @property
    def latency(self) -> Latency:
        """The latency of jobs from now on; running timers keep their time."""
        return self.store.latency

    @latency.setter
    def latency(self, latency: Latency) -> None:
        self.store.latency = latency

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> None:
        """Listen; port 0 takes a free one."""
        app = web.Application(client_max_size=self.max_body_bytes, middlewares=self.middlewares)
        app.add_routes([*self.routes(), *control_routes(self.faults, self.store)])
        app.router.add_get("/assets/{job}/{name}", self._serve_picture)
        runner = web.AppRunner(
            app, access_log=None, shutdown_timeout=0.1, handler_cancellation=self.stops_on_disconnect
        )
        await runner.setup()
        self._runner = runner
        await web.TCPSite(runner, host, port).start()
        bound_host, bound_port = runner.addresses[0][:2]
        reachable = "127.0.0.1" if bound_host == "0.0.0.0" else bound_host  # noqa: S104 - compared, not bound
        self._url = f"http://{reachable}:{bound_port}"

    async def close(self) -> None:
        """Stop listening and drop all connections. Calling it twice is allowed."""
        self.store.close()
        await self.inputs.close()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def wait_for(self, condition: Callable[[], object], *, seconds: float = 60.0) -> None:
        """Return once the condition is true.

        Raises:
            TimeoutError: `seconds` have passed.
        """
        await self.store.wait_for(condition, seconds=seconds)

    def advance(self, job: Job | None = None) -> Job:
        """Move a job (default: the latest) one step, and return it."""
        job = job or self.jobs[-1]
        (self.store.start if job.state is State.IN_QUEUE else self.store.complete)(job)
        return job

    def finish(self, job: Job | None = None) -> Job:
        """Complete a job (default: the latest), and return it.

        An edit first fetches its inputs and ends a little later: `finish_and_wait` waits for it.
        """
        job = job or self.jobs[-1]
        self.store.complete(job)
        return job

    async def finish_and_wait(self, job: Job | None = None, *, seconds: float = 60.0) -> Job:
        """Complete a job (default: the latest), and return it once it has ended."""
        job = self.finish(job)
        async with asyncio.timeout(seconds):
            await self.store.wait_ended(job)
        return job

    async def fetch_inputs(self, job: Job) -> None:
        """Fetch a job's inputs.

        Raises:
            InputError: An input is unusable.
        """
        job.inputs = await self.inputs.load(job.request.input_urls)

    def clear_faults(self) -> None:
        """Remove all faults and release their effects: stuck jobs move on."""
        self.faults.clear()
        for job in self.jobs:
            if job.stuck_state is not None:
                job.stuck_state = None
                self.store.schedule(job)

    def on_job_end(self, job: Job) -> None:  # noqa: B027 - a contract without webhooks has nothing to do
        """Handle the end of a job; contracts with webhooks override this."""

    def picture_urls(self, job: Job) -> list[str]:
        """Return the addresses of a completed job's images."""
        return [self.url + path for path in picture_paths(job)]

    @abstractmethod
    def routes(self) -> list[web.RouteDef]:
        """Return the routes of the contract."""

    @abstractmethod
    def error_response(self, status: int, message: str | None, *, in_envelope: bool = False) -> web.Response:
        """Return the documented response of a status.

        A `message` of None is replaced by the documented one.
        """

    def request_key(self, record: RecordedRequest) -> str:
        """Return the key of a request; empty if missing."""
        scheme, _, key = record.headers.get("authorization", "").partition(" ")
        return key if scheme.lower() == "bearer" else ""

    def used_keys(self, *endpoints: Endpoint) -> list[str]:
        """Return the keys of the remembered requests with one, in their order.

        Without `endpoints`, those of all.
        """
        chosen = [each for each in self.requests if not endpoints or each.endpoint in endpoints]
        return [key for each in chosen if (key := self.request_key(each))]

    def key_error(self, key: str) -> RequestError:  # noqa: ARG002 - some providers quote its end
        """Return the error for a missing or unknown key."""
        return RequestError(401, "Missing or invalid API key.")

    def reply_headers(self) -> Mapping[str, str]:
        """Return the headers of every reply."""
        return {}

    def prompt_of(self, record: RecordedRequest) -> str:
        """Return the prompt of a request, for cases with a quotation."""
        prompt = record.body.get("prompt", "") if isinstance(record.body, dict) else ""
        return prompt if isinstance(prompt, str) else ""

    def handler(
        self, endpoint: Endpoint, respond: EndpointHandler, *, is_public: bool = False
    ) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        """Return a handler around `respond`.

        It records the request, applies faults and checks the key before it calls `respond`. A public endpoint needs no
        key, and its account is empty.
        """

        async def handle(request: web.Request) -> web.StreamResponse:
            try:
                record = await read_request(request, endpoint)
            except web.HTTPRequestEntityTooLarge:
                return self.error_response(413, "Request body too large")
            self.requests.append(record)
            self.store.notify()
            try:
                answer = await self._respond(request, record, respond, is_public=is_public)
            except RequestError as error:
                answer = self._error(error)
            finally:
                self.store.notify()
            if not answer.prepared:
                answer.headers.update(self.reply_headers())
            return answer

        return handle

    def apply_job_fault(self, job: Job) -> Fault | None:
        """Apply the next submit faults to a new job, and return its job fault.

        A SHAPE fault only changes the shape of the result and is not returned.
        """
        if shape := self.faults.take(Endpoint.SUBMIT, _SHAPE):
            job.shape = shape.shape
        job_fault = self.faults.take(Endpoint.SUBMIT, _JOB_FAULTS)
        if job_fault is not None:
            job.empty = job_fault.kind is Kind.EMPTY
            job.failure_reason = job_fault.reason_text if job_fault.kind is Kind.FAIL else None
            if job_fault.kind is Kind.SQUARE:
                side = min(job.request.width, job.request.height)
                job.request = replace(job.request, width=side, height=side)
            if job_fault.kind is Kind.STUCK:
                job.stuck_state = State(job_fault.state)
        return job_fault

    def _error(self, error: RequestError) -> web.Response:
        if error.body is not None:
            return web.json_response(error.body, status=error.status, headers=error.headers)
        response = self.error_response(error.status, error.message)
        response.headers.update(error.headers)
        return response

    async def _respond(
        self, request: web.Request, record: RecordedRequest, respond: EndpointHandler, *, is_public: bool
    ) -> web.StreamResponse:
        fault = await self._next_fault(record.endpoint)
        if fault is not None and fault.kind is Kind.RESET_BEFORE:
            return break_connection(request)
        if fault is not None and fault.kind is Kind.STATUS:
            response = self.error_response(fault.status, fault.message, in_envelope=fault.in_envelope)
            if fault.retry_after is not None:
                response.headers["Retry-After"] = fault.retry_after
            return response
        if fault is not None and fault.kind is Kind.CASE:
            await asyncio.sleep(fault.seconds)
            case = self.cases[fault.case]
            if case.is_immediate:
                return case.reply(self.prompt_of(record))
            if case.breaks is not None:
                fault = replace(fault, kind=case.breaks)
        account = "" if is_public else self._account(record)
        answer = await respond(request, record, account, fault)
        if fault is not None and fault.kind is Kind.HALF:
            return await send_half(request, answer)
        if fault is not None and fault.kind is Kind.RESET_AFTER:
            return break_connection(request)
        if fault is not None and fault.kind is Kind.MALFORMED:
            return web.Response(text='<html><body>{"request_id": ', content_type="text/html")
        return answer

    async def _next_fault(self, endpoint: Endpoint) -> Fault | None:
        """Wait for an active delay, and return the endpoint's next fault."""
        if delay := self.faults.take(endpoint, _DELAY):
            await asyncio.sleep(delay.seconds)
        return self.faults.take(endpoint, _FAULTS)

    def _account(self, record: RecordedRequest) -> str:
        key = self.request_key(record)
        if record.endpoint in self.keyless_endpoints:
            return key
        if key not in self._keys:
            raise self.key_error(key)
        return key

    async def _serve_picture(self, request: web.Request) -> web.StreamResponse:
        """Serve an image without a key, as a CDN does."""
        self.requests.append(await read_request(request, Endpoint.PICTURE))
        self.store.notify()
        fault = await self._next_fault(Endpoint.PICTURE)
        if fault is not None and fault.kind is Kind.RESET_BEFORE:
            return break_connection(request)
        if fault is not None and fault.kind is Kind.STATUS:
            return web.Response(status=fault.status, text="no picture here")
        if fault is not None and fault.kind is Kind.CASE:
            await asyncio.sleep(fault.seconds)
            return self.cases[fault.case].reply("")
        job = self.store.jobs.get(request.match_info["job"])
        paths = picture_paths(job) if job is not None else []
        if job is None or request.path not in paths:
            return web.Response(status=404, text="no picture here")
        if self.fixed_picture is not None:
            return await serve_file(request, self.fixed_picture, f"image/{job.request.format}", fault)
        return await serve_picture(request, job, paths.index(request.path), fault, signed=self.signs_pictures)
