"""Channels in which a challenge can be held."""

from types import SimpleNamespace
from typing import Any

import discord
import pytest

from bot.domain.errors import ChallengePlaceError
from bot.ui.handlers.sharing.challenges import check_place

ALL = discord.Permissions(view_channel=True, send_messages=True, attach_files=True)


def press(rights: discord.Permissions) -> Any:
    """Return a command in a text channel with the bot's rights."""
    return SimpleNamespace(app_permissions=rights, channel=SimpleNamespace(id=5, parent_id=None), channel_id=5)


def test_channel_with_all_rights_is_taken() -> None:
    check_place(press(ALL))


@pytest.mark.parametrize("missing", ["view_channel", "send_messages", "attach_files"])
def test_channel_without_a_right_is_refused(missing: str) -> None:
    rights = discord.Permissions(ALL.value)
    rights.update(**{missing: False})
    with pytest.raises(ChallengePlaceError):
        check_place(press(rights))
