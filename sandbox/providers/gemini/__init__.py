"""The fake of Gemini's image models."""

from sandbox.providers.gemini.server import GeminiServer

__all__ = ["GeminiServer"]
