"""A provider with gates, in front of a real one."""

import asyncio

from bot.domain.errors import FaultKind, ProviderError
from bot.domain.models import Offer
from bot.domain.requests import GenerationRequest
from bot.providers.base import CancelOutcome, Provider, Status, SubmitAnswer


class GatedProvider:
    """A provider with a gate before and a gate after each submit.

    A submit waits at `before` until it is sent, and at `after` until its answer is returned. Both are open at
    first. `waiting` is set once a submit reaches a closed gate. With `loses` the answer is lost.
    """

    def __init__(self, inner: Provider) -> None:
        self.before = asyncio.Event()
        self.after = asyncio.Event()
        self.open()
        self.waiting = asyncio.Event()
        self.loses = False
        self._inner = inner

    def open(self) -> None:
        """Open both gates."""
        self.before.set()
        self.after.set()

    @property
    def name(self) -> str:
        """Name of the real provider."""
        return self._inner.name

    @property
    def takes_webhooks(self) -> bool:
        """True if the real provider takes webhooks."""
        return self._inner.takes_webhooks

    def parse_webhook(self, body: object) -> str | None:
        """Parse with the real provider."""
        return self._inner.parse_webhook(body)

    async def submit(self, request: GenerationRequest, offer: Offer, *, webhook_url: str | None = None) -> SubmitAnswer:
        """Submit between the two gates."""
        await self._pass(self.before)
        answer = await self._inner.submit(request, offer, webhook_url=webhook_url)
        await self._pass(self.after)
        if self.loses:
            raise ProviderError(FaultKind.REPLY_LOST, provider=self.name, maybe_accepted=True)
        return answer

    async def poll(self, handle: str, *, hide: tuple[str, ...] = ()) -> Status:
        """Poll the real provider."""
        return await self._inner.poll(handle, hide=hide)

    async def cancel(self, handle: str) -> CancelOutcome:
        """Cancel at the real provider."""
        return await self._inner.cancel(handle)

    async def _pass(self, gate: asyncio.Event) -> None:
        if not gate.is_set():
            self.waiting.set()
        await gate.wait()


class Gates:
    """Factory of one gated provider, kept in `gated`."""

    def __init__(self) -> None:
        self._gated: GatedProvider | None = None

    def __call__(self, provider: Provider) -> Provider:
        """Return the provider behind gates."""
        self._gated = GatedProvider(provider)
        return self._gated

    @property
    def gated(self) -> GatedProvider:
        """The gated provider."""
        assert self._gated is not None
        return self._gated
