"""Providers' webhooks."""

import json
from collections.abc import Mapping
from typing import Protocol

import structlog

from bot.engine.callback_urls import hash_token, webhook_url_for
from bot.providers.base import Provider

_log = structlog.get_logger(__name__)


class Hinted(Protocol):
    """A receiver of webhooks: the engine."""

    async def handle_webhook(self, webhook_hash: str, provider: str, handle: str | None) -> bool:
        """Poll the job of this webhook soon; return False if there is none.

        `handle` comes from the webhook's body and may be forged.
        """
        ...


class WebhookService:
    """Forwarding of webhooks to the engine, as hints.

    The job's status is polled again; the posted content is not trusted. `public_url` is the address at which the
    providers reach us.
    """

    def __init__(self, *, engine: Hinted, providers: Mapping[str, Provider], public_url: str) -> None:
        self._engine = engine
        self._providers = providers
        self._public_url = public_url

    async def receive(self, provider: str, token: str, headers: Mapping[str, str], body: bytes) -> bool:
        """Handle a posted webhook; return whether its address is ours.

        A body without JSON is a hint all the same. A provider that signs its webhooks must have signed this one. Every
        other call costs one hash and one look-up, so its duration reveals nothing to a stranger.
        """
        known = self._providers.get(provider)
        if known is not None:
            url = webhook_url_for(self._public_url, provider, token)
            if not await known.verify_webhook(url, headers, body):
                _log.warning("webhook.not_signed", provider=provider)
                return False
        handle = None if known is None else known.parse_webhook(_parsed(body))
        # An unknown name may contain characters that the database rejects; the empty name matches no job.
        return await self._engine.handle_webhook(hash_token(token), "" if known is None else provider, handle)


def _parsed(body: bytes) -> object:
    """Return the JSON of a body, or None."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None
