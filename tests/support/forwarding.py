"""A provider in front of another."""

from collections.abc import Mapping

from bot.domain.costs import ProviderBalance
from bot.providers.base import CancelOutcome, InputForm, LostCall, Provider, Status, Submission, SubmitAnswer


class ForwardingProvider:
    """Passes every call to the provider behind it."""

    def __init__(self, inner: Provider) -> None:
        self._inner = inner

    @property
    def name(self) -> str:
        """Name of the real provider."""
        return self._inner.name

    @property
    def takes_webhooks(self) -> bool:
        """True if the real provider takes webhooks."""
        return self._inner.takes_webhooks

    @property
    def input_form(self) -> InputForm:
        """Form of the real provider's inputs."""
        return self._inner.input_form

    @property
    def is_synchronous(self) -> bool:
        """True if the real provider answers with the images."""
        return self._inner.is_synchronous

    async def submit(self, submission: Submission) -> SubmitAnswer:
        """Submit to the real provider."""
        return await self._inner.submit(submission)

    async def find_lost(self, submission: Submission) -> str | LostCall:
        """Ask the real provider."""
        return await self._inner.find_lost(submission)

    async def poll(self, handle: str, *, hide: tuple[str, ...] = ()) -> Status:
        """Poll the real provider."""
        return await self._inner.poll(handle, hide=hide)

    async def cancel(self, handle: str) -> CancelOutcome:
        """Cancel at the real provider."""
        return await self._inner.cancel(handle)

    async def verify_webhook(self, url: str, headers: Mapping[str, str], body: bytes) -> bool:
        """Verify with the real provider."""
        return await self._inner.verify_webhook(url, headers, body)

    def parse_webhook(self, body: object) -> str | None:
        """Parse with the real provider."""
        return self._inner.parse_webhook(body)

    async def close(self) -> None:
        """Close the real provider."""
        await self._inner.close()

    async def balance(self) -> ProviderBalance | None:
        """Read the real provider's balance."""
        return await self._inner.balance()
