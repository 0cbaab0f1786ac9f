"""Addresses of APIs in settings."""

from typing import Annotated, Final
from urllib.parse import urlsplit

from pydantic import AfterValidator

AN_ADDRESS: Final = "takes an https:// address (http:// only on this machine)"
_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})


def _address(value: str) -> str:
    """Accept https, or http on loopback; return it without a slash at its end."""
    parts = urlsplit(value)
    if not parts.hostname or not (parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)):
        raise ValueError("not an https address")
    if parts.port == 0 or parts.query or parts.fragment or parts.username or parts.password:
        raise ValueError("more than an address")
    return value.rstrip("/")


Address = Annotated[str, AfterValidator(_address)]
