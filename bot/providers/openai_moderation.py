"""OpenAI's moderation endpoint, for texts alone.

Source: OpenAI API reference, "Create moderation". Pictures are never sent: the worst kind may be sent to nobody.
"""

import asyncio
from collections.abc import Collection
from typing import Final

import structlog

from bot.domain.errors import ProviderError
from bot.providers.http import ProviderHttp

CATEGORIES: Final = (
    "harassment",
    "harassment/threatening",
    "hate",
    "hate/threatening",
    "illicit",
    "illicit/violent",
    "self-harm",
    "self-harm/intent",
    "self-harm/instructions",
    "sexual",
    "sexual/minors",
    "violence",
    "violence/graphic",
)
"""The categories of the model."""
MODEL: Final = "omni-moderation-latest"

_SECONDS: Final = 10.0

_log = structlog.get_logger(__name__)


class OpenAiModeration:
    """Checks prompts against some of OpenAI's categories.

    An unreachable service refuses nothing: the prompt rules of the studio and the image API's own check remain.
    """

    def __init__(self, http: ProviderHttp, *, categories: Collection[str]) -> None:
        self._http = http
        self._categories = frozenset(categories)

    async def refuses(self, text: str) -> bool:
        """Return whether a text falls into a chosen category."""
        try:
            async with asyncio.timeout(_SECONDS):
                answer = await self._http.send("/moderations", {"model": MODEL, "input": text}, hide=(text,))
        except ProviderError as error:
            _log.warning("moderation.not_checked", kind=error.kind, status=error.status)
            return False
        except TimeoutError:
            _log.warning("moderation.not_checked", kind="timeout")
            return False
        found = _found(answer.document)
        if found is None:
            _log.warning("moderation.not_understood")
            return False
        return not self._categories.isdisjoint(found)


def _found(document: object) -> set[str] | None:
    """Return the categories of an answer; None if it makes no sense."""
    results = document.get("results") if isinstance(document, dict) else None
    if not isinstance(results, list) or not results:
        return None
    found: set[str] = set()
    for result in results:
        categories = result.get("categories") if isinstance(result, dict) else None
        if not isinstance(categories, dict):
            return None
        found |= {name for name, is_found in categories.items() if is_found is True}
    return found
