"""The composition root: every part is built and wired here."""

from bot.container.engine import new_id
from bot.container.product import Container
from bot.container.startup import open_database, run

__all__ = ["Container", "new_id", "open_database", "run"]
