"""Client of a ComfyUI server.

We choose the id of a prompt, so a lost reply loses nothing: the id is looked up in the queue and the history.
"""

import asyncio
import contextlib
from collections.abc import Mapping
from contextvars import Context
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import httpx

from bot.domain.errors import FaultKind, ProviderError
from bot.domain.requests import GenerationRequest
from bot.providers.base import (
    Cancelled,
    CancelOutcome,
    Failed,
    Finished,
    InputFile,
    LostCall,
    Pending,
    ProviderDefaults,
    Status,
    Submission,
    SubmitAnswer,
)
from bot.providers.comfyui.history import Queue, find_entry, has_failed, messages, output_images, parse_queue
from bot.providers.comfyui.progress import Progress
from bot.providers.comfyui.workflow_files import DEFAULT_FOLDER, PROVIDER, SETTING, find_models, read_workflows
from bot.providers.comfyui.workflows import MAX_PICTURES, Graph, Workflow, picture_values
from bot.providers.error_details import Reason
from bot.providers.http import MAX_INLINE_BYTES, Answer, Call, HttpRules, ProviderHttp
from bot.providers.parsing import handle_of
from bot.providers.redaction import is_code, loggable_code
from bot.providers.spec import ExtraSetting, ProviderSpec

# The server lacks a node, or the workflow ends nowhere: nobody's prompt changes that.
_UNFIT: Final = frozenset({"invalid_prompt", "missing_node_type", "prompt_no_outputs"})
_SUBFOLDER: Final = "atelier"
_NOT_IN_LIST: Final = "value_not_in_list"
_EXTENSIONS: Final = {"image/png": "png", "image/jpeg": "jpg", "image/webp": "webp", "image/gif": "gif"}


class ComfyUI(ProviderDefaults):
    """The provider `comfyui`: workflows of a folder, run on one server.

    A handle is the id of a prompt, which is our id of the call.
    """

    name: Final = PROVIDER

    def __init__(
        self, http: ProviderHttp, *, workflows: Path = DEFAULT_FOLDER, progress: Progress | None = None
    ) -> None:
        self._http = http
        self._workflows = {each.workflow.name: each.workflow for each in read_workflows(workflows)}
        self._progress = progress or Progress(http.base_url, http.key_header)
        self._reading: asyncio.Task[Queue | ProviderError] | None = None

    def __repr__(self) -> str:
        """Return the class and how it is reached, without the key."""
        return f"ComfyUI({self._http!r})"

    async def close(self) -> None:
        """Close the websocket, and end a read of the queue."""
        if self._reading is not None:
            self._reading.cancel()
        await self._progress.close()

    async def submit(self, submission: Submission) -> SubmitAnswer:
        """Upload the inputs, then queue the workflow once.

        Errors of nodes beside a queued prompt mean that some outputs will be missing: the prompt is dropped.
        """
        request = submission.request
        workflow = self._workflows.get(submission.offer.remote_model)
        template = None if workflow is None else workflow.template(request.mode)
        if workflow is None or template is None:
            raise ProviderError(FaultKind.MODEL_UNAVAILABLE, provider=self.name, detail="no workflow for this")
        pictures = [
            await self._upload(f"{submission.call_id}-{index}", each)
            for index, each in enumerate(submission.inputs[: template.max_inputs], start=1)
        ]
        if len(pictures) < min(len(request.inputs), template.max_inputs):
            raise ProviderError(FaultKind.INTERNAL, provider=self.name, detail="an input without its file")
        graph = template.fill(_values(workflow, request, submission.seed) | picture_values(pictures))
        self._progress.watch(submission.call_id, graph)
        try:
            return await self._queue_prompt(submission.call_id, graph, hide=(request.instruction, request.negative))
        except ProviderError as error:
            if not error.maybe_accepted:
                self._progress.forget(submission.call_id)
            raise

    async def find_lost(self, submission: Submission) -> str | LostCall:
        """Look for the prompt in the queue and the history.

        A restart of the server empties both: another try costs nothing.
        """
        try:
            is_known = await self._is_known(submission.call_id)
        except ProviderError:
            return LostCall.ASK_AGAIN
        return submission.call_id if is_known else LostCall.NOT_TAKEN

    async def poll(self, handle: str, *, hide: tuple[str, ...] = ()) -> Status:
        """Read the queue, then the history: a prompt may end in between.

        A prompt in neither is NOT_FOUND.
        """
        # A shared read may have begun before the submit: only one of our own proves that the prompt is gone.
        for read in (self._shared_queue, self._read_queue):
            queue = await read()
            if handle in queue.running:
                return Pending(handle=handle, running=True, percent=self._progress.percent(handle))
            if (position := queue.pending.get(handle)) is not None:
                return Pending(handle=handle, running=False, position=position)
            if (entry := await self._read_entry(handle)) is not None:
                break
        else:
            raise self._http.error(FaultKind.NOT_FOUND, Call.READ, detail="neither in queue nor in history")
        status = await self._ended(handle, entry, hide)
        self._progress.forget(handle)
        return status

    async def cancel(self, handle: str) -> CancelOutcome:
        """Take a queued prompt out of the queue, or interrupt a running one.

        Both are always answered with 200, so the queue is read before and after.
        """
        queue = await self._read_queue()
        if handle in queue.pending:
            await self._http.cancel("/queue", {"delete": [handle]})
            queue = await self._read_queue()
            if handle not in queue:
                return CancelOutcome.READ_AGAIN if await self._read_entry(handle) else CancelOutcome.CANCELLED
        if handle in queue.running:
            # Without the id it would stop anybody's prompt.
            await self._http.cancel("/interrupt", {"prompt_id": handle})
            return CancelOutcome.READ_AGAIN
        is_known = handle in queue or await self._read_entry(handle) is not None
        return CancelOutcome.READ_AGAIN if is_known else CancelOutcome.UNKNOWN_JOB

    async def _upload(self, name: str, file: InputFile) -> str:
        """Return the name of an uploaded input for a LoadImage node."""
        extension = _EXTENSIONS.get(file.media_type, "png")
        form = (
            ("image", (f"{name}.{extension}", file.data, file.media_type)),
            ("type", "input"),
            ("subfolder", _SUBFOLDER),
            ("overwrite", "true"),
        )
        document = _document(await self._http.send("/upload/image", form=form))
        stored, subfolder = document.get("name"), document.get("subfolder", "")
        if not isinstance(stored, str) or not stored or not isinstance(subfolder, str):
            raise self._http.error(FaultKind.MALFORMED, Call.READ, detail="an upload without a name")
        return f"{subfolder}/{stored}" if subfolder else stored

    async def _queue_prompt(self, prompt_id: str, graph: Graph, *, hide: tuple[str, ...]) -> SubmitAnswer:
        payload = {"prompt": graph, "client_id": self._progress.client_id, "prompt_id": prompt_id}
        answer = await self._http.submit("/prompt", payload, hide=hide)
        document = answer.document if isinstance(answer.document, dict) else {}
        # A server from before clients could choose it names its own.
        handle = handle_of(document.get("prompt_id"))
        if handle is None:
            raise answer.fault or self._http.error(
                FaultKind.MALFORMED, Call.SUBMIT, detail="no prompt", headers=answer.headers
            )
        if node_errors := document.get("node_errors"):
            with contextlib.suppress(ProviderError):
                await self.cancel(handle)
            self._progress.forget(prompt_id)
            detail = self._http.detail(Reason(codes=tuple(_error_types(node_errors))), hide)
            return Failed(kind=_kind_of(node_errors), detail=detail, handle=handle)
        return Pending(handle=handle, running=False)

    async def _is_known(self, prompt_id: str) -> bool:
        return prompt_id in await self._read_queue() or await self._read_entry(prompt_id) is not None

    async def _read_queue(self) -> Queue:
        answer = await self._http.read("/queue")
        queue = parse_queue(answer.document)
        if queue is None:
            raise answer.fault or self._http.error(FaultKind.MALFORMED, Call.READ, detail="no queue")
        return queue

    async def _shared_queue(self) -> Queue:
        """Return the queue of an unfinished read, or begin one.

        The answer has the graphs of all prompts: many polls of a long queue would read megabytes each.
        """
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._try_queue(), context=Context())  # for all jobs
        queue = await asyncio.shield(self._reading)
        if isinstance(queue, ProviderError):
            raise ProviderError(
                queue.kind,
                provider=self.name,
                detail=queue.detail,
                status=queue.status,
                retry_after=queue.retry_after,
            )
        return queue

    async def _try_queue(self) -> Queue | ProviderError:
        """Return the queue, or the error for every poll that waits."""
        try:
            return await self._read_queue()
        except ProviderError as error:
            return error

    async def _read_entry(self, handle: str) -> dict[str, Any] | None:
        """Return a prompt's entry in the history, or None."""
        return find_entry(_document(await self._http.read(f"/history/{quote(handle, safe='')}")), handle)

    async def _ended(self, handle: str, entry: Mapping[str, Any], hide: tuple[str, ...]) -> Status:
        noted = messages(entry)
        if "execution_interrupted" in noted:
            return Cancelled(handle=handle)
        if (error := noted.get("execution_error")) is not None or has_failed(entry):
            # The message of an exception may quote the prompt; its type is the name of a class.
            code = (error or {}).get("exception_type")
            detail = loggable_code(code, hide) if is_code(code) else ""
            return Failed(kind=FaultKind.GENERATION, detail=detail, handle=handle)
        images = output_images(entry)[:MAX_PICTURES]
        if not images:
            return Failed(kind=FaultKind.NO_PICTURES, handle=handle)
        files: list[bytes] = []
        for each in images:
            files.append(await self._http.fetch("/view", each.params))
            if sum(map(len, files)) > MAX_INLINE_BYTES:
                break  # no more than the largest answer of any provider
        return Finished(image_files=tuple(dict.fromkeys(files)), handle=handle)


def _values(workflow: Workflow, request: GenerationRequest, seed: int) -> dict[str, str | int]:
    """Return the values of the placeholders, those for inputs excepted."""
    width, height = workflow.size(request.aspect_ratio, request.resolution)
    return {
        "prompt": request.instruction,
        "negative": request.negative or workflow.negative,
        "seed": seed if request.seed is None else request.seed,
        "width": width,
        "height": height,
        "steps": workflow.steps_at(request.quality),
        "images": request.images,
    }


def _document(answer: Answer) -> dict[str, Any]:
    """Return the JSON object of an answer.

    Raises:
        ProviderError: it has none.
    """
    if answer.fault is not None:
        raise answer.fault
    return answer.document if isinstance(answer.document, dict) else {}


def _error_types(node_errors: object) -> list[str]:
    """Return the types of the errors of nodes."""
    listed = node_errors.values() if isinstance(node_errors, dict) else ()
    errors = [node.get("errors") for node in listed if isinstance(node, dict)]
    single = [each for some in errors if isinstance(some, list) for each in some if isinstance(each, dict)]
    return list(dict.fromkeys(kind for each in single if is_code(kind := each.get("type"))))


def _kind_of(node_errors: object) -> FaultKind:
    """Return MODEL_UNAVAILABLE if the server lacks a node's file."""
    return FaultKind.MODEL_UNAVAILABLE if _NOT_IN_LIST in _error_types(node_errors) else FaultKind.INVALID


def _kind_of_status(status: int, document: object, headers: httpx.Headers) -> FaultKind | None:
    """Return the fault of a refused workflow; None for other errors."""
    del headers
    if status != httpx.codes.BAD_REQUEST or not isinstance(document, dict) or "node_errors" not in document:
        return None
    error = document.get("error")
    if isinstance(error, dict) and error.get("type") in _UNFIT:
        return FaultKind.MODEL_UNAVAILABLE
    return _kind_of(document["node_errors"])


SPEC: Final = ProviderSpec(
    name=ComfyUI.name,
    display_name="ComfyUI",
    key_setting="comfyui_api_key",
    key_description="takes a key for the proxy in front of ComfyUI",
    url_setting="comfyui_url",
    default_url="",
    probe_path="/system_stats",
    build=ComfyUI,
    can_cancel=True,
    can_cancel_running=True,
    rules=HttpRules(kind_of=_kind_of_status, max_bytes=MAX_INLINE_BYTES),
    needs_key=False,
    extras=(
        ExtraSetting(
            setting=SETTING,
            keyword="workflows",
            kind=Path,
            default=DEFAULT_FOLDER,
            description="takes a folder of workflows of ComfyUI",
        ),
    ),
    find_models=find_models,
)
