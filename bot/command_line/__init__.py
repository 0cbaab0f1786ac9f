"""The command line: `atelier`."""

from bot.command_line.app import app, main

__all__ = ["app", "main"]
