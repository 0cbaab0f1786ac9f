"""Addresses of APIs in settings."""

from typing import Annotated, Final
from urllib.parse import urlsplit

from pydantic import AfterValidator

AN_ADDRESS: Final = "takes an https:// address (http:// only on this machine)"
A_LOCAL_ADDRESS: Final = "takes an http:// or https:// address"
_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})


def _address(value: str) -> str:
    """Accept https, or http on loopback; return it without a slash at its end."""
    parts = urlsplit(value)
    if not parts.hostname or not (parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)):
        raise ValueError("not an https address")
    if parts.port == 0 or parts.query or parts.fragment or parts.username or parts.password:
        raise ValueError("more than an address")
    return value.rstrip("/")


def _local_address(value: str) -> str:
    """Accept http or https; return it without a slash at its end."""
    parts = urlsplit(value)
    if not parts.hostname or parts.scheme not in {"http", "https"}:
        raise ValueError("not an address")
    if parts.port == 0 or parts.query or parts.fragment or parts.username or parts.password:
        raise ValueError("more than an address")
    return value.rstrip("/")


def is_secure(address: str) -> bool:
    """Return whether a key may be sent to an address."""
    parts = urlsplit(address)
    return parts.scheme == "https" or parts.hostname in _LOOPBACK


Address = Annotated[str, AfterValidator(_address)]
LocalAddress = Annotated[str, AfterValidator(_local_address)]
