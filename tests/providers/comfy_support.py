"""ComfyUI's client with its fake and a folder of workflows."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx

from bot.catalogue_file import load_catalogue_file
from bot.domain.images import InputImage
from bot.domain.models import Offer
from bot.domain.requests import GenerationRequest
from bot.providers.base import Pending, Submission
from bot.providers.comfyui import SPEC, ComfyUI
from bot.providers.comfyui.progress import Progress
from bot.providers.comfyui.workflow_files import find_models
from bot.providers.http import ProviderHttp
from sandbox.providers import State
from sandbox.providers.comfy import ComfyServer
from tests.support.submissions import CALL_ID, submission

EXAMPLES = Path(__file__).parents[2] / "docs/workflows"
MODEL = "local-sdxl"
PROMPT = "a lighthouse whose lamp is a small moon"
INPUT = InputImage(url="https://cdn.example/a.png")

Graph = dict[str, dict[str, Any]]


def example(name: str = MODEL) -> Graph:
    """Return one of the example workflows."""
    graph: Graph = json.loads((EXAMPLES / f"{name}.json").read_text())
    return graph


def write(folder: Path, name: str, content: object) -> Path:
    """Write a workflow, or another text, into a folder."""
    folder.mkdir(exist_ok=True)
    file = folder / name
    file.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return file


def offer_in(folder: Path, model: str = MODEL) -> Offer:
    """Return the offer of a workflow of a folder."""
    offers = load_catalogue_file(None, find_models(workflows=folder)).offers
    return next(each for each in offers if each.model == model and each.provider == "comfyui")


@dataclass(frozen=True, slots=True, kw_only=True)
class Comfy:
    """The client, wired to its fake; `folder` has the workflows."""

    server: ComfyServer
    client: httpx.AsyncClient
    provider: ComfyUI
    folder: Path

    @property
    def request(self) -> GenerationRequest:
        """Return an ordinary request."""
        return GenerationRequest(prompt=PROMPT, model=MODEL, aspect_ratio="16:9")

    def call(self, *, call_id: str = CALL_ID, model: str = MODEL, **changes: Any) -> Submission:
        """Return a call; `inputs` are those of the submission."""
        inputs = changes.pop("inputs", ())
        changes.setdefault("inputs", (INPUT,) * len(inputs))
        request = replace(self.request, **changes)
        return submission(request, offer_in(self.folder, model), inputs=inputs, call_id=call_id)

    async def accepted(self, **changes: Any) -> Pending:
        """Submit a call and return the accepted job."""
        answer = await self.provider.submit(self.call(**changes))
        assert isinstance(answer, Pending)
        return answer

    async def start(self) -> None:
        """Start the latest job, and return once it works."""
        job = self.server.advance()
        await self.server.wait_for(lambda: job.state is State.IN_PROGRESS and not job.needs_inputs)

    def another(self, *, url: str = "", key: str | None = None, progress: Progress | None = None) -> ComfyUI:
        """Return another client, as of another process or at another address."""
        http = SPEC.open_http(self.client, url or self.server.url, key)
        return ComfyUI(http, workflows=self.folder, progress=progress)

    def patient_at(self, url: str, seconds: float) -> ComfyUI:
        """Return a client at an address that waits for a limited time."""
        http = ProviderHttp(
            name="comfyui",
            base_url=url,
            key=None,
            client=self.client,
            rules=SPEC.rules,
            submit_read_timeout=seconds,
            read_timeout=seconds,
        )
        return ComfyUI(http, workflows=self.folder)
