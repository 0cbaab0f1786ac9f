"""Search for a request without a reply in fal's history.

Contract: fal.ai, "Platform APIs", models/requests/by-endpoint.
"""

from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from bot.domain.errors import FaultKind
from bot.providers.http import Call, ProviderHttp

_PATH: Final = "/v1/models/requests/by-endpoint"
_PAGE: Final = "100"
_MOST_PAGES: Final = 50
_IMAGES: Final = "image_urls"


class UnknownInputError(Exception):
    """A listed request has no input to compare."""


async def find_matches(
    http: ProviderHttp, endpoint: str, body: Mapping[str, Any], *, start: datetime, end: datetime
) -> list[str]:
    """Return the ids of the requests with this input, sent in a period.

    The bytes of input images are not compared.

    Raises:
        UnknownInputError: a request of the period is listed without its input.
        ProviderError: the history could not be read to its end.
    """
    matches: list[str] = []
    async for item in _items(http, endpoint, start=start, end=end):
        sent_at = _time(item.get("sent_at"))
        if sent_at is not None and not start <= sent_at <= end:
            continue
        found, request_id = item.get("json_input"), item.get("request_id")
        if not isinstance(found, dict) or not isinstance(request_id, str):
            raise UnknownInputError
        if _comparable(found) == _comparable(body):
            matches.append(request_id)
    return list(dict.fromkeys(matches))


async def _items(
    http: ProviderHttp, endpoint: str, *, start: datetime, end: datetime
) -> AsyncIterator[Mapping[str, Any]]:
    params = {
        "endpoint_id": endpoint,
        "start": _iso(start),
        "end": _iso(end + timedelta(seconds=1)),  # exclusive
        "expand": "payloads",
        "limit": _PAGE,
    }
    for _ in range(_MOST_PAGES):
        answer = await http.read(_PATH, params)
        page = answer.document
        items = page.get("items") if isinstance(page, dict) else None
        if answer.fault is not None or not isinstance(page, dict) or not isinstance(items, list):
            raise answer.fault or http.error(FaultKind.MALFORMED, Call.READ, detail="no list of requests")
        for item in items:
            if isinstance(item, dict):
                yield item
        cursor = page.get("next_cursor")
        if not page.get("has_more"):
            return
        if not isinstance(cursor, str) or not cursor:
            break
        params["cursor"] = cursor
    raise http.error(FaultKind.MALFORMED, Call.READ, detail="no end of the list of requests")


def _comparable(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return an input with the number of its images instead of them."""
    images = body.get(_IMAGES)
    return {**body, _IMAGES: len(images) if isinstance(images, list) else 0}


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _time(value: object) -> datetime | None:
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return moment if moment is None or moment.tzinfo is not None else moment.replace(tzinfo=UTC)
