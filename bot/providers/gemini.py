"""Gemini's image models: one image a call, in the answer.

Source: Google's pages "Image generation" and "Troubleshooting" of the Gemini API.
"""

import math
import re
from collections.abc import Iterator
from typing import Any, Final

import httpx

from bot.domain.costs import Cost, CostSource, usd
from bot.domain.errors import FaultKind, ProviderError
from bot.domain.models import TokenPrices
from bot.domain.requests import GenerationRequest
from bot.providers import inline_images
from bot.providers.base import Failed, Finished, InputFile, ProviderDefaults, Submission, SubmitAnswer
from bot.providers.error_details import Reason
from bot.providers.error_mapping import MAX_RETRY_AFTER
from bot.providers.http import MAX_INLINE_BYTES, SYNCHRONOUS_SECONDS, Call, HttpRules, ProviderHttp
from bot.providers.model_list import ListedModel
from bot.providers.parsing import handle_of
from bot.providers.redaction import is_code
from bot.providers.spec import ProviderSpec

MAX_INLINE_INPUT_BYTES: Final = 100 * 1024 * 1024
"""Of all input images of a call together, in base64."""

_AUTO: Final = "auto"
_MILLION: Final = 1_000_000
_MOST_TOKENS: Final = 100_000_000
_IMAGE: Final = "IMAGE"
_REFUSED: Final = frozenset(
    {
        "SAFETY",
        "IMAGE_SAFETY",
        "PROHIBITED_CONTENT",
        "IMAGE_PROHIBITED_CONTENT",
        "BLOCKLIST",
        "SPII",
        "RECITATION",
        "IMAGE_RECITATION",
    }
)
# The model drew nothing, but refused nothing either.
_WITHOUT_IMAGE: Final = frozenset({"STOP", "NO_IMAGE", ""})
_SECONDS: Final = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)s")
# A call that broke off inside the model may be billed, so no 5xx is among them.
_REFUSALS: Final = frozenset({400, 401, 402, 403, 404, 413, 429})


class Gemini(ProviderDefaults):
    """The provider `gemini`.

    A refusal is a successful answer with a reason. A lost reply is billed, and its image gone.
    """

    name: Final = "gemini"
    is_synchronous = True

    def __init__(self, http: ProviderHttp) -> None:
        self._http = http

    def __repr__(self) -> str:
        """Return the class and how it is reached, without the key."""
        return f"Gemini({self._http!r})"

    async def submit(self, submission: Submission) -> SubmitAnswer:
        """Send the call, and return its image.

        Raises:
            ProviderError: The inputs are too large for a call, so none was sent; or as usual.
        """
        request, offer = submission.request, submission.offer
        if sum(_encoded_length(each) for each in submission.inputs) > MAX_INLINE_INPUT_BYTES:
            raise ProviderError(FaultKind.INVALID, provider=self.name, detail="inputs too large for one call")
        hide = (request.instruction,)
        answer = await self._http.submit(
            f"/models/{offer.remote_model}:generateContent", await _payload(request, submission.inputs), hide=hide
        )
        if answer.fault is not None:
            raise answer.fault
        document = answer.document if isinstance(answer.document, dict) else {}
        candidates, feedback = document.get("candidates"), _object(document.get("promptFeedback"))
        if not isinstance(candidates, list) and not feedback:
            raise self._http.error(FaultKind.MALFORMED, Call.SUBMIT, detail="no candidates", headers=answer.headers)
        listed = [_object(each) for each in candidates] if isinstance(candidates, list) else []
        files = await inline_images.decode(list(_images(listed)))
        record_id = handle_of(document.get("responseId"))
        cost = _cost(_object(document.get("usageMetadata")), offer.token_prices)
        if files:
            return Finished(image_files=files, record_id=record_id, cost=cost)
        reason = next((word for each in listed if isinstance(word := each.get("finishReason"), str)), "")
        blocked = feedback.get("blockReason")
        kind = FaultKind.CONTENT if isinstance(blocked, str) else _kind_of_finish(reason)
        code = blocked if isinstance(blocked, str) else reason
        detail = self._http.detail(Reason(codes=(code,) if is_code(code) else ()), hide)
        return Failed(kind=kind, detail=detail, record_id=record_id, cost=cost)


async def _payload(request: GenerationRequest, inputs: tuple[InputFile, ...]) -> dict[str, Any]:
    """Return the body of a call; without a ratio, it is the last input's."""
    image: dict[str, str] = {}
    if request.aspect_ratio != _AUTO:
        image["aspectRatio"] = request.aspect_ratio
    if request.resolution is not None:
        image["imageSize"] = request.resolution
    parts: list[dict[str, Any]] = [{"text": request.instruction}]
    for file, data in zip(inputs, await inline_images.encode(inputs), strict=True):
        parts.append({"inlineData": {"mimeType": file.media_type, "data": data}})
    config: dict[str, Any] = {"responseModalities": ["TEXT", _IMAGE]}
    if image:
        config["imageConfig"] = image
    return {"contents": [{"role": "user", "parts": parts}], "generationConfig": config}


def _encoded_length(file: InputFile) -> int:
    return math.ceil(len(file.data) / 3) * 4


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _images(candidates: list[dict[str, Any]]) -> Iterator[object]:
    """Yield the images in base64, without the drafts among the thoughts."""
    for candidate in candidates:
        parts = _object(candidate.get("content")).get("parts")
        for part in parts if isinstance(parts, list) else []:
            found = _object(part)
            if found.get("thought") is not True:
                yield _object(found.get("inlineData")).get("data")


def _kind_of_finish(reason: str) -> FaultKind:
    if reason in _REFUSED:
        return FaultKind.CONTENT
    return FaultKind.NO_PICTURES if reason in _WITHOUT_IMAGE else FaultKind.GENERATION


def _cost(usage: dict[str, Any], prices: TokenPrices | None) -> Cost | None:
    """Return the dollars of the tokens, or None without an image's."""
    made = _of_modality(usage.get("candidatesTokensDetails"), _IMAGE)
    if prices is None or not made:
        return None
    given = _count(usage.get("promptTokenCount"))
    of_images = min(given, _of_modality(usage.get("promptTokensDetails"), _IMAGE))
    amount = prices.text_in * (given - of_images) + prices.image_in * of_images + prices.image_out * made
    return usd(amount / _MILLION, CostSource.COMPUTED)


def _of_modality(details: object, modality: str) -> int:
    """Return the tokens of a modality in a list of details."""
    rows = [_object(row) for row in details] if isinstance(details, list) else []
    return min(sum(_count(row.get("tokenCount")) for row in rows if row.get("modality") == modality), _MOST_TOKENS)


def _count(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MOST_TOKENS else 0


def _details(document: object) -> list[dict[str, Any]]:
    """Return the details of an error: each has its own type."""
    details = _object(_object(document).get("error")).get("details")
    return [_object(each) for each in details] if isinstance(details, list) else []


def _kind_of(status: int, document: object, headers: httpx.Headers) -> FaultKind | None:
    """Return the fault by the error's status word and details."""
    error = _object(_object(document).get("error"))
    if status == httpx.codes.BAD_REQUEST and any(
        each.get("reason") == "API_KEY_INVALID" for each in _details(document)
    ):
        return FaultKind.KEY_REJECTED
    if status == httpx.codes.BAD_REQUEST and error.get("status") == "FAILED_PRECONDITION":
        # Billing is off, or the API does not serve this country: no prompt would do better.
        message = error.get("message")
        is_billing = isinstance(message, str) and "billing" in message.lower()
        return FaultKind.ACCOUNT_EMPTY if is_billing else FaultKind.MODEL_UNAVAILABLE
    if status == httpx.codes.FORBIDDEN:
        return FaultKind.KEY_REJECTED  # whatever its words: refusals of content are successful answers
    if status == httpx.codes.TOO_MANY_REQUESTS:
        # The quota of a project without money is 0, so there is no time to wait for.
        can_wait = "retry-after" in headers or _wait_of(headers, document) is not None
        return FaultKind.RATE_LIMITED if can_wait else FaultKind.ACCOUNT_EMPTY
    return None


def _wait_of(headers: httpx.Headers, document: object) -> float | None:
    """Return the seconds of RetryInfo, such as "37s"."""
    del headers
    for each in _details(document):
        delay = each.get("retryDelay")
        if isinstance(delay, str) and (found := _SECONDS.fullmatch(delay)):
            return min(float(found[1]), MAX_RETRY_AFTER)
    return None


async def list_models(http: ProviderHttp) -> tuple[ListedModel, ...]:
    """Return the models of the key's project."""
    answer = await http.read("/models", {"pageSize": "1000"})
    models = _object(answer.document).get("models")
    if answer.fault is not None or not isinstance(models, list):
        raise answer.fault or http.error(FaultKind.MALFORMED, Call.READ, detail="no models")
    names = [name for each in models if isinstance(name := _object(each).get("name"), str)]
    return tuple(ListedModel(id=name.removeprefix("models/")) for name in names)


SPEC: Final = ProviderSpec(
    name=Gemini.name,
    display_name="Gemini",
    key_setting="gemini_api_key",
    key_description="takes a key of Google AI Studio",
    url_setting="gemini_api_url",
    default_url="https://generativelanguage.googleapis.com/v1beta",
    probe_path="/models",
    build=Gemini,
    list_models=list_models,
    rules=HttpRules(
        key_header="x-goog-api-key",
        key_prefix="",
        refusals=_REFUSALS,
        kind_of=_kind_of,
        wait_of=_wait_of,
        submit_seconds=SYNCHRONOUS_SECONDS,
        max_bytes=MAX_INLINE_BYTES,
    ),
)
