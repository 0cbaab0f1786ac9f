"""Signatures of fal's webhooks.

Contract: docs.fal.ai, "Webhooks", "Verifying Your Webhook".
"""

import asyncio
import base64
import binascii
import hashlib
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import structlog
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from bot.domain.errors import ProviderError

_PREFIX: Final = "x-fal-webhook-"
_MAX_AGE_SECONDS: Final = 300
_KEYS_SECONDS: Final = 24 * 3600.0
# Between two reads of the keys: forged webhooks cause no more than these.
_PAUSE_SECONDS: Final = 300.0
_MOST_KEYS: Final = 20
_LONGEST_FIELD: Final = 200

_log = structlog.get_logger(__name__)


class SigningKeys:
    """fal's public keys, read when first needed and cached for a day.

    `read` returns the JWKS document. A signature by none of the keys has them read again, since they may have changed;
    never twice within five minutes. `now` returns Unix seconds.
    """

    def __init__(self, read: Callable[[], Awaitable[object]], now: Callable[[], float] = time.time) -> None:
        self._read = read
        self._now = now
        self._keys: tuple[Ed25519PublicKey, ...] = ()
        self._read_at: float | None = None
        self._tried_at: float | None = None
        self._lock = asyncio.Lock()

    async def verify(self, headers: Mapping[str, str], body: bytes) -> bool:
        """Return whether one of the keys has signed a webhook just now."""
        signed = _signed(headers, body, self._now())
        if signed is None:
            return False
        if self._are_fresh and self._is_signed(*signed):
            return True
        # The keys are old or other ones.
        return await self._refresh() and self._is_signed(*signed)

    @property
    def _are_fresh(self) -> bool:
        return self._read_at is not None and 0 <= self._now() - self._read_at <= _KEYS_SECONDS

    def _is_signed(self, message: bytes, signature: bytes) -> bool:
        return any(_is_valid(key, message, signature) for key in self._keys)

    async def _refresh(self) -> bool:
        """Read the keys if the pause allows it; return whether they are fresh."""
        async with self._lock:
            if self._tried_at is None or not 0 <= self._now() - self._tried_at < _PAUSE_SECONDS:
                self._tried_at = self._now()
                try:
                    keys = _keys_of(await self._read())
                except ProviderError as error:
                    _log.warning("fal.keys_not_read", fault=error.kind)
                else:
                    self._keys, self._read_at = keys, self._now()
            return self._are_fresh


def _signed(headers: Mapping[str, str], body: bytes, now: float) -> tuple[bytes, bytes] | None:
    """Return the signed message and its signature; None if one is missing."""
    by_name = {name.lower(): value for name, value in headers.items()}
    fields = [by_name.get(_PREFIX + name, "") for name in ("request-id", "user-id", "timestamp", "signature")]
    if not all(0 < len(each) <= _LONGEST_FIELD for each in fields):
        return None
    request_id, user_id, timestamp, signature = fields
    try:
        seconds, signature_bytes = int(timestamp), bytes.fromhex(signature)
    except ValueError:
        return None
    if abs(now - seconds) > _MAX_AGE_SECONDS:
        return None
    message = "\n".join((request_id, user_id, timestamp, hashlib.sha256(body).hexdigest()))
    return message.encode(errors="replace"), signature_bytes


def _is_valid(key: Ed25519PublicKey, message: bytes, signature: bytes) -> bool:
    try:
        key.verify(signature, message)
    except InvalidSignature:
        return False
    return True


def _keys_of(document: object) -> tuple[Ed25519PublicKey, ...]:
    listed = document.get("keys") if isinstance(document, dict) else None
    rows = listed[:_MOST_KEYS] if isinstance(listed, list) else []
    return tuple(key for row in rows if (key := _key_of(row)) is not None)


def _key_of(row: Any) -> Ed25519PublicKey | None:
    text = row.get("x") if isinstance(row, dict) else None
    if not isinstance(text, str):
        return None
    try:
        return Ed25519PublicKey.from_public_bytes(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (binascii.Error, ValueError):
        return None
