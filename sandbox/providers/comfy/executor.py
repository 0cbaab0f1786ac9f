"""Execution of prompts, one at a time, with progress for the websockets."""

import asyncio
import io
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from PIL import Image

from sandbox.providers.comfy.cases import Failure
from sandbox.providers.comfy.files import PathError, add_text_chunks
from sandbox.providers.comfy.graphs import Picture
from sandbox.providers.comfy.prompts import Prompt
from sandbox.providers.comfy.sockets import Sockets
from sandbox.providers.inputs import InputError
from sandbox.providers.job_store import Job, State
from sandbox.providers.result_files import draw_result

if TYPE_CHECKING:
    from sandbox.providers.comfy.server import ComfyServer

_MAX_PIXELS: Final = 16_777_216
_MAX_TICKS: Final = 20
_PREVIEW_PIXELS: Final = 128
_DEFAULT_SIDE_PIXELS: Final = 512


class Executor:
    """Runs the prompts of a ComfyUI fake and writes its history."""

    def __init__(self, server: "ComfyServer", sockets: Sockets) -> None:
        self._server = server
        self._sockets = sockets
        self._ticker: asyncio.Task[None] | None = None
        self._last_key = ""
        self._last_outputs: dict[str, Any] = {}

    def close(self) -> None:
        """Stop the progress, and forget the cache."""
        self._stop_ticker()
        self._last_key, self._last_outputs = "", {}

    async def begin(self, job: Job, prompt: Prompt) -> None:
        """Load the images of a starting prompt, and announce its execution.

        Raises:
            InputError: An image is unusable; the prompt's failure names its exception.
        """
        self._announce(prompt)
        try:
            names = prompt.pictures[0].files if prompt.pictures else ()
            contents = [self._server.files.find_input(name) for name in names]
            job.inputs = tuple([await self._server.inputs.decode(each, "the image") for each in contents])
        except InputError:
            prompt.failure = Failure(type="PIL.UnidentifiedImageError", message="cannot identify image file")
            raise
        width, height = _size(prompt.pictures[0], job)
        job.request = replace(job.request, width=width, height=height, input_urls=())
        if width * height * job.request.images > _MAX_PIXELS:
            prompt.failure = Failure(type="torch.OutOfMemoryError", message="Allocation on device")
            raise InputError("out of memory")
        self._stop_ticker()
        self._ticker = asyncio.create_task(self._report_progress(job, prompt))

    def end(self, job: Job, prompt: Prompt) -> None:
        """Write the outcome of an ended prompt, and announce it."""
        self._stop_ticker()
        self._announce(prompt)
        kind, data = self._outcome(job, prompt)
        message = prompt.note(kind, **data)
        if kind == "execution_success":
            for node, output in prompt.outputs.items():
                self._send(prompt, "executed", {"node": node, "display_node": node, "output": output})
        self._sockets.send(kind, message, prompt.client_id)
        self._send(prompt, "executing", {"node": None})

    def _announce(self, prompt: Prompt) -> None:
        if prompt.is_begun:
            return
        prompt.is_begun = True
        prompt.is_cached = prompt.key == self._last_key and not prompt.case
        nodes = list(prompt.graph) if prompt.is_cached else []
        self._sockets.send("execution_start", prompt.note("execution_start"), prompt.client_id)
        self._sockets.send("execution_cached", prompt.note("execution_cached", nodes=nodes), prompt.client_id)
        sampler = prompt.pictures[0].sampler if prompt.pictures else None
        self._send(prompt, "executing", {"node": sampler})

    def _outcome(self, job: Job, prompt: Prompt) -> tuple[str, dict[str, Any]]:
        node = (prompt.pictures[0].sampler if prompt.pictures else None) or next(iter(prompt.graph), "0")
        if job.state is State.CANCELLED:
            node_type = prompt.graph.get(node, {}).get("class_type", "")
            return "execution_interrupted", {"node_id": node, "node_type": node_type, "executed": []}
        if job.state is State.COMPLETED:
            try:
                self._save_outputs(job, prompt)
            except PathError:
                prompt.failure = Failure(type="Exception", message="Saving image outside the output folder")
                self._server.store.refund(job)
                job.state = State.FAILED
            else:
                return "execution_success", {}
        failure = prompt.failure or Failure(type="RuntimeError", message=job.error or "the execution failed")
        return "execution_error", prompt.error_data(node, failure)

    def _save_outputs(self, job: Job, prompt: Prompt) -> None:
        if job.empty:
            return
        if prompt.is_cached:
            prompt.outputs = self._last_outputs
            self._server.store.refund(job)  # nothing was drawn
            return
        for picture in prompt.pictures:
            type_ = "temp" if picture.is_preview else "output"
            images = [
                self._server.files.save(_draw(job, prompt, picture, index), type_=type_, prefix=picture.prefix)
                for index in range(job.request.images)
            ]
            prompt.outputs[picture.node] = {"images": images}
        self._last_key, self._last_outputs = prompt.key, prompt.outputs

    async def _report_progress(self, job: Job, prompt: Prompt) -> None:
        """Send the progress over the time of the work, with a few previews.

        Without timers, only the first step is sent.
        """
        steps = prompt.pictures[0].steps if prompt.pictures else 1
        ticks = min(steps, _MAX_TICKS)
        work = self._server.latency.work
        preview = await asyncio.to_thread(_draw_preview, job)
        for tick in range(1, ticks + 1):
            node = prompt.pictures[0].sampler if prompt.pictures else None
            self._send(prompt, "progress", {"value": steps * tick // ticks, "max": steps, "node": node})
            if tick % 5 == 1 and prompt.client_id is not None:
                self._sockets.send_preview(preview, prompt.client_id)
            if work is None:
                return
            await asyncio.sleep(work / ticks)

    def _send(self, prompt: Prompt, kind: str, data: dict[str, Any]) -> None:
        self._sockets.send(kind, {**data, "prompt_id": prompt.id}, prompt.client_id)

    def _stop_ticker(self) -> None:
        if self._ticker is not None:
            self._ticker.cancel()
            self._ticker = None


def _size(picture: Picture, job: Job) -> tuple[int, int]:
    if picture.size is not None:
        return max(16, picture.size[0]), max(16, picture.size[1])
    if job.inputs:
        return job.inputs[0].width, job.inputs[0].height
    return _DEFAULT_SIDE_PIXELS, _DEFAULT_SIDE_PIXELS


def _draw(job: Job, prompt: Prompt, picture: Picture, index: int) -> Callable[[], bytes]:
    def draw() -> bytes:
        png = draw_result(job, index)
        return png if picture.is_preview else add_text_chunks(png, prompt.text_chunks)

    return draw


def _draw_preview(job: Job) -> bytes:
    with Image.open(io.BytesIO(draw_result(job, 0))) as picture:
        small = picture.convert("RGB")
    small.thumbnail((_PREVIEW_PIXELS, _PREVIEW_PIXELS))
    file = io.BytesIO()
    small.save(file, "JPEG", quality=60)
    return file.getvalue()
