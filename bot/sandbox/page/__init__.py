"""The sandbox's page: the bot as people see it on Discord, in a browser, with ways to break it on purpose."""

from bot.sandbox.page.pages import Page
from bot.sandbox.page.process import BotProcess, Ledger

__all__ = ["BotProcess", "Ledger", "Page"]
