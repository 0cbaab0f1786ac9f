"""The sandbox's page: the bot as people see it on Discord, in a browser, with ways to break it on purpose."""

from sandbox.web.bot_process import BotProcess, Ledger
from sandbox.web.pages import Page

__all__ = ["BotProcess", "Ledger", "Page"]
