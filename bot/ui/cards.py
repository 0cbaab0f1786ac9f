"""The card of a job: one message from its first state to its pictures. Pure functions of a snapshot."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import discord
from discord import ui

from bot.domain.catalogue import DEFAULT_FORMAT
from bot.domain.jobs import Job, Snapshot, State
from bot.ui.buttons import CancelButton, PromptButton
from bot.ui.text import ago, alternative, counted, cut, escaped, in_credits, one_line, ordinal, seconds, usually
from bot.ui.wording import failure

# About three lines on a phone.
_PROMPT_SHOWN: Final = 120

GREY: Final = discord.Colour(0x80848E)
BLURPLE: Final = discord.Colour(0x5865F2)
GREEN: Final = discord.Colour(0x3BA55D)
AMBER: Final = discord.Colour(0xF0B232)
RED: Final = discord.Colour(0xDA373C)

PROVIDER_NAMES: Final = {"skillboss": "SkillBoss", "reve2img": "reve2img"}

_WAITING: Final = (State.HELD, State.SUBMITTING, State.QUEUED)
_CANCELLABLE: Final = (State.HELD, State.SUBMITTING, State.QUEUED, State.RUNNING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attached:
    """A file that goes with a card: its name there, and whether it had to be re-encoded to fit the upload limit."""

    filename: str
    reencoded: bool = False


def job_card(snapshot: Snapshot, now: datetime, soft_deadline: float, files: Sequence[Attached] = ()) -> ui.LayoutView:
    """Return the card; `files` are the pictures attached to the same message, in order.

    The view is a payload, not a listener: it is stopped, so that discord.py keeps nothing of it in memory. Presses
    arrive by the `DynamicItem`s' custom ids.
    """
    job = snapshot.job
    late = not job.state.ended and now - job.created_at > timedelta(seconds=soft_deadline)
    container: ui.Container[ui.LayoutView] = ui.Container(accent_colour=_colour(job, late=late))
    prompt = one_line(job.request.prompt)
    container.add_item(ui.TextDisplay(f"## {escaped(cut(prompt, _PROMPT_SHOWN))}\n-# {_asked(job)}"))
    if files:
        container.add_item(_gallery(job, files))
    container.add_item(ui.TextDisplay(_state_text(snapshot, late=late, files=files)))
    buttons: list[CancelButton | PromptButton] = []
    if job.state in _CANCELLABLE and not job.cancel_refused and job.cancel_requested_at is None:
        buttons.append(CancelButton(job.id))
    if len(prompt) > _PROMPT_SHOWN:
        buttons.append(PromptButton(job.id))
    if buttons:
        container.add_item(ui.ActionRow(*buttons))
    view = ui.LayoutView(timeout=None)
    view.add_item(container)
    view.stop()
    return view


def _colour(job: Job, *, late: bool) -> discord.Colour:
    match job.state:
        case State.DONE:
            return GREEN
        case State.FAILED | State.LOST:
            return RED
        case State.CANCELLED:
            return GREY
        case _ if late:
            return AMBER
        case State.RUNNING | State.STORING | State.UNKNOWN:
            return BLURPLE
        case _:
            return GREY


def _asked(job: Job) -> str:
    """Return what was asked for, in the order of the options."""
    request = job.request
    parts = [request.model, request.aspect_ratio, counted(request.images, "picture")]
    if request.detail > 1:
        parts.append(f"detail {request.detail}")
    if request.resolution is not None:
        parts.append(request.resolution)
    if request.format != DEFAULT_FORMAT:
        parts.append(request.format)
    if request.upscale is not None:
        parts.append(f"upscaled {request.upscale}x")
    if request.remove_background:
        parts.append("cut out")
    if request.fit is not None:
        parts.append(f"fit {request.fit}")
    if request.effect is not None:
        parts.append(f"effect {escaped(request.effect)}")
    if request.version is not None:
        parts.append(f"version {request.version}")
    if request.inputs:
        parts.append(f"from {counted(len(request.inputs), 'picture')}")
    parts.append(f"for <@{job.place.member_id}>")
    return " · ".join(parts)


def _gallery(job: Job, files: Sequence[Attached]) -> ui.MediaGallery[ui.LayoutView]:
    gallery: ui.MediaGallery[ui.LayoutView] = ui.MediaGallery()
    for file in files:
        gallery.add_item(media=f"attachment://{file.filename}", description=alternative(job.request.prompt))
    return gallery


def _state_text(snapshot: Snapshot, *, late: bool, files: Sequence[Attached]) -> str:
    job = snapshot.job
    match job.state:
        case State.DONE:
            return _receipt(snapshot, files)
        case State.FAILED | State.LOST:
            why, next_step = failure(job.fault)
            return f"{why}\n{_returned(snapshot)} {next_step}"
        case State.CANCELLED:
            return f"Cancelled. {_returned(snapshot)}"
        case _:
            return _progress(snapshot, late=late)


def _progress(snapshot: Snapshot, *, late: bool) -> str:
    job = snapshot.job
    if job.cancel_refused:
        note = "Too late to cancel: it has begun, and is charged if it completes."
        return f"Drawing · since {ago(job.created_at)}\n-# {note}"
    if job.cancel_requested_at is not None:
        return f"Cancelling · since {ago(job.created_at)}"
    if snapshot.place_in_line is not None:
        state = f"In line, {ordinal(snapshot.place_in_line)}"
    else:
        state = "In line" if job.state in _WAITING else "Drawing"
    parts = [state, f"since {ago(job.created_at)}"]
    usual = usually(snapshot.usual_seconds)
    if late:
        parts.append("longer than usual, still being watched")
    elif usual is not None:
        parts.append(usual)
    return " · ".join(parts)


def _returned(snapshot: Snapshot) -> str:
    return f"Nothing was charged: {in_credits(snapshot.job.price)} returned, {snapshot.available:,} left today."


def _receipt(snapshot: Snapshot, files: Sequence[Attached]) -> str:
    job = snapshot.job
    charged = job.charged or 0
    parts = [in_credits(charged)]
    if charged != job.price:
        parts = [f"{job.price:,} held", f"{charged:,} charged", f"{job.price - charged:,} returned"]
    parts.append(f"{snapshot.available:,} left today")
    if job.provider is not None:
        parts.append(f"by {PROVIDER_NAMES.get(job.provider, job.provider)}")
    if job.finished_at is not None:
        parts.append(seconds((job.finished_at - job.created_at).total_seconds()))
    lines = [f"-# {' · '.join(parts)}"]
    missing = job.request.images - len(snapshot.pictures)
    if missing > 0:
        came = counted(len(snapshot.pictures), "picture")
        lines.insert(0, f"{came} of {job.request.images} came; only what came was charged.")
    if len(files) < len(snapshot.pictures):
        unshown = counted(len(snapshot.pictures) - len(files), "picture")
        lines.insert(0, f"{unshown} could not be shown here.")
    reencoded = [str(number) for number, file in enumerate(files, 1) if file.reencoded]
    if reencoded:
        which = f"Picture {reencoded[0]} was" if len(reencoded) == 1 else f"Pictures {' and '.join(reencoded)} were"
        if len(files) == 1:
            which = "The picture was"
        elif len(reencoded) == len(files):
            which = "The pictures were"
        lines.append(f"-# {which} re-encoded to fit this server's upload limit.")
    return "\n".join(lines)
