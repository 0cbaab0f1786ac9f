"""Interactions that Discord delivered before."""

from collections import OrderedDict
from typing import Any, Final

import discord
import structlog

from bot.ui.delivery.discord_errors import ALREADY_ACKNOWLEDGED

_REMEMBERED: Final = 10_000

_log = structlog.get_logger(__name__)


class SeenInteractions:
    """Ids of the latest interactions.

    Discord may deliver an interaction again after a reconnect. The first delivery answers it.
    """

    def __init__(self) -> None:
        self._ids: OrderedDict[int, None] = OrderedDict()

    def is_first(self, interaction: discord.Interaction[Any]) -> bool:
        """Record an interaction and return whether it is new."""
        if interaction.id in self._ids:
            _log.info("interaction.repeated")
            return False
        self._ids[interaction.id] = None
        if len(self._ids) > _REMEMBERED:
            self._ids.popitem(last=False)
        return True


def is_acknowledged(error: BaseException) -> bool:
    """Return whether an answer came too late because there is one.

    A repeated callback or another process with the same token may have sent it.
    """
    return isinstance(error, discord.HTTPException) and error.code == ALREADY_ACKNOWLEDGED
