"""Fake of a ComfyUI server."""

from sandbox.providers.comfy.server import ComfyServer

__all__ = ["ComfyServer"]
