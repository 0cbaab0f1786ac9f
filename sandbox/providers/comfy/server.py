"""Fake of a ComfyUI server: one prompt at a time, history in memory.

Every route is also under `/api`. No key is needed. Outputs and uploads survive a restart, the rest does not.
"""

import uuid
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, ClassVar, Final

from aiohttp import web

from sandbox.loopback import is_own
from sandbox.providers.cases import Case
from sandbox.providers.comfy.cases import CASES, FAILURES, PROXY_PAGE, QUEUE_AHEAD
from sandbox.providers.comfy.executor import Executor
from sandbox.providers.comfy.file_routes import FileRoutes
from sandbox.providers.comfy.files import Files
from sandbox.providers.comfy.graphs import read_output
from sandbox.providers.comfy.prompts import Prompt
from sandbox.providers.comfy.queue_routes import QueueRoutes
from sandbox.providers.comfy.sockets import Sockets
from sandbox.providers.comfy.validation import refusal, validate_graph
from sandbox.providers.faults import Endpoint, Fault, Kind
from sandbox.providers.job_store import Job, JobRequest, State
from sandbox.providers.recording import RecordedRequest
from sandbox.providers.server import EndpointHandler, ImageApiServer

_OTHERS: Final = "others"
_MAX_ID_CHARS: Final = 100


class ComfyServer(ImageApiServer):
    """Fake of ComfyUI: free, and the client may choose the prompt's id.

    `billed` has one charge of zero for each drawn prompt.
    """

    cases: ClassVar[Mapping[str, Case]] = CASES
    max_body_bytes = 100 * 1024 * 1024

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.prompts: dict[str, Prompt] = {}
        self.history: dict[str, Job] = {}
        self.files = Files()
        self.sockets = Sockets()
        self._executor = Executor(self, self.sockets)
        self._number = 0
        self._port = 0

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> None:
        """Listen; port 0 takes a free one, and the earlier one after `go_down`."""
        await super().start(host, port or self._port)
        self._port = int(self.url.rpartition(":")[2])

    async def close(self) -> None:
        """Stop listening and drop all connections. Calling it twice is allowed."""
        self._executor.close()
        await self.sockets.close()
        await super().close()

    async def go_down(self) -> None:
        """End the program: connections are refused, queue and history are lost."""
        self.forget()
        await self.close()

    async def restart(self) -> None:
        """End the program and start it again at the same address."""
        await self.go_down()
        await self.start()

    def forget(self) -> None:
        """Lose queue, history and cache, as at a restart."""
        jobs = [job for job in self.jobs if not job.terminal]
        self._executor.close()
        self.history.clear()
        self.prompts.clear()
        for job in jobs:
            self.store.drop(job)

    def error_response(self, status: int, message: str | None, *, in_envelope: bool = False) -> web.Response:  # noqa: ARG002 - the signature of all fakes
        """Return a plain error, or a proxy's page; `in_envelope` has no effect."""
        if status == 401:  # noqa: PLR2004 - the proxy refuses these
            return web.Response(status=status, text=PROXY_PAGE, content_type="text/html")
        return web.Response(status=status, text=message or f"{status}: Error")

    def prompt_of(self, record: RecordedRequest) -> str:  # noqa: ARG002 - no case quotes it
        """Return nothing: a graph may have several texts."""
        return ""

    def routes(self) -> list[web.RouteDef]:
        """Return the routes with and without `/api`."""
        routes = [
            *self.both("GET", "/prompt", Endpoint.STATUS, self._queue_length),
            *self.both("POST", "/prompt", Endpoint.SUBMIT, self._submit),
            *QueueRoutes(self).routes(),
            *FileRoutes(self).routes(),
            web.post("/sandbox/restart", self._restart_by_control),
        ]
        routes += [web.get(prefix + "/ws", self._serve_socket) for prefix in ("", "/api")]
        return routes

    def both(self, method: str, path: str, endpoint: Endpoint, respond: EndpointHandler) -> list[web.RouteDef]:
        """Return a route with and without `/api`."""
        handler = self.handler(endpoint, respond, is_public=True)
        return [web.route(method, prefix + path, handler) for prefix in ("", "/api")]

    def pending(self) -> list[tuple[Prompt, Job]]:
        """Return the waiting prompts, the next one first."""
        waiting = [(self.prompts[job.id], job) for job in self._active() if job.state is State.IN_QUEUE]
        return sorted(waiting, key=lambda each: each[0].number)

    def running(self) -> list[tuple[Prompt, Job]]:
        """Return the running prompt, if there is one."""
        return [(self.prompts[job.id], job) for job in self._active() if job.state is State.IN_PROGRESS]

    def exec_info(self) -> dict[str, Any]:
        """Return the number of unfinished prompts."""
        return {"exec_info": {"queue_remaining": len(self._active())}}

    async def fetch_inputs(self, job: Job) -> None:
        """Begin a prompt's execution.

        Raises:
            InputError: A loaded image is unusable.
        """
        await self._executor.begin(job, self.prompts[job.id])

    def on_job_end(self, job: Job) -> None:
        """Write the history, and start the next prompt."""
        prompt = self.prompts.get(job.id)
        if prompt is None:
            return  # forgotten at a restart
        was_pending = job.state is State.CANCELLED and not prompt.is_begun
        if not was_pending:
            self._executor.end(job, prompt)
            if prompt.case != "forgotten":
                self.history[prompt.id] = job
        self.sockets.send("status", {"status": self.exec_info()})
        self._schedule_next()

    async def _submit(
        self, _: web.Request, record: RecordedRequest, __: str, fault: Fault | None
    ) -> web.StreamResponse:
        body = record.body
        if not isinstance(body, dict) or "prompt" not in body:
            raise refusal("no_prompt", "No prompt provided")
        prompt_id = _prompt_id(body.get("prompt_id"))
        valid = validate_graph(body["prompt"], self.files.input_names())
        case = fault.case if fault is not None and fault.kind is Kind.CASE else ""
        if case == "long_queue":
            for _index in range(QUEUE_AHEAD):
                self._enqueue(str(uuid.uuid4()), body, valid.outputs, owner=_OTHERS)
        prompt = self._enqueue(prompt_id, body, valid.outputs, case=case)
        node_errors = valid.node_errors
        if case == "partial_errors":
            node_errors = CASES["bad_input"].body("")["node_errors"]  # type: ignore[misc]
        self._schedule_next()
        self.sockets.send("status", {"status": self.exec_info()})
        return web.json_response({"prompt_id": prompt_id, "number": prompt.number, "node_errors": node_errors})

    def _enqueue(
        self, prompt_id: str, body: dict[str, Any], outputs: list[str], *, owner: str = "", case: str = ""
    ) -> Prompt:
        extra = body.get("extra_data")
        client_id = body.get("client_id")
        pictures = [read_output(body["prompt"], output) for output in outputs]
        prompt = Prompt(
            id=prompt_id,
            number=-self._number if body.get("front") is True else self._number,
            graph=body["prompt"],
            extra_data=dict(extra) if isinstance(extra, dict) else {},
            pictures=pictures,
            clock=self.wall_clock,
            client_id=client_id[:_MAX_ID_CHARS] if isinstance(client_id, str) and owner != _OTHERS else None,
            case=case,
            failure=FAILURES.get(case),
        )
        if prompt.client_id is not None:
            prompt.extra_data["client_id"] = prompt.client_id
        self._number += 1
        first = pictures[0]
        request = JobRequest(
            prompt=first.prompt,
            model=first.model,
            images=first.count,
            width=64,
            height=64,
            format="png",
            cost=Decimal(0),
            input_urls=("graph",),  # so that the start begins the execution
        )
        job_id = prompt_id if prompt_id not in self.store.jobs else f"{prompt_id}#{self._number}"
        self.prompts[job_id] = prompt
        job = self.store.open(request, owner=owner, job_id=job_id)
        self.apply_job_fault(job)
        job.empty = job.empty or case == "nothing"
        if prompt.failure is not None:
            job.failure_reason = prompt.failure.message
        return prompt

    def _schedule_next(self) -> None:
        """Start the timer of the next prompt, unless one is running."""
        pending = self.pending()
        if self.running() or not pending:
            return
        prompt, job = pending[0]
        if prompt.case == "interrupted":
            prompt.is_begun = True
            self.store.drop(job)
        elif prompt.case == "forgotten":
            del self.prompts[job.id]
            self.store.drop(job)
            self._schedule_next()
        elif job.timer is None:
            self.store.schedule(job)

    def _active(self) -> list[Job]:
        return [job for job in self.jobs if not job.terminal and job.id in self.prompts]

    async def _queue_length(self, *_: object) -> web.StreamResponse:
        return web.json_response(self.exec_info())

    async def _serve_socket(self, request: web.Request) -> web.StreamResponse:
        return await self.sockets.serve(request, {"status": self.exec_info()})

    async def _restart_by_control(self, request: web.Request) -> web.Response:
        if not is_own(request):
            raise web.HTTPForbidden
        self.forget()
        await self.sockets.close()
        return web.Response(status=204)


def _prompt_id(value: Any) -> str:
    """Return the client's id of a prompt, or a new one.

    Raises:
        RequestError: It is no canonical UUID in lower case.
    """
    if value is None:
        return str(uuid.uuid4())
    try:
        is_canonical = isinstance(value, str) and str(uuid.UUID(value)) == value
    except ValueError:
        is_canonical = False
    if not is_canonical:
        raise refusal("invalid_prompt_id", "prompt_id must be a canonical UUID")
    return str(value)
