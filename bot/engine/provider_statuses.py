"""Provider health by key: the operator's, and each guild's own."""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Final

from bot.engine.circuit_breaker import UNLIMITED
from bot.engine.provider_status import ProviderStatus
from bot.engine.slots import KeyLimits, SubmitLimits

_MOST_KEYS: Final = 256


class ProviderStatuses:
    """The status of all providers, for the operator and for each guild's key.

    A key's faults and rate limits count for that key alone. Of many keys, the one unused for longest is forgotten.
    """

    def __init__(self, operators: ProviderStatus, build: Callable[[], ProviderStatus]) -> None:
        self.operators = operators
        self._build = build
        self._of_keys: OrderedDict[str, ProviderStatus] = OrderedDict()

    def of(self, key_id: str | None) -> ProviderStatus:
        """Return the status for a guild's key, or with None the operator's."""
        if key_id is None:
            return self.operators
        if key_id not in self._of_keys:
            self._of_keys[key_id] = self._build()
        self._of_keys.move_to_end(key_id)
        while len(self._of_keys) > _MOST_KEYS:
            self._of_keys.popitem(last=False)
        return self._of_keys[key_id]

    def key_limits(self, limit: Callable[[Mapping[str, int]], dict[str, int]]) -> KeyLimits:
        """Return how many submits may begin with guilds' keys.

        `limit` is that of all submits, whatever their key.
        """
        usual = limit(dict.fromkeys(self.operators.available_submits(), UNLIMITED))
        return KeyLimits(
            usual=SubmitLimits(providers=usual),
            by_key={
                key_id: SubmitLimits(providers=limit(status.available_submits()), offers=status.offer_limits())
                for key_id, status in self._of_keys.items()
            },
        )

    def next_probe_in(self) -> float | None:
        """Return the seconds until any failing provider or offer may be probed."""
        waits = [status.next_probe_in() for status in (self.operators, *self._of_keys.values())]
        return min((wait for wait in waits if wait is not None), default=None)
