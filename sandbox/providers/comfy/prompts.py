"""Queued prompts of the ComfyUI fake, and their form in its replies."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sandbox.providers.comfy.cases import Failure
from sandbox.providers.comfy.graphs import Picture
from sandbox.providers.comfy.validation import Graph
from sandbox.providers.job_store import Job, State

_JOB_STATES = {
    State.IN_QUEUE: "pending",
    State.IN_PROGRESS: "in_progress",
    State.COMPLETED: "completed",
    State.FAILED: "failed",
    State.CANCELLED: "cancelled",
}


@dataclass(slots=True, kw_only=True, eq=False)
class Prompt:
    """A prompt beside its job; `clock` returns Unix seconds.

    `pictures` are those of its outputs. `messages` are those of its status in the history.
    """

    id: str
    number: int
    graph: Graph
    extra_data: dict[str, Any]
    pictures: list[Picture]
    clock: Callable[[], float]
    client_id: str | None = None
    case: str = ""
    failure: Failure | None = None
    is_begun: bool = False
    is_cached: bool = False
    outputs: dict[str, Any] = field(default_factory=dict)
    messages: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    @property
    def key(self) -> str:
        """Return a text, equal for equal graphs."""
        return json.dumps(self.graph, sort_keys=True)

    @property
    def text_chunks(self) -> dict[str, str]:
        """Return the metadata of its saved images."""
        extra = self.extra_data.get("extra_pnginfo")
        chunks = {"prompt": json.dumps(self.graph)}
        if isinstance(extra, dict) and "workflow" in extra:
            chunks["workflow"] = json.dumps(extra["workflow"])
        return chunks

    def queue_entry(self) -> list[Any]:
        """Return the entry of `/queue` and of the history."""
        return [self.number, self.id, self.graph, self.extra_data, [each.node for each in self.pictures]]

    def note(self, kind: str, **data: Any) -> dict[str, Any]:
        """Add a message, and return its data."""
        message = {"prompt_id": self.id, **data, "timestamp": int(self.clock() * 1000)}
        self.messages.append((kind, message))
        return message

    def history_entry(self, job: Job) -> dict[str, Any]:
        """Return the entry of `/history` after the end."""
        is_success = job.state is State.COMPLETED
        status = {
            "status_str": "success" if is_success else "error",
            "completed": is_success,
            "messages": [list(each) for each in self.messages],
        }
        return {"prompt": self.queue_entry(), "outputs": self.outputs, "status": status, "meta": {}}

    def job_entry(self, job: Job) -> dict[str, Any]:
        """Return the entry of `/api/jobs/{id}`."""
        entry = {"id": self.id, "status": _JOB_STATES[job.state], "outputs": self.outputs}
        error = next((data for kind, data in self.messages if kind == "execution_error"), None)
        return entry | ({} if error is None else {"execution_error": error})

    def error_data(self, node: str, failure: Failure) -> dict[str, Any]:
        """Return the data of `execution_error`; it quotes the node's inputs."""
        node_type = self.graph.get(node, {}).get("class_type", "KSampler")
        texts = {id_: each["inputs"] for id_, each in self.graph.items() if "text" in each.get("inputs", {})}
        return {
            "node_id": node,
            "node_type": node_type,
            "executed": [],
            "exception_type": failure.type,
            "exception_message": failure.message,
            "traceback": [f'  File "execution.py", line 1, in {node_type}\n'],
            "current_inputs": texts,
            "current_outputs": [],
        }
