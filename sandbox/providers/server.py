"""What both stand-ins do alike: listen, record, check keys, apply faults and serve pictures."""

import asyncio
import time
import uuid
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Middleware

from sandbox.providers.assets import picture_paths, serve_picture
from sandbox.providers.control import control_routes
from sandbox.providers.faults import FATES, Endpoint, Fault, Faults, Kind
from sandbox.providers.inputs import Inputs
from sandbox.providers.job_store import Charge, Job, Latency, State, Studio
from sandbox.providers.recording import Received, break_connection, received

_DELAY: Final = frozenset({Kind.DELAY})
_SHAPE: Final = frozenset({Kind.SHAPE})
_FATES: Final = FATES - _SHAPE
_FAULTS: Final = frozenset(Kind) - FATES - _DELAY
_REMEMBERED: Final = 10_000


class Refused(Exception):  # noqa: N818 - no error of the server's: it ends a handler with an answer
    """Ends a request with a status and its documented body."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


Act = Callable[[web.Request, Received, str, Fault | None], Awaitable[web.StreamResponse]]


class ImageApiServer(ABC):
    """An image API on a socket of its own.

    `key` is the account's key, `other_keys` are those of other accounts. `balance` None is one without a bottom.
    `clock` (seconds) and `ids` may be given by a test; what is in `middlewares` at the start is put around requests.
    """

    prepaid = False

    def __init__(
        self,
        *,
        key: str = "sandbox-key",
        other_keys: tuple[str, ...] = (),
        balance: int | None = None,
        latency: Latency | None = None,
        clock: Callable[[], float] = time.monotonic,
        ids: Callable[[], str] = lambda: uuid.uuid4().hex,
    ) -> None:
        self.faults = Faults()
        self.requests: deque[Received] = deque(maxlen=_REMEMBERED)
        self.middlewares: list[Middleware] = []
        self.studio = Studio(
            latency=latency or Latency(),
            balance=balance,
            prepaid=self.prepaid,
            clock=clock,
            ids=ids,
            told=self.job_ended,
            prepare=self.fetch_inputs,
        )
        self._inputs = Inputs()
        self._keys = frozenset({key, *other_keys})
        self._runner: web.AppRunner | None = None
        self._url = ""

    @property
    def url(self) -> str:
        """Return the address, without a slash at its end, once the server listens."""
        return self._url

    @property
    def jobs(self) -> list[Job]:
        """Return the jobs in the order of their making."""
        return list(self.studio.jobs.values())

    @property
    def billed(self) -> list[Charge]:
        """Return the charges that stand; a refunded one is gone."""
        return self.studio.billed

    @property
    def latency(self) -> Latency:
        """How long jobs made from now on wait and work; steps that are under way keep their time."""
        return self.studio.latency

    @latency.setter
    def latency(self, latency: Latency) -> None:
        self.studio.latency = latency

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> None:
        """Listen; port 0 takes a free one."""
        app = web.Application(client_max_size=64 * 1024 * 1024, middlewares=self.middlewares)
        app.add_routes([*self.routes(), *control_routes(self.faults, self.studio)])
        app.router.add_get("/assets/{job}/{name}", self._picture)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        self._runner = runner
        await web.TCPSite(runner, host, port).start()
        bound_host, bound_port = runner.addresses[0][:2]
        reachable = "127.0.0.1" if bound_host == "0.0.0.0" else bound_host  # noqa: S104 - compared, not bound
        self._url = f"http://{reachable}:{bound_port}"

    async def close(self) -> None:
        """Stop listening and drop all connections; closing twice is no mistake."""
        self.studio.close()
        await self._inputs.close()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def wait_for(self, condition: Callable[[], object], *, seconds: float = 60.0) -> None:
        """Return once the condition is true; TimeoutError after `seconds`."""
        await self.studio.wait_for(condition, seconds=seconds)

    def advance(self, job: Job | None = None) -> Job:
        """Move a job (the latest, if none is given) one step by hand, and return it."""
        job = job or self.jobs[-1]
        (self.studio.start if job.state is State.IN_QUEUE else self.studio.complete)(job)
        return job

    def finish(self, job: Job | None = None) -> Job:
        """Move a job (the latest, if none is given) to its end by hand, and return it.

        An edit first fetches its inputs, so it ends a little later: `finished` waits for it.
        """
        job = job or self.jobs[-1]
        self.studio.complete(job)
        return job

    async def finished(self, job: Job | None = None, *, seconds: float = 60.0) -> Job:
        """Move a job (the latest, if none is given) to its end by hand, and return it once it is there."""
        job = self.finish(job)
        async with asyncio.timeout(seconds):
            await self.studio.ended(job)
        return job

    async def fetch_inputs(self, job: Job) -> None:
        """Fetch what a job edits. Raises `InputError`."""
        job.inputs = await self._inputs.load(job.order.input_urls)

    def mend(self) -> None:
        """Switch all faults off and let go what they hold: stuck jobs move on."""
        self.faults.clear()
        for job in self.jobs:
            if job.stuck_in is not None:
                job.stuck_in = None
                self.studio.schedule(job)

    def job_ended(self, job: Job) -> None:  # noqa: B027 - nothing is what a contract without webhooks asks for
        """Do what the contract does at a job's end."""

    def picture_urls(self, job: Job) -> list[str]:
        """Return the addresses of a completed job's pictures."""
        return [self.url + path for path in picture_paths(job)]

    @abstractmethod
    def routes(self) -> list[web.RouteDef]:
        """Return the routes of the contract."""

    @abstractmethod
    def refusal(self, status: int, message: str | None, *, in_envelope: bool = False) -> web.Response:
        """Return the documented answer of a status; a None message is the documented one."""

    def handler(self, endpoint: Endpoint, act: Act) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        """Return the handler that records the request, applies faults, checks the key and then lets `act` answer."""

        async def handle(request: web.Request) -> web.StreamResponse:
            record = await received(request, endpoint)
            self.requests.append(record)
            self.studio.changed()
            try:
                return await self._answer(request, record, act)
            except Refused as refused:
                return self.refusal(refused.status, refused.message)
            finally:
                self.studio.changed()

        return handle

    def with_fate(self, job: Job) -> Fault | None:
        """Give a new job its fate from the faults of submit, and return it."""
        if shape := self.faults.take(Endpoint.SUBMIT, _SHAPE):
            job.shape = shape.shape
        fate = self.faults.take(Endpoint.SUBMIT, _FATES)
        if fate is not None:
            job.empty = fate.kind is Kind.EMPTY
            job.fails_for = fate.words if fate.kind is Kind.FAIL else None
            if fate.kind is Kind.STUCK:
                job.stuck_in = State(fate.state)
        return fate

    async def _answer(self, request: web.Request, record: Received, act: Act) -> web.StreamResponse:
        fault = await self._fault(record.endpoint)
        if fault is not None and fault.kind is Kind.RESET_BEFORE:
            return break_connection(request)
        if fault is not None and fault.kind is Kind.STATUS:
            response = self.refusal(fault.status, fault.message, in_envelope=fault.in_envelope)
            if fault.retry_after is not None:
                response.headers["Retry-After"] = fault.retry_after
            return response
        response_of_act = await act(request, record, self._account(record), fault)
        if fault is not None and fault.kind is Kind.RESET_AFTER:
            return break_connection(request)
        if fault is not None and fault.kind is Kind.MALFORMED:
            return web.Response(text='<html><body>{"request_id": ', content_type="text/html")
        return response_of_act

    async def _fault(self, endpoint: Endpoint) -> Fault | None:
        """Wait out a delay, if there is one, and return the next fault of an endpoint."""
        if delay := self.faults.take(endpoint, _DELAY):
            await asyncio.sleep(delay.seconds)
        return self.faults.take(endpoint, _FAULTS)

    def _account(self, record: Received) -> str:
        scheme, _, key = record.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or key not in self._keys:
            raise Refused(401, "Missing or invalid API key.")
        return key

    async def _picture(self, request: web.Request) -> web.StreamResponse:
        """Serve a picture to anybody: a CDN asks for no key."""
        self.requests.append(await received(request, Endpoint.PICTURE))
        self.studio.changed()
        fault = await self._fault(Endpoint.PICTURE)
        if fault is not None and fault.kind is Kind.RESET_BEFORE:
            return break_connection(request)
        if fault is not None and fault.kind is Kind.STATUS:
            return web.Response(status=fault.status, text="no picture here")
        job = self.studio.jobs.get(request.match_info["job"])
        paths = picture_paths(job) if job is not None else []
        if job is None or request.path not in paths:
            return web.Response(status=404, text="no picture here")
        return await serve_picture(request, job, paths.index(request.path), fault)
