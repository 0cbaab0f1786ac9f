"""ED25519 signatures of fal's webhooks, and the key set to verify them."""

import base64
import hashlib
from collections.abc import Callable, Mapping
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

USER_ID: Final = "sandbox-user"
_OLD_SECONDS: Final = 301
"""Receivers reject a timestamp that differs by more than 300 seconds."""


class WebhookSigner:
    """Signs webhooks with one of two keys, as during a rotation.

    `wall_clock` returns Unix seconds.
    """

    def __init__(self, wall_clock: Callable[[], float]) -> None:
        self._wall_clock = wall_clock
        self._keys = [Ed25519PrivateKey.generate() for _ in range(2)]
        self._unlisted = Ed25519PrivateKey.generate()

    def key_set(self) -> dict[str, Any]:
        """Return the public keys as a JWKS document."""
        keys = [key.public_key().public_bytes_raw() for key in self._keys]
        return {"keys": [{"kty": "OKP", "crv": "Ed25519", "use": "sig", "x": _base64url(key)} for key in keys]}

    def headers(self, request_id: str, raw: bytes, case: str) -> Mapping[str, str]:
        """Return the signature headers of a body.

        The cases `bad_signature` and `old_timestamp` make them unacceptable; the latter is signed properly.
        """
        seconds = int(self._wall_clock()) - (_OLD_SECONDS if case == "old_timestamp" else 0)
        message = "\n".join((request_id, USER_ID, str(seconds), hashlib.sha256(raw).hexdigest())).encode()
        key = self._unlisted if case == "bad_signature" else self._keys[-1]
        return {
            "X-Fal-Webhook-Request-Id": request_id,
            "X-Fal-Webhook-User-Id": USER_ID,
            "X-Fal-Webhook-Timestamp": str(seconds),
            "X-Fal-Webhook-Signature": key.sign(message).hex(),
        }


def _base64url(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
