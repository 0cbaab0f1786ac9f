"""Status words that a contract does not list: worth a line in the log, once each."""

from typing import Final

from structlog.typing import FilteringBoundLogger

from bot.providers.error_details import clean_detail

_MOST: Final = 100
_LONGEST: Final = 40


class UnknownWords:
    """Logs each unknown word of a provider once, and no more than a hundred of them."""

    def __init__(self, provider: str, log: FilteringBoundLogger) -> None:
        self._provider = provider
        self._log = log
        self._told: set[str] = set()

    def tell(self, word: str) -> None:
        """Log the word, from which whoever calls has taken what must not be logged, unless it was logged before."""
        word = clean_detail(word[:_LONGEST])
        if word in self._told or len(self._told) >= _MOST:
            return
        self._told.add(word)
        self._log.warning("provider_status_unknown", provider=self._provider, status=word)
