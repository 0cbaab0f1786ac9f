"""The command line: `atelier`."""

from bot.command_line.app import app, import_command, main

__all__ = ["app", "import_command", "main"]
