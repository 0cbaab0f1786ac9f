"""Registry of handlers for permanent buttons, menus and forms."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, cast

import discord
import structlog

from bot.domain.errors import NotOfferedError
from bot.ui.buttons import CUSTOM_ID, PREFIX
from bot.ui.component_tree import walk
from bot.ui.handlers.error_handler import answer_error
from bot.ui.handlers.interactions import (
    GuildSettingsReader,
    PurchaseCounter,
    attach_settings,
    no_purchases,
    no_settings,
)
from bot.ui.handlers.seen_interactions import SeenInteractions
from bot.ui.i18n import _, set_locale

_log = structlog.get_logger(__name__)

ComponentHandler = Callable[[discord.Interaction[Any], str], Awaitable[None]]
"""Answers a press. The second argument is the custom id's target."""


class ComponentRegistry:
    """Handlers by action.

    Cogs register theirs when they load; the client dispatches every press here.
    """

    def __init__(
        self,
        seen: SeenInteractions,
        read_settings: GuildSettingsReader = no_settings,
        count_purchases: PurchaseCounter = no_purchases,
    ) -> None:
        self._seen = seen
        self._read_settings = read_settings
        self._count_purchases = count_purchases
        self._handlers: dict[str, ComponentHandler] = {}
        self._forms: dict[str, ComponentHandler] = {}
        self._of_jobs: set[str] = set()
        self._answering: set[asyncio.Task[Any] | None] = set()

    @property
    def actions(self) -> frozenset[str]:
        """The actions that have a handler."""
        return frozenset(self._handlers)

    @property
    def forms(self) -> frozenset[str]:
        """The forms with a handler."""
        return frozenset(self._forms)

    def register_form(self, action: str, handler: ComponentHandler, *, of_job: bool = False) -> None:
        """Answer a form's submissions with a handler.

        `of_job`: the target is a job, which the log lines of the answer name.

        Raises:
            ValueError: The form already has a handler.
        """
        if action in self._forms:
            raise ValueError(action)
        self._forms[action] = handler
        if of_job:
            self._of_jobs.add(action)

    def register(self, action: str, handler: ComponentHandler, *, of_job: bool = False) -> None:
        """Answer an action's presses with a handler.

        `of_job`: the target is a job, which the log lines of the answer name.

        Raises:
            ValueError: The action already has a handler.
        """
        if action in self._handlers:
            raise ValueError(action)
        self._handlers[action] = handler
        if of_job:
            self._of_jobs.add(action)

    async def dispatch(self, interaction: discord.Interaction[Any]) -> None:
        """Answer a press or a form in the member's language, errors included.

        Custom ids without our prefix are ignored, and so are those of no component on the pressed message, and
        interactions that were delivered before. A form without a handler is not answered: Discord then keeps it open
        with its text.
        """
        if interaction.type not in (discord.InteractionType.component, discord.InteractionType.modal_submit):
            return
        custom_id = _custom_id(interaction)
        if not custom_id.startswith(PREFIX):
            return
        is_form = interaction.type is discord.InteractionType.modal_submit
        if not is_form and not _is_on_message(interaction, custom_id):
            _log.warning("component.not_on_message", custom_id=custom_id)
            return
        if not self._seen.is_first(interaction):
            return
        set_locale(interaction.locale.value)
        task = asyncio.current_task()
        if task is not None:
            # discord.py keeps no reference to this task, and the event loop only a weak one.
            self._answering.add(task)
        try:
            with structlog.contextvars.bound_contextvars(**self._facts(custom_id)):
                await self._answer_logged(interaction, custom_id, is_form=is_form)
        finally:
            self._answering.discard(task)

    def _facts(self, custom_id: str) -> dict[str, str]:
        """Return the facts for all log lines about an answer."""
        match = CUSTOM_ID.fullmatch(custom_id)
        return {"job": match["target"]} if match is not None and match["action"] in self._of_jobs else {}

    async def _answer_logged(self, interaction: discord.Interaction[Any], custom_id: str, *, is_form: bool) -> None:
        try:
            await attach_settings(interaction, self._read_settings)
            await self._count_purchases(interaction)
            await (self._answer_form if is_form else self._answer)(interaction, custom_id)
        except Exception as error:  # noqa: BLE001 - `answer_error` logs unexpected errors
            await answer_error(interaction, error)

    async def _answer_form(self, interaction: discord.Interaction[Any], custom_id: str) -> None:
        match = CUSTOM_ID.fullmatch(custom_id)
        handler = None if match is None else self._forms.get(match["action"])
        if match is None or handler is None:
            _log.warning("form.unknown", custom_id=custom_id)
            return
        await handler(interaction, match["target"])

    async def _answer(self, interaction: discord.Interaction[Any], custom_id: str) -> None:
        match = CUSTOM_ID.fullmatch(custom_id)
        handler = None if match is None else self._handlers.get(match["action"])
        if match is None or handler is None:
            _log.warning("component.unknown", custom_id=custom_id)
            await interaction.response.send_message(
                _("This button is from another version of the studio and does not work now."), ephemeral=True
            )
            return
        if not _is_offered(interaction, custom_id):
            raise NotOfferedError
        await handler(interaction, match["target"])


def _is_offered(interaction: discord.Interaction[Any], custom_id: str) -> bool:
    """Return whether a pressed menu offers the selected values.

    A press may be forged. A button offers and selects nothing; a menu of members offers all.
    """
    menus = [
        component
        for component in walk(interaction.message.components if interaction.message else ())
        if isinstance(component, discord.SelectMenu) and component.custom_id == custom_id
    ]
    selected = selected_values(interaction)
    return all(
        (menu.type is not discord.ComponentType.string_select or set(selected) <= {each.value for each in menu.options})
        and menu.min_values <= len(selected) <= menu.max_values
        for menu in menus
    )


def selected_values(interaction: discord.Interaction[Any]) -> list[str]:
    """Return the selected values of a menu."""
    data = cast("dict[str, Any]", interaction.data or {})
    values = data.get("values")
    return [str(value) for value in values] if isinstance(values, list) else []


def search_id_of(interaction: discord.Interaction[Any]) -> str | None:
    """Return the search id in the pressed custom id, or None."""
    match = CUSTOM_ID.fullmatch(_custom_id(interaction))
    return None if match is None else match["search"]


def model_digest_of(interaction: discord.Interaction[Any]) -> str | None:
    """Return the digest of the model in the pressed custom id, or None."""
    return search_id_of(interaction)  # they share a place


def picture_of(interaction: discord.Interaction[Any]) -> int:
    """Return the picture in the custom id, from 0."""
    match = CUSTOM_ID.fullmatch(_custom_id(interaction))
    return 0 if match is None else int(match["picture"])


def submitted_values(interaction: discord.Interaction[Any]) -> dict[str, list[str]]:
    """Return the values of a submitted form by field; a text is one value.

    A client may send anything: values of other types are left out.
    """
    values = {}
    for field in _fields(cast("dict[str, Any]", interaction.data or {}).get("components")):
        name, chosen = field.get("custom_id"), field.get("values", [field.get("value")])
        if isinstance(name, str) and isinstance(chosen, list):
            values[name] = [each for each in chosen if isinstance(each, str)]
    return values


def _fields(components: object) -> Iterator[dict[str, Any]]:
    for component in components if isinstance(components, list) else ():
        if isinstance(component, dict):
            yield component
            yield from _fields(component.get("components"))
            yield from _fields([component.get("component")])


def shown_price(interaction: discord.Interaction[Any]) -> int:
    """Return the price shown on the pressed component, 0 if it shows none."""
    match = CUSTOM_ID.fullmatch(_custom_id(interaction))
    return 0 if match is None else int(match["price"] or 0)


def _is_on_message(interaction: discord.Interaction[Any], custom_id: str) -> bool:
    """Return whether the pressed message has this component.

    A press may be forged.
    """
    if interaction.message is None:
        return False
    kind = cast("dict[str, Any]", interaction.data or {}).get("component_type")
    return any(
        getattr(component, "custom_id", None) == custom_id and component.type.value == kind
        for component in walk(interaction.message.components)
    )


def _custom_id(interaction: discord.Interaction[Any]) -> str:
    data = cast("dict[str, Any]", interaction.data or {})
    return str(data.get("custom_id", ""))
