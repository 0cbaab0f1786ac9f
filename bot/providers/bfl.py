"""Black Forest Labs: FLUX models behind a queue.

Contract: docs.bfl.ai, "API Integration", "FLUX 3", "Webhooks".
"""

import hashlib
import hmac
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
import structlog

from bot.domain.costs import Cost, CostSource, Currency, ProviderBalance, usd
from bot.domain.errors import FaultKind, ProviderError
from bot.domain.requests import GenerationRequest, format_for
from bot.providers.base import Failed, Finished, Pending, ProviderDefaults, Submission, SubmitAnswer
from bot.providers.error_details import Reason, failure_kind, reason_of
from bot.providers.error_mapping import REFUSALS
from bot.providers.http import Call, HttpRules, ProviderHttp
from bot.providers.inline_images import encode
from bot.providers.parsing import amount_of, balance_in, image_urls
from bot.providers.pixel_sizes import pixels
from bot.providers.spec import ProviderSpec
from bot.providers.unknown_statuses import UnknownWords

FLUX_3: Final = "flux-3"
FLUX_2: Final = "flux-2"

_BALANCE_PATH: Final = "/v1/credits"
_RESULT_PATH: Final = "/v1/get_result"
_MODEL: Final = re.compile(r"[a-z0-9][a-z0-9.-]{0,63}")
_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")
# A task is polled where its reply says so; the key goes to hosts of this form alone.
_POLLING_HOST: Final = re.compile(r"api(?:\.[a-z0-9-]+)?\.bfl\.(?:ai|ml)")
_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})
_ERRORS: Final = frozenset(range(400, 600))
_EDGE: Final = 1024
_CREDITS_PER_USD: Final = 100
_SIGNATURE: Final = "x-bfl-signature"
_REASONS: Final = "Moderation Reasons"


class Bfl(ProviderDefaults):
    """The provider `bfl`.

    The handle of a task is its polling URL; of a task with a webhook, which has none, its id.
    """

    name: Final = "bfl"
    takes_webhooks = True

    def __init__(self, http: ProviderHttp) -> None:
        self._http = http
        self._unknown = UnknownWords(self.name, structlog.get_logger(__name__))

    def __repr__(self) -> str:
        """Return the class and how it is reached, without the key."""
        return f"Bfl({self._http!r})"

    async def submit(self, submission: Submission) -> SubmitAnswer:
        """Send the task; FLUX 3 takes no webhook."""
        offer, url = submission.offer, submission.webhook_url
        if offer.shape not in SHAPES or not _MODEL.fullmatch(offer.remote_model):  # nothing was sent
            raise ProviderError(FaultKind.INVALID, provider=self.name, detail="no model for this request")
        if offer.shape == FLUX_2 and not _has_pixels(submission.request):
            raise ProviderError(FaultKind.INVALID, provider=self.name, detail="no size for this request")
        images = await encode(submission.inputs)
        body = _flux_3(submission, images) if offer.shape == FLUX_3 else _flux_2(submission, images)
        secrets: tuple[str, ...] = ()
        if url is not None and offer.shape == FLUX_2:
            secrets = (url, webhook_secret(url))
            body |= {"webhook_url": url, "webhook_secret": secrets[1]}
        hide = (submission.request.instruction,)
        answer = await self._http.submit(f"/v1/{offer.remote_model}", body, hide=hide, secrets=secrets)
        document = answer.document if isinstance(answer.document, dict) else {}
        task_id, polling_url = _task_id(document), document.get("polling_url")
        handle = polling_url if isinstance(polling_url, str) and self._split(polling_url) else task_id
        if handle is None:
            raise answer.fault or self._http.error(
                FaultKind.MALFORMED, Call.SUBMIT, detail="no task", headers=answer.headers
            )
        return Pending(handle=handle, running=False, record_id=task_id, cost=_cost(document))

    async def poll(self, handle: str, *, hide: tuple[str, ...] = ()) -> SubmitAnswer:
        """Read the task; its status counts even in an HTTP error."""
        found = self._split(handle)
        if found is None:
            raise ProviderError(FaultKind.NOT_FOUND, provider=self.name)
        base, task_id = found
        host = self._http if base == self._http.base_url else self._http.at(base)
        answer = await host.read_url(f"{base}{_RESULT_PATH}?id={task_id}", hide=hide, answers=_ERRORS)
        document = answer.document if isinstance(answer.document, dict) else {}
        word = document.get("status")
        if not isinstance(word, str):
            if answer.status in _ERRORS:
                raise self._http.refusal(
                    answer.status, Call.READ, document=answer.document, headers=answer.headers, hide=hide
                )
            raise answer.fault or self._http.error(FaultKind.MALFORMED, Call.READ, detail="no status")
        return self._status(word, document, handle, hide=hide)

    async def verify_webhook(self, url: str, headers: Mapping[str, str], body: bytes) -> bool:
        """Return whether the body is signed with the secret of its address."""
        sent = next((value for name, value in headers.items() if name.lower() == _SIGNATURE), "")
        signature = hmac.new(webhook_secret(url).encode(), body, hashlib.sha256).hexdigest()
        return hmac.compare_digest(sent.encode(errors="replace"), f"sha256={signature}".encode())

    def parse_webhook(self, body: object) -> str | None:
        """Return the task's id, the handle of a task with a webhook."""
        return _task_id(body) if isinstance(body, dict) else None

    async def balance(self) -> ProviderBalance | None:
        """Read the account's credits, which are cents."""
        credits_left = balance_in((await self._http.read(_BALANCE_PATH)).document, "credits")
        if credits_left is None:
            return None
        return ProviderBalance(amount=credits_left / _CREDITS_PER_USD, currency=Currency.USD)

    def _status(
        self, word: str, document: Mapping[str, Any], handle: str, *, hide: tuple[str, ...]
    ) -> Pending | Finished | Failed:
        """Return the state of a task.

        Raises:
            ProviderError: NOT_FOUND if the task is unknown.
        """
        record_id, cost = _task_id(document), _cost(document)
        match word.casefold():
            case "ready":
                result = document.get("result")
                urls = image_urls([result.get("sample")]) if isinstance(result, dict) else ()
                if urls:
                    return Finished(image_urls=urls, handle=handle, record_id=record_id, cost=cost)
                return Failed(kind=FaultKind.NO_PICTURES, handle=handle, record_id=record_id, cost=cost)
            case "request moderated" | "content moderated":
                reason = _moderation(document)
                return self._failed(FaultKind.CONTENT, reason, handle, record_id, cost, hide=hide)
            case "error":
                reason = reason_of(document.get("details"))
                kind = failure_kind(reason.without(hide))
                return self._failed(kind, reason, handle, record_id, cost, hide=hide)
            case "pending":
                return Pending(handle=handle, running=False, record_id=record_id, cost=cost)
            case "task not found":
                raise self._http.error(FaultKind.NOT_FOUND, Call.READ, detail="task not found")
            case "reasoning" | "generating":
                pass
            case _:
                self._unknown.log_once(self._http.status_word(word, hide))
        percent = _percent(document)
        return Pending(handle=handle, running=True, record_id=record_id, percent=percent, cost=cost)

    def _failed(
        self,
        kind: FaultKind,
        reason: Reason,
        handle: str,
        record_id: str | None,
        cost: Cost | None,
        *,
        hide: tuple[str, ...],
    ) -> Failed:
        """Return a failure; a refused output may be billed."""
        return Failed(kind=kind, detail=self._http.detail(reason, hide), handle=handle, record_id=record_id, cost=cost)

    def _split(self, handle: str) -> tuple[str, str] | None:
        """Return the host and the id of a handle, or None if it is strange.

        An id alone belongs to the configured host.
        """
        if _ID.fullmatch(handle):
            return self._http.base_url, handle
        base, mark, task_id = handle.partition(f"{_RESULT_PATH}?id=")
        if not mark or not _ID.fullmatch(task_id) or not handle.isascii():
            return None
        return (base, task_id) if base == self._http.base_url or self._is_polling_host(base) else None

    def _is_polling_host(self, base: str) -> bool:
        """Return whether an address is a host of the API, without a path.

        With the API on this machine, so are its other ports. The key of a gateway goes to no host of BFL.
        """
        try:
            parts, own = urlsplit(base), urlsplit(self._http.base_url)
            is_local = own.hostname in _LOOPBACK and base == f"http://{parts.hostname}:{parts.port}"
        except ValueError:
            return False
        if parts.hostname in _LOOPBACK:
            return is_local
        return _is_bfl(base) and _is_bfl(self._http.base_url)


def _is_bfl(base: str) -> bool:
    return base.startswith("https://") and _POLLING_HOST.fullmatch(base.removeprefix("https://")) is not None


def webhook_secret(url: str) -> str:
    """Derive the secret of a webhook from its address.

    Only BFL and we know the address.
    """
    return hashlib.sha256(f"bfl-webhook:{url}".encode()).hexdigest()


def _has_pixels(request: GenerationRequest) -> bool:
    """Return whether FLUX.2 can make the size.

    A file of models may give an offer more sizes.
    """
    return ":" in request.aspect_ratio and request.resolution in {None, "1K"}


def _flux_3(submission: Submission, images: list[str]) -> dict[str, object]:
    """Return the body for FLUX 3; unknown fields are refused.

    `grounding` would search the web for the prompt.
    """
    request = submission.request
    body: dict[str, object] = {
        "prompt": request.instruction,
        "aspect_ratio": request.aspect_ratio,
        "grounding": False,
    }
    if request.resolution is not None:
        body["resolution"] = request.resolution.lower()
    if images:
        body["images"] = images
    return body


def _flux_2(submission: Submission, images: list[str]) -> dict[str, object]:
    """Return the body for the models of FLUX.2."""
    request = submission.request
    width, height = pixels(request.aspect_ratio, _EDGE)
    names = ("input_image", *(f"input_image_{at}" for at in range(2, len(images) + 1)))
    body: dict[str, object] = {
        "prompt": request.instruction,
        "width": width,
        "height": height,
        "seed": submission.seed if request.seed is None else request.seed,
        **dict(zip(names, images, strict=False)),
    }
    if (file_format := format_for(request, submission.offer)) is not None:
        body["output_format"] = file_format
    return body


def _task_id(document: Mapping[str, Any]) -> str | None:
    found = (document.get(name) for name in ("id", "task_id"))
    return next((each for each in found if isinstance(each, str) and _ID.fullmatch(each)), None)


def _cost(document: Mapping[str, Any]) -> Cost | None:
    """Return the reported cost; BFL's credits are cents."""
    amount = amount_of(document.get("cost"))
    return None if amount is None else usd(amount / Decimal(_CREDITS_PER_USD), CostSource.REPORTED)


def _kind_of(status: int, document: object, headers: httpx.Headers) -> FaultKind | None:
    """Return KEY_REJECTED for a 403 of any text.

    Refusals of content are states of a task.
    """
    del document, headers
    return FaultKind.KEY_REJECTED if status == httpx.codes.FORBIDDEN else None


def _percent(document: Mapping[str, Any]) -> int | None:
    progress = document.get("progress")
    if isinstance(progress, bool) or not isinstance(progress, int | float) or not 0 <= progress <= 1:
        return None
    return round(progress * 100)


def _moderation(document: Mapping[str, Any]) -> Reason:
    details = document.get("details")
    reasons = details.get(_REASONS) if isinstance(details, dict) else None
    words = [each for each in reasons if isinstance(each, str)] if isinstance(reasons, list) else []
    return Reason(", ".join(words))


SHAPES: Final = (FLUX_3, FLUX_2)

SPEC: Final = ProviderSpec(
    name=Bfl.name,
    display_name="Black Forest Labs",
    key_setting="bfl_api_key",
    key_description="takes a key of Black Forest Labs",
    url_setting="bfl_api_url",
    default_url="https://api.bfl.ai",
    probe_path=_BALANCE_PATH,
    build=Bfl,
    rules=HttpRules(key_header="x-key", key_prefix="", refusals=REFUSALS - {500, 503}, kind_of=_kind_of),
    shapes=SHAPES,
)
