"""Atelier: a self-hosted Discord bot, an image studio for communities."""

__version__ = "0.1.0"
