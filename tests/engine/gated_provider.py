"""A provider with gates, in front of a real one."""

import asyncio

from bot.domain.errors import FaultKind, ProviderError
from bot.providers.base import Provider, Submission, SubmitAnswer
from tests.support.forwarding import ForwardingProvider


class GatedProvider(ForwardingProvider):
    """A provider with a gate before and a gate after each submit.

    A submit waits at `before` until it is sent, and at `after` until its answer is returned. Both are open at
    first. `waiting` is set once a submit reaches a closed gate. With `loses` the answer is lost.
    """

    def __init__(self, inner: Provider) -> None:
        super().__init__(inner)
        self.before = asyncio.Event()
        self.after = asyncio.Event()
        self.open()
        self.waiting = asyncio.Event()
        self.loses = False

    def open(self) -> None:
        """Open both gates."""
        self.before.set()
        self.after.set()

    async def submit(self, submission: Submission) -> SubmitAnswer:
        """Submit between the two gates."""
        await self._pass(self.before)
        answer = await super().submit(submission)
        await self._pass(self.after)
        if self.loses:
            raise ProviderError(FaultKind.REPLY_LOST, provider=self.name, maybe_accepted=True)
        return answer

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
