"""A provider's word that a job has moved."""

from collections.abc import Mapping
from typing import Protocol

from bot.engine.callback_urls import hash_of
from bot.providers.base import Provider


class Hinted(Protocol):
    """What takes hints: the engine."""

    async def handle_webhook(self, webhook_hash: str, provider: str, handle: str | None) -> bool:
        """Look at the job of this webhook soon; False where there is none.

        `handle` is what the webhook's body says, and may be anybody's invention.
        """
        ...


class WebhookService:
    """Passes webhooks on as hints: the job's status is read again, and nothing of what was posted is believed."""

    def __init__(self, *, engine: Hinted, providers: Mapping[str, Provider]) -> None:
        self._engine = engine
        self._providers = providers

    async def receive(self, provider: str, token: str, body: object) -> bool:
        """Take what was posted to a webhook's address and return whether it is one of ours.

        `body` is its JSON, or None where it is none. Every call costs one hash and one look-up, so that the time it
        takes tells a stranger nothing.
        """
        known = self._providers.get(provider)
        handle = None if known is None else known.parse_webhook(body)
        # A name that no job has instead of a stranger's, which may hold what a database refuses.
        return await self._engine.handle_webhook(hash_of(token), "" if known is None else provider, handle)
