"""Providers' webhooks."""

from collections.abc import Mapping
from typing import Protocol

from bot.engine.callback_urls import hash_token
from bot.providers.base import Provider


class Hinted(Protocol):
    """A receiver of webhooks: the engine."""

    async def handle_webhook(self, webhook_hash: str, provider: str, handle: str | None) -> bool:
        """Poll the job of this webhook soon; return False if there is none.

        `handle` comes from the webhook's body and may be forged.
        """
        ...


class WebhookService:
    """Forwarding of webhooks to the engine, as hints.

    The job's status is polled again; the posted content is not trusted.
    """

    def __init__(self, *, engine: Hinted, providers: Mapping[str, Provider]) -> None:
        self._engine = engine
        self._providers = providers

    async def receive(self, provider: str, token: str, body: object) -> bool:
        """Handle a posted webhook; return whether its address is ours.

        `body` is its JSON, or None if it has none. Every call costs one hash and one look-up, so its duration reveals
        nothing to a stranger.
        """
        known = self._providers.get(provider)
        handle = None if known is None else known.parse_webhook(body)
        # An unknown name may contain characters that the database rejects; the empty name matches no job.
        return await self._engine.handle_webhook(hash_token(token), "" if known is None else provider, handle)
