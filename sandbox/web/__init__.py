"""The sandbox's page: a Discord client in a browser, with fault injection."""

from sandbox.web.bot_process import BotProcess, Ledger
from sandbox.web.pages import Page

__all__ = ["BotProcess", "Ledger", "Page"]
