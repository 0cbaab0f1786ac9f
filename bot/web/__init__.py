"""The HTTP side of the bot: what watchdogs ask, and what providers tell."""
