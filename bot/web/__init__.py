"""The HTTP side of the bot: what watchdogs ask."""
