"""Encryption of guilds' provider keys."""

import base64
import secrets
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from bot.domain.guild_keys import GuildKey

# Part of what is authenticated, so that another format can follow.
_VERSION: Final = "v1"
_NONCE_BYTES: Final = 12


class KeyVault:
    """Encrypts with AES-256-GCM; `key` has 32 bytes.

    Guild and provider are authenticated with each value: in another guild's row, or another provider's, it cannot be
    decrypted.
    """

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)

    def seal(self, plain: str, *, guild_id: int, provider: str) -> str:
        """Return a guild's key for a provider, encrypted."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        sealed = self._cipher.encrypt(nonce, plain.encode(), _context(guild_id, provider))
        return f"{_VERSION}:{base64.b64encode(nonce + sealed).decode()}"

    def open(self, key: GuildKey) -> str | None:
        """Return the decrypted key; None if it cannot be decrypted."""
        version, _, encoded = key.ciphertext.partition(":")
        if version != _VERSION:
            return None
        try:
            data = base64.b64decode(encoded, validate=True)
            nonce, sealed = data[:_NONCE_BYTES], data[_NONCE_BYTES:]
            return self._cipher.decrypt(nonce, sealed, _context(key.guild_id, key.provider)).decode()
        except (ValueError, InvalidTag):
            return None


def _context(guild_id: int, provider: str) -> bytes:
    return f"{_VERSION}/{guild_id}/{provider}".encode()
