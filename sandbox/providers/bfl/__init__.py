"""Fake of Black Forest Labs: API, polling and delivery hosts."""

from sandbox.providers.bfl.server import BflServer

__all__ = ["BflServer"]
