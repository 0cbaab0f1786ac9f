"""The fake of OpenRouter's Image API."""

from sandbox.providers.openrouter.server import OpenRouterServer

__all__ = ["OpenRouterServer"]
