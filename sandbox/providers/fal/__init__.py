"""Fake of fal's queue, platform and media hosts."""

from sandbox.providers.fal.server import FalServer

__all__ = ["FalServer"]
