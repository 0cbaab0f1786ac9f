"""Routes of the ComfyUI fake about its queue and history."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from aiohttp import web

from sandbox.providers.comfy.prompts import Prompt
from sandbox.providers.faults import Endpoint, Fault
from sandbox.providers.job_store import Job, State
from sandbox.providers.recording import RecordedRequest

if TYPE_CHECKING:
    from sandbox.providers.comfy.server import ComfyServer


class QueueRoutes:
    """Reads and changes the queue and the history of a ComfyUI fake."""

    def __init__(self, server: "ComfyServer") -> None:
        self._server = server

    def routes(self) -> list[web.RouteDef]:
        """Return the routes with and without `/api`."""
        both = self._server.both
        return [
            *both("GET", "/queue", Endpoint.STATUS, self._queue),
            *both("POST", "/queue", Endpoint.CANCEL, self._change_queue),
            *both("POST", "/interrupt", Endpoint.CANCEL, self._interrupt),
            *both("GET", "/history", Endpoint.RESULT, self._history),
            *both("POST", "/history", Endpoint.RESULT, self._change_history),
            *both("GET", "/history/{id}", Endpoint.RESULT, self._history_of),
            *both("GET", "/jobs/{id}", Endpoint.STATUS, self._job),
            *both("POST", "/jobs/{id}/cancel", Endpoint.CANCEL, self._cancel_job),
        ]

    async def _queue(self, *_: object) -> web.StreamResponse:
        body = {
            "queue_running": [prompt.queue_entry() for prompt, _ in self._server.running()],
            "queue_pending": [prompt.queue_entry() for prompt, _ in self._server.pending()],
        }
        return web.json_response(body)

    async def _change_queue(
        self, _: web.Request, record: RecordedRequest, __: str, ___: Fault | None
    ) -> web.StreamResponse:
        """Remove waiting prompts; unknown and running ones are ignored."""
        body = record.body if isinstance(record.body, dict) else {}
        ids = _texts(body.get("delete"))
        for prompt, job in self._server.pending():
            if body.get("clear") is True or prompt.id in ids:
                self._server.store.cancel(job)
        return web.Response()

    async def _interrupt(
        self, _: web.Request, record: RecordedRequest, __: str, ___: Fault | None
    ) -> web.StreamResponse:
        """Stop the running prompt, or the given one alone."""
        wanted = record.body.get("prompt_id") if isinstance(record.body, dict) else None
        for prompt, job in self._server.running():
            if wanted in (None, prompt.id):
                self._server.store.drop(job)
        return web.Response()

    async def _history(self, *_: object) -> web.StreamResponse:
        history = self._server.history
        return web.json_response({id_: self._entry(job) for id_, job in history.items()})

    async def _history_of(self, request: web.Request, *_: object) -> web.StreamResponse:
        prompt_id = request.match_info["id"]
        job = self._server.history.get(prompt_id)
        return web.json_response({} if job is None else {prompt_id: self._entry(job)})

    async def _change_history(
        self, _: web.Request, record: RecordedRequest, __: str, ___: Fault | None
    ) -> web.StreamResponse:
        body = record.body if isinstance(record.body, dict) else {}
        for id_ in list(self._server.history) if body.get("clear") is True else _texts(body.get("delete")):
            self._server.history.pop(id_, None)
        return web.Response()

    async def _job(self, request: web.Request, *_: object) -> web.StreamResponse:
        found = self._find(request.match_info["id"])
        if found is None:
            return web.json_response({"error": "Job not found"}, status=404)
        prompt, job = found
        return web.json_response(prompt.job_entry(job))

    async def _cancel_job(self, request: web.Request, *_: object) -> web.StreamResponse:
        found = self._find(request.match_info["id"])
        if found is None:
            return web.json_response({"error": "Job not found"}, status=404)
        _prompt, job = found
        is_active = not job.terminal
        if job.state is State.IN_QUEUE:
            self._server.store.cancel(job)
        else:
            self._server.store.drop(job)
        return web.json_response({"cancelled": is_active})

    def _find(self, prompt_id: str) -> tuple[Prompt, Job] | None:
        """Return the prompt in queue or history; a deleted one is unknown."""
        for prompt, job in (*self._server.running(), *self._server.pending()):
            if prompt.id == prompt_id:
                return prompt, job
        job_of_history = self._server.history.get(prompt_id)
        return None if job_of_history is None else (self._server.prompts[job_of_history.id], job_of_history)

    def _entry(self, job: Job) -> dict[str, Any]:
        return self._server.prompts[job.id].history_entry(job)


def _texts(value: Any) -> Iterable[str]:
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []
