"""Dispatch of presses to the registered handlers of cogs."""

from typing import Any, cast
from unittest.mock import AsyncMock, Mock

import discord
import pytest

from bot.domain.errors import JobNotFoundError
from bot.ui.handlers.component_registry import ComponentRegistry, picture_of, selected_values, submitted_values
from bot.ui.handlers.seen_interactions import SeenInteractions
from tests.ui.test_custom_ids import ISSUED, ISSUED_FORMS, action_of

TARGET = "0190a5c2d3e47f8899aabbccddeeff00"
UNKNOWN = "This button is from another version of the studio and does not work now."


def component(custom_id: str, kind: discord.ComponentType = discord.ComponentType.button) -> Any:
    """Return a component of a message."""
    return Mock(spec=["custom_id", "type"], custom_id=custom_id, type=kind)


def press(
    custom_id: str,
    *values: str,
    kind: discord.InteractionType = discord.InteractionType.component,
    on_message: str | None = None,
) -> Any:
    """Return an interaction of a pressed button or a menu."""
    interaction = Mock(type=kind, locale=discord.Locale.american_english, extras={})
    interaction.data = {"custom_id": custom_id, "component_type": 2, "values": list(values)}
    interaction.message.components = [component(on_message or custom_id)]
    interaction.response.is_done = Mock(return_value=False)
    interaction.response.send_message = AsyncMock()
    return interaction


@pytest.mark.parametrize("form", ISSUED)
async def test_press_reaches_the_handler_of_its_action(form: str) -> None:
    registry = ComponentRegistry(SeenInteractions())
    calls: list[tuple[str, Any, str]] = []

    def handler_of(action: str) -> Any:
        async def handle(interaction: Any, target: str) -> None:
            calls.append((action, interaction, target))

        return handle

    for action in {action_of(each) for each in ISSUED}:
        registry.register(action, handler_of(action))
    interaction = press(form)
    await registry.dispatch(interaction)
    assert calls == [(action_of(form), interaction, form.split(":")[2])]


@pytest.mark.parametrize("custom_id", [f"a1:gone:{TARGET}:0", "a1:cancel", "a1:"])
async def test_press_of_unknown_action_is_answered_in_private(custom_id: str) -> None:
    registry = ComponentRegistry(SeenInteractions())
    registry.register("cancel", AsyncMock())
    interaction = press(custom_id)
    await registry.dispatch(interaction)
    interaction.response.send_message.assert_awaited_once_with(UNKNOWN, ephemeral=True)


@pytest.mark.parametrize("custom_id", [f"a2:cancel:{TARGET}:0", f"xa1:cancel:{TARGET}:0", "prompt"])
async def test_press_of_foreign_custom_id_is_not_answered(custom_id: str) -> None:
    handler = AsyncMock()
    registry = ComponentRegistry(SeenInteractions())
    registry.register("cancel", handler)
    interaction = press(custom_id)
    await registry.dispatch(interaction)
    handler.assert_not_awaited()
    interaction.response.send_message.assert_not_awaited()


def submission(custom_id: str) -> Any:
    """Return an interaction of a submitted form."""
    interaction = press(custom_id, kind=discord.InteractionType.modal_submit)
    interaction.message = None
    text = {"type": 4, "custom_id": "prompt", "value": "snow"}
    menu = {"type": 3, "custom_id": "model", "values": ["reve-2.0", 7]}
    rows = [{"type": 18, "component": text}, {"type": 1, "components": [menu]}, {"type": 10}, "odd"]
    interaction.data = {"custom_id": custom_id, "components": rows}
    return interaction


@pytest.mark.parametrize("form", ISSUED_FORMS)
async def test_submission_reaches_the_handler_of_its_form_once(form: str) -> None:
    registry, handler = ComponentRegistry(SeenInteractions()), AsyncMock()
    registry.register(action_of(form), AsyncMock(side_effect=AssertionError))
    registry.register_form(action_of(form), handler)
    interaction = submission(form)
    await registry.dispatch(interaction)
    await registry.dispatch(interaction)
    handler.assert_awaited_once_with(interaction, TARGET)
    assert picture_of(interaction) == int(form.split(":")[3])
    assert submitted_values(interaction) == {"prompt": ["snow"], "model": ["reve-2.0"]}


@pytest.mark.parametrize("custom_id", [f"a1:gone:{TARGET}:0", f"a2:edit:{TARGET}:0", "0123456789abcdef"])
async def test_unknown_form_is_left_open(custom_id: str) -> None:
    """Without an answer, Discord keeps the form and its text."""
    registry, handler = ComponentRegistry(SeenInteractions()), AsyncMock()
    registry.register("gone", handler)
    interaction = submission(custom_id)
    await registry.dispatch(interaction)
    handler.assert_not_awaited()
    interaction.response.send_message.assert_not_awaited()


async def test_forged_press_is_ignored() -> None:
    """Another component, a menu with this id, or no message."""
    handler = AsyncMock()
    registry = ComponentRegistry(SeenInteractions())
    registry.register("cancel", handler)
    custom_id = f"a1:cancel:{TARGET}:0"
    other, menu, missing = press(custom_id, on_message=f"a1:prompt:{TARGET}:0"), press(custom_id), press(custom_id)
    menu.message.components = [component(custom_id, discord.ComponentType.select)]
    missing.message = None
    for interaction in (other, menu, missing):
        await registry.dispatch(interaction)
        interaction.response.send_message.assert_not_awaited()
    handler.assert_not_awaited()


async def test_modal_with_a_custom_id_of_ours_is_not_dispatched() -> None:
    interaction = press(f"a1:cancel:{TARGET}:0", kind=discord.InteractionType.modal_submit)
    await ComponentRegistry(SeenInteractions()).dispatch(interaction)
    interaction.response.send_message.assert_not_awaited()


async def test_error_of_a_handler_is_answered_in_private() -> None:
    registry = ComponentRegistry(SeenInteractions())
    registry.register("cancel", AsyncMock(side_effect=JobNotFoundError()))
    interaction = press(f"a1:cancel:{TARGET}:0")
    await registry.dispatch(interaction)
    (call,) = interaction.response.send_message.await_args_list
    assert call.kwargs["ephemeral"] is True
    assert "records are gone" in cast("str", call.kwargs["content"])


def test_action_registered_twice_is_an_error() -> None:
    registry = ComponentRegistry(SeenInteractions())
    registry.register("cancel", AsyncMock())
    with pytest.raises(ValueError, match="cancel"):
        registry.register("cancel", AsyncMock())


def test_selected_values_are_those_of_the_interaction() -> None:
    assert selected_values(press("a1:more", "details")) == ["details"]
