"""SkillBoss: an asynchronous queue in front of makers' models.

Seed: "Reve Text-to-Image API". The page of Nano Banana Pro has the same calls with other inputs.
"""

from typing import Any, Final
from urllib.parse import quote

import structlog

from bot.domain.errors import FaultKind, ProviderError
from bot.domain.models import Offer
from bot.domain.requests import GenerationRequest, format_for
from bot.providers.base import (
    Cancelled,
    CancelOutcome,
    Failed,
    Finished,
    InputForm,
    Pending,
    ProviderDefaults,
    Status,
    Submission,
    SubmitAnswer,
)
from bot.providers.error_details import Reason, failure_kind, reason_of, refuses_content
from bot.providers.http import Answer, Call, ProviderHttp
from bot.providers.parsing import handle_of, image_urls
from bot.providers.redaction import is_code
from bot.providers.spec import ProviderSpec
from bot.providers.unknown_statuses import UnknownWords

# Seed: "Parameters", inputs.size. The page's first lines name `aspect_ratio` as well; exactly one is sent.
SIZES: Final = {"1:1": "1024x1024", "9:16": "1024x1792", "16:9": "1792x1024"}

GEMINI_SHAPE: Final = "gemini"
"""The inputs of Google's models; without a shape, those of the seed."""

_DEFAULT_IMAGE_SIZE: Final = "1K"
_CONFLICT: Final = 409
_NOT_FOUND: Final = 404
_CANCEL_ANSWERS: Final = frozenset({_CONFLICT, _NOT_FOUND})


class SkillBoss(ProviderDefaults):
    """The provider `skillboss`.

    It is always asynchronous, though an inline result is accepted too.
    """

    name: Final = "skillboss"
    takes_webhooks = True
    input_form = InputForm.URL

    def __init__(self, http: ProviderHttp) -> None:
        self._http = http
        self._unknown = UnknownWords(self.name, structlog.get_logger(__name__))

    def __repr__(self) -> str:
        """Return the class and how it is reached, without the key."""
        return f"SkillBoss({self._http!r})"

    async def submit(self, submission: Submission) -> SubmitAnswer:
        """Send the job (seed: "1. Submit"; "4. Webhook").

        When the answer's body is lost or no JSON, the job is known by the `x-request-id` header all the same.
        """
        request, offer, webhook_url = submission.request, submission.offer, submission.webhook_url
        secrets = tuple(each.provider_url for each in request.inputs if each.provider_url)
        if len(secrets) < len(request.inputs):  # never the original's address instead; nothing was sent
            raise ProviderError(FaultKind.INVALID, provider=self.name, detail="an input without an address")
        inputs = _gemini_inputs(request) if offer.shape == GEMINI_SHAPE else _reve_inputs(request, offer)
        payload: dict[str, object] = {"model": offer.remote_model, "async": True, "inputs": inputs}
        if webhook_url is not None:
            payload["webhook_url"] = webhook_url
            secrets = (*secrets, webhook_url)
        hide = (request.instruction, *secrets)
        answer = await self._http.submit("/v1/run", payload, hide=(request.instruction,), secrets=secrets)
        handle = handle_of(answer.headers.get("x-request-id"))
        if not isinstance(answer.document, dict):
            if handle is not None:
                return Pending(handle=handle, running=False, record_id=answer.record_id)
            raise answer.fault or self._http.error(FaultKind.MALFORMED, Call.SUBMIT, detail="not an object")
        handle = handle_of(answer.document.get("request_id")) or handle
        status = self._status(answer.document, handle, answer.record_id, hide=hide)
        if isinstance(status, Finished | Failed | Pending):
            return status
        if handle is not None:  # named, but with no status or an odd one: reading it tells
            return Pending(handle=handle, running=False, record_id=answer.record_id)
        raise self._http.error(
            FaultKind.MALFORMED, Call.SUBMIT, detail="neither a job nor pictures", headers=answer.headers
        )

    async def poll(self, handle: str, *, hide: tuple[str, ...] = ()) -> Status:
        """Read the status; an unknown job is NOT_FOUND.

        Seed: "2. Poll status".
        """
        answer = await self._http.read(f"/v1/run/status/{quote(handle, safe='')}", hide=hide)
        status = self._status(_object(answer), handle, answer.record_id, hide=hide) if answer.fault is None else None
        if status is None:
            raise answer.fault or self._http.error(FaultKind.MALFORMED, Call.READ, detail="no status")
        return status

    async def cancel(self, handle: str) -> CancelOutcome:
        """Ask to drop the job.

        Seed: "3. Cancel". Only an explicit `cancelled: true` cancels it.
        """
        answer = await self._http.cancel(f"/v1/run/cancel/{quote(handle, safe='')}", answers=_CANCEL_ANSWERS)
        if answer.status == _CONFLICT:
            return CancelOutcome.STARTED
        if answer.status == _NOT_FOUND:
            return CancelOutcome.UNKNOWN_JOB
        return CancelOutcome.CANCELLED if _object(answer).get("cancelled") is True else CancelOutcome.READ_AGAIN

    def parse_webhook(self, body: object) -> str | None:
        """Return the `request_id`; OK and ERROR bodies alike have it.

        Seed: "4. Webhook", "Payload format".
        """
        return handle_of(body.get("request_id")) if isinstance(body, dict) else None

    def _status(
        self, body: dict[str, Any], handle: str | None, record_id: str | None, *, hide: tuple[str, ...]
    ) -> Status | None:
        """Return the job's state in an answer; None if it has none.

        The result is the same at the top of a synchronous answer and under `result` of a status.
        """
        word = body.get("status")
        word = word.upper() if isinstance(word, str) else None
        urls = tuple(dict.fromkeys((*image_urls(body), *image_urls(body.get("result")))))
        if urls and word in {"COMPLETED", None}:
            return Finished(image_urls=urls, handle=handle, record_id=record_id)
        if word == "COMPLETED":
            reason = _finish_reason(body)
            kind = FaultKind.CONTENT if refuses_content(reason.without(hide)) else FaultKind.NO_PICTURES
            return Failed(kind=kind, detail=self._http.detail(reason, hide), handle=handle, record_id=record_id)
        if word == "FAILED":
            reason = reason_of(body)
            kind = failure_kind(reason.without(hide))
            return Failed(kind=kind, detail=self._http.detail(reason, hide), handle=handle, record_id=record_id)
        return None if handle is None or word is None else self._unfinished(word, handle, record_id, hide)

    def _unfinished(self, word: str, handle: str, record_id: str | None, hide: tuple[str, ...]) -> Pending | Cancelled:
        if word == "CANCELLED":
            return Cancelled(handle=handle)
        if word not in {"IN_QUEUE", "IN_PROGRESS"}:
            self._unknown.log_once(self._http.status_word(word, hide))
        return Pending(handle=handle, running=word != "IN_QUEUE", record_id=record_id)


def _reve_inputs(request: GenerationRequest, offer: Offer) -> dict[str, object]:
    """Return the inputs of the seed.

    Raises:
        ProviderError: The offer does not cover the aspect ratio, so the request should not be here. Nothing was sent.
    """
    size = SIZES.get(request.aspect_ratio)
    if size is None:
        raise ProviderError(FaultKind.INVALID, provider=SkillBoss.name, detail="no size for this aspect ratio")
    inputs: dict[str, object] = {
        "prompt": request.instruction,
        "size": size,
        "n": request.images,
    }
    if (file_format := format_for(request, offer)) is not None:
        inputs["output_format"] = file_format
    return inputs


def _gemini_inputs(request: GenerationRequest) -> dict[str, object]:
    """Return the inputs of one image by a model of Google."""
    return {
        "prompt": request.instruction,
        "image_urls": [each.provider_url for each in request.inputs],
        "image_size": request.resolution or _DEFAULT_IMAGE_SIZE,
        "aspect_ratio": request.aspect_ratio,
    }


def _object(answer: Answer) -> dict[str, Any]:
    return answer.document if isinstance(answer.document, dict) else {}


def _finish_reason(body: dict[str, Any]) -> Reason:
    result = body.get("result")
    reason = result.get("finish_reason") if isinstance(result, dict) else None
    return Reason(codes=(reason,)) if is_code(reason) else reason_of(reason)


SPEC: Final = ProviderSpec(
    name=SkillBoss.name,
    display_name="SkillBoss",
    key_setting="skillboss_wholesale_key",
    key_description="takes a SkillBoss wholesale key",
    url_setting="skillboss_api_url",
    default_url="https://api.skillboss.co",
    probe_path="/v1/run/status/atelier-doctor",
    build=SkillBoss,
    needs_public_webhooks=True,
    can_cancel=True,
    shapes=("", GEMINI_SHAPE),
    picture_hosts=("assets.skillboss.co",),
)
