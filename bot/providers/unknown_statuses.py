"""Log of status words missing from a provider's contract."""

from typing import Final

from structlog.typing import FilteringBoundLogger

from bot.providers.error_details import clean_detail

_MOST: Final = 100
_LONGEST: Final = 40


class UnknownWords:
    """Logs each unknown word of a provider once, up to a hundred."""

    def __init__(self, provider: str, log: FilteringBoundLogger) -> None:
        self._provider = provider
        self._log = log
        self._told: set[str] = set()

    def tell(self, word: str) -> None:
        """Log the word unless it was logged before.

        The caller has removed all secrets.
        """
        word = clean_detail(word[:_LONGEST])
        if word in self._told or len(self._told) >= _MOST:
            return
        self._told.add(word)
        self._log.warning("provider_status_unknown", provider=self._provider, status=word)
