"""OpenRouter: many makers' models behind one synchronous call.

Source: OpenRouter's pages "Image generation" and "Errors".
"""

from types import MappingProxyType
from typing import Any, Final

import httpx

from bot.domain.costs import Cost, CostSource, Currency, ProviderBalance, usd
from bot.domain.errors import FaultKind
from bot.domain.models import Offer
from bot.domain.requests import GenerationRequest, format_for
from bot.providers import inline_images
from bot.providers.base import Failed, Finished, LostCall, ProviderDefaults, Submission, SubmitAnswer
from bot.providers.error_mapping import REFUSALS
from bot.providers.http import MAX_INLINE_BYTES, SYNCHRONOUS_SECONDS, Answer, Call, HttpRules, ProviderHttp
from bot.providers.model_list import ListedModel
from bot.providers.parsing import amount_of, balance_in, error_code
from bot.providers.spec import ProviderSpec

USUAL_QUALITY: Final = "medium"
"""Sent to a model with qualities if the request names none, because the host's own choice may cost more."""

_KEY_PATH: Final = "/key"
_AUTO: Final = "auto"
# A failed call is not billed, so these refuse it as surely as a 400 does. The time-outs 408 and 524 are left out:
# minutes have passed, so another try would only keep the member waiting.
_FAILED_CALLS: Final = frozenset({413, 502, 529})
_KINDS: Final = MappingProxyType({408: FaultKind.SERVER_ERROR, 529: FaultKind.UNAVAILABLE})
_CONTENT_TYPES: Final = frozenset({"content_policy_violation", "refusal"})
_INPUT_TYPES: Final = frozenset(
    {"unsupported_image_format", "image_too_large", "image_too_small", "image_download_failed"}
)
# They name the refused parts of the prompt.
_MODERATION_KEYS: Final = frozenset({"reasons", "flagged_input", "patterns"})


class OpenRouter(ProviderDefaults):
    """The provider `openrouter`.

    It bills all or nothing: a call without a reply costs nothing, and its images are gone.
    """

    name: Final = "openrouter"
    is_synchronous = True

    def __init__(self, http: ProviderHttp) -> None:
        self._http = http

    def __repr__(self) -> str:
        """Return the class and how it is reached, without the key."""
        return f"OpenRouter({self._http!r})"

    async def submit(self, submission: Submission) -> SubmitAnswer:
        """Send the call, and return its images."""
        request = submission.request
        payload = _payload(submission)
        if submission.inputs:
            payload["input_references"] = [
                {"type": "image_url", "image_url": {"url": url}}
                for url in await inline_images.data_uris(submission.inputs)
            ]
        hide = (request.instruction,)
        answer = await self._http.submit("/images", payload, hide=hide)
        document = self._document(answer, hide)
        rows = document.get("data")
        rows = rows if isinstance(rows, list) else []
        files = await inline_images.decode(row.get("b64_json") for row in rows if isinstance(row, dict))
        cost = _cost(document.get("usage"))
        if files:
            return Finished(image_files=files, record_id=answer.record_id, cost=cost)
        return Failed(kind=FaultKind.NO_PICTURES, record_id=answer.record_id, cost=cost)

    async def find_lost(self, submission: Submission) -> LostCall:
        """Return NOT_BILLED: a call without a reply costs nothing."""
        del submission
        return LostCall.NOT_BILLED

    async def balance(self) -> ProviderBalance | None:
        """Read the money left for the key, or None if it has no limit."""
        document = (await self._http.read(_KEY_PATH)).document
        left = balance_in(document.get("data") if isinstance(document, dict) else None, "limit_remaining")
        return None if left is None else ProviderBalance(amount=left, currency=Currency.USD)

    def _document(self, answer: Answer, hide: tuple[str, ...]) -> dict[str, Any]:
        """Return the answer's object.

        Raises:
            ProviderError: It has an error in spite of its status, or no list of images.
        """
        if answer.fault is not None:
            raise answer.fault
        document = answer.document if isinstance(answer.document, dict) else {}
        if (code := error_code(_error(document).get("code"))) is not None:
            raise self._http.refusal(code, Call.SUBMIT, document=document, headers=answer.headers, hide=hide)
        if not isinstance(document.get("data"), list):
            raise self._http.error(FaultKind.MALFORMED, Call.SUBMIT, detail="no list of images", headers=answer.headers)
        return document


def _payload(submission: Submission) -> dict[str, Any]:
    """Return the body of a call with the parameters of the model.

    A fallback to another host of the model could cost more than the price that the member saw.
    """
    request, offer = submission.request, submission.offer
    payload: dict[str, Any] = {
        "model": offer.remote_model,
        "prompt": request.instruction,
        "provider": {"allow_fallbacks": False},
    }
    if submission.member_tag:
        payload["user"] = submission.member_tag
    if request.images > 1:
        payload["n"] = request.images
    if offer.abilities["seed"]:
        payload["seed"] = submission.seed if request.seed is None else request.seed
    return payload | _chosen(request, offer)


def _chosen(request: GenerationRequest, offer: Offer) -> dict[str, Any]:
    """Return the options among the model's parameters.

    A single aspect ratio is none of them.
    """
    chosen: dict[str, Any] = {}
    if len(offer.abilities["aspect_ratio"]) > 1 and request.aspect_ratio != _AUTO:
        chosen["aspect_ratio"] = request.aspect_ratio
    if (file_format := format_for(request, offer)) is not None:
        chosen["output_format"] = file_format
    if request.resolution is not None:
        chosen["resolution"] = request.resolution
    if request.transparent:
        chosen["background"] = "transparent"
    quality = request.quality or (USUAL_QUALITY if USUAL_QUALITY in offer.abilities["quality"] else None)
    if quality is not None:
        chosen["quality"] = quality
    return chosen


def _cost(usage: object) -> Cost | None:
    """Return the reported cost of a call, if any."""
    amount = amount_of(usage.get("cost")) if isinstance(usage, dict) else None
    return None if amount is None else usd(amount, CostSource.REPORTED)


def _error(document: object) -> dict[str, Any]:
    error = document.get("error") if isinstance(document, dict) else None
    return error if isinstance(error, dict) else {}


def _kind_of(status: int, document: object, headers: httpx.Headers) -> FaultKind | None:
    """Return the fault by the error's metadata."""
    del headers
    metadata = _error(document).get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    error_type = metadata.get("error_type")
    if status == httpx.codes.BAD_REQUEST and isinstance(error_type, str):
        # The files are in the call, so an input that "cannot be downloaded" is a bad one too.
        if error_type in _INPUT_TYPES:
            return FaultKind.INVALID
        return FaultKind.CONTENT if error_type in _CONTENT_TYPES else None
    if status == httpx.codes.FORBIDDEN and metadata.keys() & _MODERATION_KEYS:
        return FaultKind.CONTENT
    return _KINDS.get(status)


async def list_models(http: ProviderHttp) -> tuple[ListedModel, ...]:
    """Return the listed image models."""
    answer = await http.read("/images/models")
    models = answer.document.get("data") if isinstance(answer.document, dict) else None
    if answer.fault is not None or not isinstance(models, list):
        raise answer.fault or http.error(FaultKind.MALFORMED, Call.READ, detail="no models")
    ids = [model.get("id") for model in models if isinstance(model, dict)]
    return tuple(ListedModel(id=each) for each in ids if isinstance(each, str))


SPEC: Final = ProviderSpec(
    name=OpenRouter.name,
    display_name="OpenRouter",
    key_setting="openrouter_api_key",
    key_description="takes a key of OpenRouter",
    url_setting="openrouter_api_url",
    default_url="https://openrouter.ai/api/v1",
    probe_path=_KEY_PATH,
    build=OpenRouter,
    list_models=list_models,
    rules=HttpRules(
        refusals=REFUSALS | _FAILED_CALLS,
        kind_of=_kind_of,
        record_header="x-generation-id",
        submit_seconds=SYNCHRONOUS_SECONDS,
        max_bytes=MAX_INLINE_BYTES,
    ),
)
