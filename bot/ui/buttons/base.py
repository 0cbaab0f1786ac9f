"""What all buttons share: the form of their custom ids, who presses, and how errors reach them.

The form is `a1:<action>:<job>:<picture>`, version first. A form once issued is answered for ever.
"""

import re
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, ClassVar, Final, Protocol, Self, TypeVar, cast

import discord
from discord import ui

from bot.domain.jobs import Action
from bot.services.history import Direction
from bot.services.jobs import JobService
from bot.ui.handlers.error_handler import answer_error
from bot.ui.i18n import _, set_locale

FORM: Final = r":(?P<job>[0-9a-f]{32}):(?P<picture>[0-9]{1,2})"
"""What a template has after the version and the action; `job` may be the id of a draft."""


def custom_id(action: str, job_id: str, picture: int = 0) -> str:
    """Return the custom id of an action on a job, or on one of its pictures (from 0)."""
    return f"a1:{action}:{job_id}:{picture}"


class Pages(Protocol):
    """What turns the pages of `/history`."""

    async def turn(self, interaction: discord.Interaction[Any], job_id: str, direction: Direction) -> None:
        """Show the page next to a job's in place of it."""
        ...


class PresetHandlers(Protocol):
    """What keeps presets."""

    async def restore(self, interaction: discord.Interaction[Any], mark: str) -> None:
        """Put a deleted preset back."""
        ...


class FormReopener(Protocol):
    """What opens refused forms again."""

    async def reopen(self, interaction: discord.Interaction[Any], form_id: str) -> None:
        """Open a form as it was sent."""
        ...


class Questions(Protocol):
    """What asks before much is spent."""

    async def confirm(self, interaction: discord.Interaction[Any], draft_id: str) -> None:
        """Make what was asked about."""
        ...

    async def decline(self, interaction: discord.Interaction[Any], draft_id: str) -> None:
        """Leave it."""
        ...


class CardActions(Protocol):
    """What a finished card is worked with."""

    async def act(self, interaction: discord.Interaction[Any], job_id: str, action: Action) -> None:
        """Make something of a job, or ask first what it takes to know."""
        ...

    async def details(self, interaction: discord.Interaction[Any], job_id: str) -> None:
        """Tell all that is known of a job, to whoever pressed alone."""
        ...

    async def ask_delete(self, interaction: discord.Interaction[Any], job_id: str) -> None:
        """Ask whoever pressed whether a job shall be deleted."""
        ...

    async def delete(self, interaction: discord.Interaction[Any], job_id: str) -> None:
        """Delete a job, its pictures and its card."""
        ...


class Studio(Protocol):
    """What a button finds on the client that it was pressed through."""

    @property
    def generation(self) -> JobService:
        """The service that makes and cancels jobs."""
        ...

    @property
    def gallery(self) -> Pages:
        """What answers `/history`."""
        ...

    @property
    def shelves(self) -> PresetHandlers:
        """What keeps presets."""
        ...

    @property
    def orders(self) -> Questions:
        """What asks before much is spent."""
        ...

    @property
    def retries(self) -> FormReopener:
        """What opens refused forms again."""
        ...

    @property
    def workbench(self) -> CardActions:
        """What a finished card is worked with."""
        ...


def studio_of(interaction: discord.Interaction[Any]) -> Studio:
    """Return what a button can call."""
    return cast("Studio", interaction.client)


_Item = TypeVar("_Item")
_Callback = Callable[[_Item, discord.Interaction[Any]], Coroutine[Any, Any, None]]


def answering(callback: _Callback[_Item]) -> _Callback[_Item]:
    """Speak the language of whoever pressed, and make errors reach them: discord.py would only log them."""

    @wraps(callback)
    async def answered(self: _Item, interaction: discord.Interaction[Any]) -> None:
        set_locale(interaction.locale.value)
        try:
            await callback(self, interaction)
        except Exception as error:  # noqa: BLE001 - `answer_error` logs what it does not know
            await answer_error(interaction, error)

    return answered


class JobButton(ui.DynamicItem[ui.Button[ui.LayoutView]], template="a1:none"):
    """A button of a job. A subclass gives its action, its label in English (marked with `N_`) and its style."""

    action: ClassVar[str]
    _label: ClassVar[str]
    _style: ClassVar[discord.ButtonStyle]

    def __init_subclass__(
        cls, *, action: str, label: str, style: discord.ButtonStyle = discord.ButtonStyle.secondary
    ) -> None:
        """Make the template from the action."""
        super().__init_subclass__(template=f"a1:{action}{FORM}")
        cls.action, cls._label, cls._style = action, label, style

    def __init__(self, job_id: str, *, label: str | None = None, disabled: bool = False) -> None:
        self.job_id = job_id
        super().__init__(
            ui.Button(
                label=_(self._label) if label is None else label,
                style=self._style,
                custom_id=custom_id(self.action, job_id),
                disabled=disabled,
            )
        )

    @classmethod
    async def from_custom_id(
        cls, interaction: discord.Interaction[Any], item: ui.Item[Any], match: re.Match[str], /
    ) -> Self:
        """Return the button that was pressed."""
        del interaction, item
        return cls(match["job"])
