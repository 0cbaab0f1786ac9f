"""URLs for one submit: the webhook and the input images.

Each URL contains a random token, so nobody can guess it. Only a hash of the token is stored.
"""

import hashlib
import secrets
from typing import Final

_TOKEN_BYTES: Final = 32


def new_token() -> str:
    """Return a new URL-safe token of 256 bits.

    The token is a secret: it is in no log and in no database.
    """
    return secrets.token_urlsafe(_TOKEN_BYTES)


def hash_token(token: str) -> str:
    """Return the SHA-256 of any text as 64 hexadecimal digits.

    The token is random, so a slow hash is unnecessary, and a look-up by hash leaks nothing through its timing.
    """
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()


def webhook_url_for(public_url: str, provider: str, token: str) -> str:
    """Return the webhook URL of one submit, below our public URL."""
    return f"{public_url}/webhooks/{provider}/{token}"


def input_url_for(public_url: str, token: str) -> str:
    """Return the URL of one input image, below our public URL."""
    return f"{public_url}/inputs/{token}"
