"""What a provider may ask of us for one submit: addresses that nobody can guess, of which only a hash is kept."""

import hashlib
import secrets
from typing import Final

_TOKEN_BYTES: Final = 32


def new_token() -> str:
    """Return a new token of 256 bits, fit for an address. It is a secret: it is in no log and in no database."""
    return secrets.token_urlsafe(_TOKEN_BYTES)


def hash_of(token: str) -> str:
    """Return a token's SHA-256 in 64 hexadecimal digits; any text has one.

    The token is random, so nothing slower is needed, and a look-up by the hash tells an attacker's clock nothing of it.
    """
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()


def webhook_address(public_url: str, provider: str, token: str) -> str:
    """Return the address for one submit, below the public address of the web server."""
    return f"{public_url}/webhooks/{provider}/{token}"


def input_address(public_url: str, token: str) -> str:
    """Return the address from which a provider may fetch one picture that a job starts from."""
    return f"{public_url}/inputs/{token}"
