"""Latest answers of each provider, for `/status` and the health page.

They are kept in memory: a restart forgets them.
"""

from dataclasses import dataclass, replace
from datetime import datetime

from bot.domain.errors import FaultKind


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderHealth:
    """A provider's health: `fault` is None after a good answer.

    `closed_models` get no submit there at present. `other_ratios` counts images with another aspect ratio than asked.
    """

    provider: str
    fault: FaultKind | None = None
    since: datetime | None = None
    closed_models: tuple[str, ...] = ()
    other_ratios: int = 0


class HealthRegistry:
    """The health of each configured provider, in the operator's order."""

    def __init__(self, providers: tuple[str, ...]) -> None:
        self._health = {provider: ProviderHealth(provider=provider) for provider in providers}

    def record_success(self, provider: str, now: datetime) -> None:
        """Record a good answer of a provider."""
        if provider in self._health and self._health[provider].fault is not None:
            self._health[provider] = replace(self._health[provider], fault=None, since=now)

    def record_fault(self, provider: str, fault: FaultKind, now: datetime) -> None:
        """Record a failed request to a provider."""
        if provider in self._health and self._health[provider].fault is not fault:
            self._health[provider] = replace(self._health[provider], fault=fault, since=now)

    def record_closed_models(self, provider: str, models: tuple[str, ...]) -> None:
        """Record the closed models of a provider."""
        if provider in self._health:
            self._health[provider] = replace(self._health[provider], closed_models=models)

    def record_other_ratio(self, provider: str) -> None:
        """Count an image with another aspect ratio than asked."""
        if provider in self._health:
            health = self._health[provider]
            self._health[provider] = replace(health, other_ratios=health.other_ratios + 1)

    def list(self) -> tuple[ProviderHealth, ...]:
        """Return every provider's health."""
        return tuple(self._health.values())
