"""The fake of OpenAI's Images API and of similar services."""

from sandbox.providers.openai.server import OpenAiImagesServer

__all__ = ["OpenAiImagesServer"]
