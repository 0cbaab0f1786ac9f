"""reve2img: four models behind one call, with credits.

Seed: "Image Models".
"""

from typing import Any, Final

import structlog

from bot.domain.costs import Cost, CostSource, Currency
from bot.domain.errors import FaultKind, ProviderError
from bot.domain.fit import Fit
from bot.domain.models import Offer
from bot.domain.requests import GenerationRequest, format_for
from bot.providers.base import (
    Failed,
    Finished,
    InputForm,
    Pending,
    ProviderDefaults,
    Submission,
    SubmitAnswer,
)
from bot.providers.error_details import failure_kind, reason_of, words_of
from bot.providers.http import Answer, Call, ProviderHttp
from bot.providers.parsing import amount_of, error_code, handle_of, image_urls
from bot.providers.spec import ProviderSpec
from bot.providers.unknown_statuses import UnknownWords


class Reve2Img(ProviderDefaults):
    """The provider `reve2img`.

    Its envelope has a separate `code`, checked besides the HTTP status.
    """

    name: Final = "reve2img"
    input_form = InputForm.URL

    def __init__(self, http: ProviderHttp) -> None:
        self._http = http
        self._unknown = UnknownWords(self.name, structlog.get_logger(__name__))

    def __repr__(self) -> str:
        """Return the class and how it is reached, without the key."""
        return f"Reve2Img({self._http!r})"

    async def submit(self, submission: Submission) -> SubmitAnswer:
        """Send the job; a model may answer with the images at once.

        Seed: "Text-to-image", "Image-to-image".
        """
        request = submission.request
        secrets = tuple(each.provider_url for each in request.inputs if each.provider_url)
        if len(secrets) < len(request.inputs):  # never the original's address instead; nothing was sent
            raise ProviderError(FaultKind.INVALID, provider=self.name, detail="an input without an address")
        hide = (request.instruction,)
        payload = _payload(request, submission.offer)
        answer = await self._http.submit("/api/v1/generate", payload, hide=hide, secrets=secrets)
        return self._status(answer, Call.SUBMIT, None, hide=hide, secrets=secrets)

    async def poll(self, handle: str, *, hide: tuple[str, ...] = ()) -> SubmitAnswer:
        """Read the status (seed: "Then poll /api/v1/status until SUCCESS")."""
        answer = await self._http.read("/api/v1/status", {"task_id": handle}, hide=hide)
        return self._status(answer, Call.READ, handle, hide=hide)

    def _status(
        self,
        answer: Answer,
        call: Call,
        handle: str | None,
        *,
        hide: tuple[str, ...],
        secrets: tuple[str, ...] = (),
    ) -> SubmitAnswer:
        """Return the job's state in an answer.

        Raises:
            ProviderError: The `code` or the form of the answer is a fault.
        """
        if answer.fault is not None:
            raise answer.fault
        body = answer.document if isinstance(answer.document, dict) else {}
        if (code := error_code(body.get("code"))) is not None:
            raise self._http.refusal(
                code, call, document=_reason(body), headers=answer.headers, hide=hide, secrets=secrets
            )
        data = body.get("data")
        data = data if isinstance(data, dict) else {}
        handle = handle or handle_of(data.get("task_id"))
        cost = _cost(data.get("consumed_credits"))
        urls = image_urls(data.get("response"))
        word = data.get("status")
        match word.upper() if isinstance(word, str) else None:
            case "SUCCESS" | None if urls:
                return Finished(image_urls=urls, handle=handle, record_id=answer.record_id, cost=cost)
            case "SUCCESS":
                return Failed(kind=FaultKind.NO_PICTURES, handle=handle, record_id=answer.record_id, cost=cost)
            case "FAILED":
                reason = reason_of(_reason(body))
                return Failed(
                    kind=failure_kind(reason.without(hide)),
                    detail=self._http.detail(reason, (*hide, *secrets)),
                    handle=handle,
                    record_id=answer.record_id,
                    cost=cost,
                )
            case "IN_PROGRESS" if handle is not None:
                return Pending(handle=handle, running=True, record_id=answer.record_id, cost=cost)
            case str() as unknown if handle is not None:
                self._unknown.log_once(self._http.status_word(unknown, (*hide, *secrets)))
                return Pending(handle=handle, running=True, record_id=answer.record_id, cost=cost)
            case None if call is Call.SUBMIT and handle is not None:
                return Pending(handle=handle, running=True, record_id=answer.record_id, cost=cost)
            case _:
                raise self._http.error(
                    FaultKind.MALFORMED, call, detail="no task", status=answer.status, headers=answer.headers
                )


def _cost(value: object) -> Cost | None:
    """Return the cost of a job in reve2img's credits, if given."""
    amount = amount_of(value)
    return None if amount is None else Cost(amount=amount, currency=Currency.CREDITS, source=CostSource.REPORTED)


def _payload(request: GenerationRequest, offer: Offer) -> dict[str, object]:
    """Return the body of a call, with the chosen options only.

    Seed: "Parameters". `image_urls` makes the call an edit.
    """
    payload: dict[str, object] = {
        "model": offer.remote_model,
        "prompt": request.instruction,
        "aspect_ratio": request.aspect_ratio,
        "num_images": request.images,
    }
    if (file_format := format_for(request, offer)) is not None:
        payload["output_format"] = file_format
    if request.inputs:
        payload["image_urls"] = [each.provider_url for each in request.inputs]
    if request.resolution is not None:
        payload["resolution"] = request.resolution
    if request.detail > 1:
        payload["test_time_scaling"] = request.detail
    if request.version is not None:
        payload["version"] = request.version
    return payload | _processing(request)


def _processing(request: GenerationRequest) -> dict[str, object]:
    """Return the post-processing of finished images.

    The flat fields are used if they suffice, else the list, never both. In the list the size comes last, so
    that it is the size of the delivered image. The effect comes first, so that it does not paint on a removed
    background.
    """
    if request.fit is None and request.effect is None:
        flat: dict[str, object] = {}
        if request.upscale is not None:
            flat |= {"upscale": "enabled", "upscale_factor": request.upscale}
        if request.remove_background:
            flat["remove_background"] = True
        return flat
    steps: list[dict[str, object]] = []
    if request.effect is not None:
        steps.append({"process": "effect", "effect_name": request.effect})
    if request.upscale is not None:
        steps.append({"process": "upscale", "upscale_factor": request.upscale})
    if request.remove_background:
        steps.append({"process": "remove_background"})
    if request.fit is not None:
        steps.append({"process": "fit_image", **_box(request.fit)})
    return {"postprocessing": steps}


def _box(fit: Fit) -> dict[str, object]:
    limits = {"max_dim": fit.longest, "max_width": fit.width, "max_height": fit.height}
    return {name: limit for name, limit in limits.items() if limit is not None}


def _reason(body: dict[str, Any]) -> object:
    """Return the first of task, response and envelope with a reason."""
    data = body.get("data")
    response = data.get("response") if isinstance(data, dict) else None
    places = (data, response if isinstance(response, dict) else None, body.get("error"), body.get("message"))
    return next((place for place in places if words_of(place)), None)


SPEC: Final = ProviderSpec(
    name=Reve2Img.name,
    display_name="reve2img",
    key_setting="reve2img_api_key",
    key_description="takes a reve2img key",
    url_setting="reve2img_api_url",
    default_url="https://reve2img.com",
    probe_path="/api/v1/status?task_id=atelier-doctor",
    build=Reve2Img,
)
