"""Log of status words missing from a provider's contract."""

from typing import Final

from structlog.typing import FilteringBoundLogger

_MOST: Final = 100


class UnknownWords:
    """Logs each unknown word of a provider once, up to a hundred."""

    def __init__(self, provider: str, log: FilteringBoundLogger) -> None:
        self._provider = provider
        self._log = log
        self._logged: set[str] = set()

    def log_once(self, word: str) -> None:
        """Log the word unless it was logged before.

        The caller passes only what may be logged.
        """
        if word in self._logged or len(self._logged) >= _MOST:
            return
        self._logged.add(word)
        self._log.warning("provider_status_unknown", provider=self._provider, status=word)
