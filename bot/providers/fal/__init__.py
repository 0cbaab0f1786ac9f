"""fal: a queue of endpoints, its history and its signed webhooks.

Contract: docs.fal.ai, "Queue API", "Webhooks", "Errors", "Platform APIs".
"""

from bot.providers.fal.client import SPEC, Fal

__all__ = ["SPEC", "Fal"]
