"""How the providers have been answering, for `/status` and the readiness page. In memory: it starts fresh."""

from dataclasses import dataclass
from datetime import datetime

from bot.domain.errors import FaultKind


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderHealth:
    """A provider's last answers: `fault` is None while the latest one was good."""

    provider: str
    fault: FaultKind | None = None
    since: datetime | None = None


class HealthRegistry:
    """One line for each configured provider, in the operator's order."""

    def __init__(self, providers: tuple[str, ...]) -> None:
        self._health = {provider: ProviderHealth(provider=provider) for provider in providers}

    def record_success(self, provider: str, now: datetime) -> None:
        """Hear that a provider answered as it should."""
        if provider in self._health and self._health[provider].fault is not None:
            self._health[provider] = ProviderHealth(provider=provider, since=now)

    def record_fault(self, provider: str, fault: FaultKind, now: datetime) -> None:
        """Hear that a provider did not take or answer a request."""
        if provider in self._health and self._health[provider].fault is not fault:
            self._health[provider] = ProviderHealth(provider=provider, fault=fault, since=now)

    def list(self) -> tuple[ProviderHealth, ...]:
        """Return every provider's health."""
        return tuple(self._health.values())
