"""Private answers to errors, without stack traces."""

import io
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final

import discord
import structlog
from discord import app_commands, ui

from bot.domain.errors import (
    AtelierError,
    DuplicateInteractionError,
    InsufficientCreditsError,
    NotOfferedError,
    PromptRefusedError,
)
from bot.ui.delivery.discord_errors import AUTOMOD, RETRYABLE, classify
from bot.ui.handlers.command_values import OddValueError
from bot.ui.handlers.interactions import PurchaseOffer, no_offers, without_deleted_channels
from bot.ui.handlers.seen_interactions import is_acknowledged
from bot.ui.i18n import _, use_locale
from bot.ui.render.credit_errors import purchase_note
from bot.ui.render.details import PROMPT_FILE
from bot.ui.render.error_messages import automod_refusal, error_buttons, error_message, unexpected
from bot.ui.render.job_card import payload_view

# Unknown interaction (Discord waits for 3 seconds and tells the person itself) and unknown message (the pressed one
# was deleted meanwhile).
_TOO_LATE: Final = (10062, 10008)

# What an old or forged client sends: a command, an option or a value that is not registered.
_ODD_COMMANDS: Final = (
    app_commands.CommandNotFound,
    app_commands.CommandSignatureMismatch,
    app_commands.TransformerError,
    OddValueError,
)

_log = structlog.get_logger(__name__)

_MOST_QUOTED: Final = 1500
_FENCE: Final = "```"


ErrorRenderer = Callable[[str], Awaitable[Mapping[str, Any]]]
"""Makes the message that says something, where the words alone are not enough."""


async def answer_error(
    interaction: discord.Interaction[Any], error: BaseException, *, renderer: ErrorRenderer | None = None
) -> None:
    """Answer an error privately.

    An unknown error gets a reference and a log line.
    """
    with use_locale(interaction.locale.value):
        await _answer(interaction, error, renderer or _plain)


async def with_typed_text(
    prompt: str, said: str, buttons: Sequence[ui.Button[ui.LayoutView]] = ()
) -> Mapping[str, Any]:
    """Return the error with the typed text, ready to be copied."""
    row = [ui.ActionRow(*buttons)] if buttons else []
    words: ui.TextDisplay[ui.LayoutView] = ui.TextDisplay(f"{said}\n{_('What you typed:')}")
    if len(prompt) <= _MOST_QUOTED and _FENCE not in prompt:
        return {"view": payload_view(words, ui.TextDisplay(f"{_FENCE}\n{prompt}\n{_FENCE}"), *row)}
    file = discord.File(io.BytesIO(prompt.encode()), filename=PROMPT_FILE)
    return {"view": payload_view(words, ui.File(f"attachment://{PROMPT_FILE}"), *row), "file": file}


async def _plain(said: str) -> Mapping[str, Any]:
    return {"content": said}


async def _answer(interaction: discord.Interaction[Any], error: BaseException, renderer: ErrorRenderer) -> None:
    if isinstance(error, app_commands.CommandInvokeError):
        error = error.original
    elif isinstance(error, _ODD_COMMANDS):
        _log.warning("command.odd", error=type(error).__name__)
        error = NotOfferedError()
    if isinstance(error, DuplicateInteractionError) or is_acknowledged(error):
        _log.info("interaction.already_answered")
        return  # by its first delivery, a repeated callback or another process
    if isinstance(error, discord.NotFound) and error.code in _TOO_LATE:
        _log.warning("interaction.too_late")
        return
    if classify(error) in RETRYABLE:
        # By its name alone: the texts of connection errors quote addresses, and those of interactions hold tokens.
        _log.warning("interaction.passing_trouble", error=type(error).__name__)
        await _send(interaction, await renderer(_("Discord did not take the answer. Try again in a moment.")))
        return
    if isinstance(error, discord.HTTPException) and error.code in AUTOMOD:
        _log.info("interaction.refused_by_automod")
        await _send(interaction, await renderer(automod_refusal()))
        return
    error = without_deleted_channels(error, interaction.guild)
    text = error_message(error) if isinstance(error, AtelierError) else None
    if isinstance(error, app_commands.MissingPermissions):
        text = _("That needs the Manage Server permission.")
    if text is None:
        reference = secrets.token_hex(4)
        _log.error("interaction.failed", reference=reference, exc_info=error)
        text = unexpected(reference)
    if renderer is _plain and isinstance(error, PromptRefusedError) and error.typed:
        renderer = partial(with_typed_text, error.typed, buttons=error_buttons(error))
    offers = _purchases(interaction, error)
    if renderer is _plain and (buttons := [*error_buttons(error), *offers]):
        if offers:
            text = f"{text}\n{purchase_note()}"
        await _send(interaction, {"view": payload_view(ui.TextDisplay(text), ui.ActionRow(*buttons))})
        return
    await _send(interaction, await renderer(text))


def _purchases(interaction: discord.Interaction[Any], error: BaseException) -> list[ui.Button[ui.LayoutView]]:
    """Return the buttons to buy missing credits, if any are sold."""
    if not isinstance(error, InsufficientCreditsError):
        return []
    offer: PurchaseOffer = getattr(interaction.client, "offer_purchases", no_offers)
    return offer(interaction, error)


async def _send(interaction: discord.Interaction[Any], message: Mapping[str, Any]) -> None:
    quiet = discord.AllowedMentions.none()
    try:
        if interaction.response.is_done():
            await interaction.followup.send(**message, ephemeral=True, allowed_mentions=quiet)
        else:
            await interaction.response.send_message(**message, ephemeral=True, allowed_mentions=quiet)
    except Exception as error:  # noqa: BLE001 - there is nobody left to tell
        code = error.code if isinstance(error, discord.HTTPException) else None
        _log.warning("interaction.not_answered", error=type(error).__name__, code=code)
