"""Fake of Gemini's image models over generateContent."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from math import ceil
from typing import Any, ClassVar, Final

from aiohttp import web

from sandbox.providers.cases import Case
from sandbox.providers.faults import Endpoint, Fault
from sandbox.providers.fields import FieldError
from sandbox.providers.gemini.cases import CASES, KEY_INVALID, PREPAY_EMPTY, error_body
from sandbox.providers.gemini.requests import MODELS, Call, Model, load_inputs, parse_call, pixels
from sandbox.providers.job_store import Job, JobRequest
from sandbox.providers.recording import RecordedRequest
from sandbox.providers.server import RequestError
from sandbox.providers.synchronous import SynchronousServer, case_error

_THOUGHT_TOKENS: Final = 96
_INPUT_IMAGE_TOKENS: Final = 560
_CHARS_PER_TOKEN: Final = 4
_MILLION: Final = 1_000_000
_GENERATE: Final = "generateContent"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tokens:
    """The tokens of a call; thoughts cost nothing here."""

    prompt: int
    image: int
    thoughts: int = _THOUGHT_TOKENS

    def cost(self, model: Model) -> Decimal:
        """Return the US dollars."""
        return (self.prompt * model.input_price + self.image * model.output_price) / _MILLION

    def as_json(self) -> dict[str, Any]:
        """Return the documented `usageMetadata`."""
        return {
            "promptTokenCount": self.prompt,
            "candidatesTokenCount": self.image,
            "thoughtsTokenCount": self.thoughts,
            "totalTokenCount": self.prompt + self.image + self.thoughts,
            "candidatesTokensDetails": [{"modality": "IMAGE", "tokenCount": self.image}] if self.image else [],
        }


class GeminiServer(SynchronousServer):
    """Fake of Gemini: one picture a call, refusals in a 200, a thought first.

    A picture is billed once it is drawn, although its reply may get lost.
    """

    cases: ClassVar[Mapping[str, Case]] = CASES
    max_body_bytes = 160 * 1024 * 1024
    reads_heif = True

    def routes(self) -> list[web.RouteDef]:
        """Return the routes for calls and the list of models."""
        return [
            web.get("/v1beta/models", self.handler(Endpoint.MODELS, self._models)),
            web.post("/v1beta/models/{call}", self.handler(Endpoint.SUBMIT, self._generate)),
        ]

    def error_response(self, status: int, message: str | None, *, in_envelope: bool = False) -> web.Response:  # noqa: ARG002 - the signature of all fakes
        """Return an error in the envelope of the API."""
        return web.json_response(error_body(status, message or "Error."), status=status)

    def request_key(self, record: RecordedRequest) -> str:
        """Return the key of its header."""
        return record.headers.get("x-goog-api-key", "")

    def key_error(self, key: str) -> RequestError:
        """Return the error for a wrong key (400), or for none (403)."""
        if key:
            return case_error(KEY_INVALID)
        return RequestError(403, "Method doesn't allow unregistered callers.")

    def prompt_of(self, record: RecordedRequest) -> str:
        """Return the first text of a call."""
        try:
            return str(record.body["contents"][0]["parts"][0]["text"])
        except (KeyError, IndexError, TypeError):
            return ""

    async def _models(self, _: web.Request, __: RecordedRequest, ___: str, ____: Fault | None) -> web.StreamResponse:
        rows = [
            {"name": f"models/{name}", "displayName": name, "supportedGenerationMethods": [_GENERATE]}
            for name in MODELS
        ]
        return web.json_response({"models": rows})

    async def _generate(
        self, request: web.Request, record: RecordedRequest, account: str, fault: Fault | None
    ) -> web.StreamResponse:
        name, _, method = request.match_info["call"].rpartition(":")
        model = MODELS.get(name)
        if model is None or method != _GENERATE:
            raise RequestError(404, f"models/{name} is not found for API version v1beta.")
        try:
            call = parse_call(model, record.body)
            inputs = await load_inputs(call, self.inputs)
        except FieldError as error:
            raise RequestError(400, str(error)) from error
        delivered = fault is None or fault.case not in ("nothing", "only_thoughts")
        prompt_tokens = ceil(len(call.prompt) / _CHARS_PER_TOKEN) + _INPUT_IMAGE_TOKENS * len(inputs)
        tokens = _Tokens(prompt=prompt_tokens, image=model.tokens[call.size] if delivered else 0)
        width, height = pixels(call, inputs)
        job_request = JobRequest(
            prompt=call.prompt,
            model=name,
            images=1 if delivered else 0,
            width=width,
            height=height,
            format="png",
            cost=tokens.cost(model),
        )
        if not self.store.can_pay(job_request.cost):
            raise case_error(PREPAY_EMPTY)
        job = await self.run_job(job_request, account, fault, inputs=inputs)
        return web.json_response(await self._reply(job, call, tokens, fault))

    async def _reply(self, job: Job, call: Call, tokens: _Tokens, fault: Fault | None) -> dict[str, Any]:
        """Return a candidate with thoughts, a text and the picture."""
        parts: list[dict[str, Any]] = []
        if fault is None or fault.case != "nothing":
            parts.append({"text": "A first composition.", "thought": True})
            parts.append({**_inline(await self.draw_partial(job)), "thought": True})
        if call.texts:
            parts.append({"text": "Here is your picture."})
        parts.extend(_inline(picture) for picture in job.pictures)
        return {
            "candidates": [{"content": {"role": "model", "parts": parts}, "finishReason": "STOP", "index": 0}],
            "usageMetadata": tokens.as_json(),
            "modelVersion": job.request.model,
            "responseId": job.id,
        }


def _inline(picture: bytes) -> dict[str, Any]:
    return {"inlineData": {"mimeType": "image/png", "data": base64.b64encode(picture).decode()}}
