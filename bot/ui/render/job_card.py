"""A job's card from its first state to its images. Pure functions."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, Final

import discord
from discord import ui

from bot.domain.alternatives import Alternative
from bot.domain.jobs import Action, Job, Snapshot, State
from bot.domain.option_spec import OptionSpec, Stage
from bot.domain.options import card_order
from bot.domain.remix import has_own_prompt
from bot.domain.requests import GenerationRequest
from bot.providers.registry import can_cancel, display_name
from bot.ui.buttons import CANCEL, ELSEWHERE, PROMPT, model_digest
from bot.ui.i18n import _, ngettext
from bot.ui.render.action_items import action_items, is_publishable
from bot.ui.render.attachment_messages import input_failure, input_notes
from bot.ui.render.error_messages import failure, model_label
from bot.ui.render.formatting import (
    about,
    ago,
    alternative,
    command_link,
    escaped,
    in_credits,
    number,
    one_line,
    ordinal,
    seconds,
    together,
    usually,
)
from bot.ui.render.pauses import paused, paused_note
from bot.ui.truncation import cut

_PROMPT_SHOWN: Final = 300
_PRIVATE_SHOWN: Final = 60
_REASON_IN_LIST: Final = 60
# About three lines of a large heading on a phone; longer prompts get a small one.
_LARGE_HEADING: Final = 72

GREY: Final = discord.Colour(0x80848E)
BLURPLE: Final = discord.Colour(0x5865F2)
GREEN: Final = discord.Colour(0x3BA55D)
AMBER: Final = discord.Colour(0xF0B232)
RED: Final = discord.Colour(0xDA373C)

_WAITING: Final = (State.HELD, State.SUBMITTING, State.QUEUED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attached:
    """A card's file: its name, and whether it was re-encoded to fit."""

    filename: str
    reencoded: bool = False


def job_card(
    snapshot: Snapshot,
    now: datetime,
    soft_deadline: float,
    files: Sequence[Attached] = (),
    *,
    actions: Collection[Action] = (),
    prices: Mapping[Action, int] | None = None,
    alternatives: Sequence[Alternative] = (),
    direct: bool = False,
    copy: bool = False,
    inputs: Sequence[str] = (),
    command_ids: Mapping[str, int] = MappingProxyType({}),
) -> ui.LayoutView:
    """Return the card. `files` are its attached images, in order.

    `inputs` are the names of its attached input images, shown while the job is live: providers fetch them there.
    `actions` are the possible remixes, `prices` what they cost for one picture. `alternatives` are the models for
    another try of a job without a model. `direct` is for a direct message
    instead of the card: it gives the reason and always has a button, to recognize the message by. `copy` is for a
    direct message besides the card. `command_ids` are Discord's, for the link on a private receipt. The view is a
    payload, not a listener: it is stopped, so discord.py keeps nothing of it in memory. Presses arrive by their custom
    ids, in `ComponentRegistry`.
    """
    job = snapshot.job
    late = not job.state.ended and now - job.created_at > timedelta(seconds=soft_deadline)
    container: ui.Container[ui.LayoutView] = ui.Container(accent_colour=_colour(snapshot, late=late))
    if direct:
        container.add_item(ui.TextDisplay(_why_here(snapshot, copy=copy)))
    container.add_item(ui.TextDisplay(heading(job.request, job.place.member_id)))
    if files:
        container.add_item(gallery(job, files, covered=snapshot.is_hidden and not direct))
    if inputs:
        container.add_item(_input_gallery(inputs))
    container.add_item(ui.TextDisplay(_state_text(snapshot, late=late, files=files, direct=direct, ids=command_ids)))
    closes = job.card_closes_at
    if not job.state.ended and not direct and closes is not None and now >= closes:
        container.add_item(ui.TextDisplay(f"-# {_last_words()}"))
    buttons = [PROMPT.build(job.id)] if direct or prompt_is_cut(job) else []
    if job.state.ended:
        if direct and job.place.guild_id and actions:
            container.add_item(ui.TextDisplay(f"-# {_account_note()}"))
        if alternatives:
            container.add_item(ui.ActionRow(*(_elsewhere(job, each) for each in alternatives)))
        shown = _shown_positions(snapshot, len(files))
        possible = () if snapshot.is_hidden and not direct else actions
        for item in action_items(
            job, possible, prices or {}, shown=shown, others=buttons, shareable=snapshot.is_shareable
        ):
            container.add_item(item)
        return payload_view(container)
    if is_cancellable(snapshot):
        buttons.insert(0, CANCEL.build(job.id))
    if buttons:
        container.add_item(ui.ActionRow(*buttons))
    return payload_view(container)


def _shown_positions(snapshot: Snapshot, files: int) -> Sequence[int]:
    """Return the positions of the pictures in the gallery, if they are known."""
    if files == len(snapshot.pictures):
        return [each.position for each in snapshot.pictures]
    came = len(snapshot.pictures) + snapshot.removed
    return range(came) if files == came and not snapshot.taken_down else ()


def _elsewhere(job: Job, alternative: Alternative) -> ui.Button[ui.LayoutView]:
    """Return the button for a job's request at another model."""
    model, price = alternative.model, alternative.price
    return ELSEWHERE.build(job.id, label=model_label(model, price), search_id=model_digest(model), price=price)


def _account_note() -> str:
    return _("What you make from here is made here, with your credits for direct messages instead of the server's.")


def is_cancellable(snapshot: Snapshot) -> bool:
    """Return whether a press on Cancel could still stop the job."""
    job = snapshot.job
    if snapshot.at_work or job.cancel_refused or job.cancel_requested_at is not None:
        return False
    if job.state is State.RUNNING:
        return job.provider is not None and can_cancel(job.provider, running=True)
    return job.state in _WAITING and (job.provider is None or can_cancel(job.provider))


def payload_view(*items: ui.Item[Any]) -> ui.LayoutView:
    """Return a view that is a payload and no listener."""
    view = ui.LayoutView(timeout=None)
    for item in items:
        view.add_item(item)
    view.stop()
    return view


def heading(request: GenerationRequest, member_id: int) -> str:
    """Return the prompt, cut if it is long, options and member."""
    parts = [*asked(request), _("for {member}").format(member=f"<@{member_id}>")]
    title = card_title(request, _PROMPT_SHOWN)
    mark = "##" if len(title) <= _LARGE_HEADING else "###"
    return f"{mark} {escaped(title)}\n-# {' · '.join(parts)}"


def card_title(request: GenerationRequest, limit: int) -> str:
    """Return the prompt, cut to a limit, and the processing of an image."""
    if not has_own_prompt(request):
        # Translators: {changes} is such as "upscaled 2×" or "cut out".
        return _("The same picture, {changes}").format(changes=together(_words(request, Stage.PROCESSING)))
    prompt = cut(one_line(request.prompt), limit) if request.prompt else prompt_removed()
    return " · ".join([prompt, *_words(request, Stage.PROCESSING)]) if request.keeps_picture else prompt


def prompt_removed() -> str:
    """Return the words for an erased prompt."""
    return _("Prompt removed")


def prompt_is_cut(job: Job) -> bool:
    """Return whether the heading lacks a part of the prompt."""
    return len(one_line(job.request.prompt)) > _PROMPT_SHOWN


def gallery(job: Job, files: Sequence[Attached], *, covered: bool = False) -> ui.MediaGallery[ui.LayoutView]:
    """Return the attached images with alternative texts.

    `covered`: spoilers cover them.
    """
    shown: ui.MediaGallery[ui.LayoutView] = ui.MediaGallery()
    title = card_title(job.request, len(job.request.prompt))
    for place, file in enumerate(files, 1):
        shown.add_item(
            media=f"attachment://{file.filename}",
            description=alternative(_numbered(title, place, len(files)) if len(files) > 1 else title),
            spoiler=covered,
        )
    return shown


def _numbered(title: str, place: int, count: int) -> str:
    return _("Picture {number} of {count}: {title}").format(number=place, count=count, title=title)


def _input_gallery(names: Sequence[str]) -> ui.MediaGallery[ui.LayoutView]:
    shown: ui.MediaGallery[ui.LayoutView] = ui.MediaGallery()
    for name in names:
        shown.add_item(media=f"attachment://{name}", description=_("A picture to start from"))
    return shown


def reencoded_note(files: Sequence[Attached], limit: str) -> str | None:
    """Return a note on re-encoded images, or None.

    `limit` is such as "the upload limit".
    """
    reencoded = [str(place) for place, file in enumerate(files, 1) if file.reencoded]
    if not reencoded:
        return None
    if len(files) == 1:
        said = _("The picture was re-encoded to fit {limit}.")
    elif len(reencoded) == len(files):
        said = _("The pictures were re-encoded to fit {limit}.")
    elif len(reencoded) == 1:
        said = _("Picture {which} was re-encoded to fit {limit}.")
    else:
        said = _("Pictures {which} were re-encoded to fit {limit}.")
    return f"-# {said.format(which=together(reencoded), limit=limit)}"


def _why_here(snapshot: Snapshot, *, copy: bool) -> str:
    job = snapshot.job
    count = len(snapshot.pictures)
    if copy:
        said = _("From your private card, as you asked in `/settings`.")
    elif job.place.guild_id:
        said = ngettext(
            "Your picture from {channel}: its card there could not be reached any more.",
            "Your {count} pictures from {channel}: their card there could not be reached any more.",
            count,
        )
    else:
        said = ngettext(
            "Your picture: its card could not be reached any more.",
            "Your {count} pictures: their card could not be reached any more.",
            count,
        )
    return f"-# {said.format(count=number(count), channel=f'<#{job.place.channel_id}>')}"


def _colour(snapshot: Snapshot, *, late: bool) -> discord.Colour:
    match snapshot.job.state:
        case State.DONE:
            return GREEN
        case State.FAILED | State.LOST:
            return RED
        case State.CANCELLED:
            return GREY
        case _ if late:
            return AMBER
        case State.SUBMITTING if snapshot.at_work:
            return BLURPLE
        case State.RUNNING | State.STORING | State.UNKNOWN:
            return BLURPLE
        case _:
            return GREY


def asked(request: GenerationRequest) -> list[str]:
    """Return the options of a request in words, then its inputs."""
    # The heading has them if there is nothing else to say.
    parts = _words(request, *(stage for stage in Stage if not (request.keeps_picture and stage is Stage.PROCESSING)))
    if request.inputs:
        count = len(request.inputs)
        parts.append(ngettext("from {count} picture", "from {count} pictures", count).format(count=number(count)))
    return parts


def _words(request: GenerationRequest, *stages: Stage) -> list[str]:
    """Return the words of the options of these stages that were asked for."""
    values = [(spec, getattr(request, spec.name)) for spec in card_order() if spec.stage in stages]
    return [
        option_words(spec, spec.typed(value), escape=spec.free_text)
        for spec, value in values
        if spec.always_on_card or value != spec.default
    ]


def option_words(spec: OptionSpec, typed: Any, *, escape: bool) -> str:
    """Return the words of an option on cards and presets, from its typed form.

    A text that is as private as a prompt is cut; the details show all of it.
    """
    if spec.private:
        typed = cut(one_line(typed), _PRIVATE_SHOWN)
    return _(spec.card(escaped(typed) if escape else typed))


def _state_text(
    snapshot: Snapshot, *, late: bool, files: Sequence[Attached], direct: bool, ids: Mapping[str, int]
) -> str:
    job = snapshot.job
    match job.state:
        case State.DONE:
            return "\n".join([_receipt(snapshot, files, direct=direct, ids=ids), *input_notes(job.request.inputs)])
        case State.FAILED | State.LOST:
            why, next_step = input_failure(job) or failure(job.fault)
            return f"{why}\n{_returned(snapshot, direct=direct)} {next_step}"
        case State.CANCELLED:
            return f"{_('Cancelled.')} {_returned(snapshot, direct=direct)}"
        case _:
            return "\n".join([_progress(snapshot, late=late), *input_notes(job.request.inputs)])


def _progress(snapshot: Snapshot, *, late: bool) -> str:
    job = snapshot.job
    started = _("started {when}").format(when=ago(job.submitted_at or job.created_at))
    if job.state is State.UNKNOWN:
        note = _("No clear answer came after this was sent, so its outcome is unknown. It may still come.")
        if snapshot.held_until is not None:
            until = ago(snapshot.held_until)
            kept = _("This happened often today, so the credits stay held until the answer, or are returned {when}.")
            note = f"{note}\n-# {kept.format(when=until)}"
        return f"{_('Waiting for the answer')} · {started}\n-# {note}"
    if job.cancel_refused or (snapshot.at_work and job.cancel_requested_at is not None):
        note = _("Too late to cancel: it has begun, and is charged if it completes.")
        return f"{_('Generating')} · {started}\n-# {note}"
    if job.cancel_requested_at is not None:
        return f"{_('Cancelling')} · {started}"
    if snapshot.pause is not None:
        return f"{_('Paused')} · {ago(job.created_at)}\n-# {paused_note(snapshot.pause)}"
    state = _live_state(snapshot, late=late)
    started = ago(job.created_at) if _is_waiting(snapshot) else started
    parts = [state, started]
    usual = usually(snapshot.usual_seconds)
    if late:
        parts.append(_("longer than usual, still being watched"))
    elif usual is not None and snapshot.forecast_seconds is None:
        parts.append(usual)
    if snapshot.waits_for_storage:
        note = _("The studio cannot store pictures at the moment. This waits, and starts by itself.")
        return f"{' · '.join(parts)}\n-# {note}"
    return " · ".join(parts)


def live_state(snapshot: Snapshot) -> tuple[str, str | None]:
    """Return the state of a live job for a list, and the obstacle in its way."""
    if snapshot.job.cancel_requested_at is not None and not snapshot.job.cancel_refused:
        return _("Cancelling"), None
    if snapshot.pause is not None:
        pause = replace(snapshot.pause, reason=cut(snapshot.pause.reason, _REASON_IN_LIST))
        return _("Paused"), paused(pause)
    obstacle = _("The studio cannot store pictures at the moment.") if snapshot.waits_for_storage else None
    return _live_state(snapshot, late=False), obstacle


def _live_state(snapshot: Snapshot, *, late: bool) -> str:
    """Return the state of a job without a request to cancel."""
    job = snapshot.job
    if job.state is State.HELD and not job.prepared:
        count = len(job.request.inputs)
        if not count:
            return _("Checking your prompt")
        return ngettext("Fetching your picture", "Fetching your {count} pictures", count).format(count=number(count))
    if snapshot.queue_position is not None:
        return _queued(snapshot, snapshot.queue_position, late=late)
    if snapshot.remote_position is not None:
        place = ordinal(snapshot.remote_position)
        return _("Queued at {provider}, {place}").format(provider=display_name(job.provider or ""), place=place)
    if _is_waiting(snapshot):
        return _("Queued")
    if snapshot.percent is not None:
        return _("Generating, {percent} %").format(percent=number(snapshot.percent))
    return _("Generating")


def _is_waiting(snapshot: Snapshot) -> bool:
    """Return whether nobody works on a job yet, and its inputs are here."""
    job = snapshot.job
    if snapshot.queue_position is not None:
        return True
    if snapshot.remote_position is not None:
        return False
    return job.state in _WAITING and not snapshot.at_work and (job.state is not State.HELD or job.prepared)


def _queued(snapshot: Snapshot, position: int, *, late: bool) -> str:
    """Return the position, the forecast and the reason to wait."""
    said = _("Queued, {place}").format(place=ordinal(position))
    if snapshot.forecast_seconds is not None and not late:
        said = f"{said} · {about(snapshot.forecast_seconds)}"
    if not snapshot.own_first:
        return said
    first = ngettext("your other one comes first", "your other {count} come first", snapshot.own_first)
    return f"{said} ({first.format(count=number(snapshot.own_first))})"


def _last_words() -> str:
    return _(
        "Discord lets this card change for 15 minutes only. The result comes by direct message, or look for it with"
        " `/history`."
    )


def _returned(snapshot: Snapshot, *, direct: bool) -> str:
    job = snapshot.job
    if snapshot.available is not None and _is_for_member_only(job, direct=direct):
        said = _("Nothing was charged: {credits} returned, {left} left.")
        return said.format(credits=in_credits(job.price), left=number(snapshot.available))
    return _("Nothing was charged: {credits} returned.").format(credits=in_credits(job.price))


def _is_for_member_only(job: Job, *, direct: bool) -> bool:
    """Return whether nobody but the member sees the message.

    Only there it shows the member's balance.
    """
    return direct or job.place.private


def settlement(held: int, charged: int) -> list[str]:
    """Return held, charged and returned credits if they differ."""
    return [
        _("{count} held").format(count=number(held)),
        _("{count} charged").format(count=number(charged)),
        _("{count} returned").format(count=number(held - charged)),
    ]


def provider_credit(name: str) -> str:
    """Return the credit of the provider with a name for people."""
    return _("by {provider}").format(provider=name)


def age_restricted_note() -> str:
    """Return the note in place of an age-restricted job's pictures."""
    return _("Made in an age-restricted channel: `/history` in such a channel shows it.")


def _receipt(snapshot: Snapshot, files: Sequence[Attached], *, direct: bool, ids: Mapping[str, int]) -> str:
    job = snapshot.job
    charged = job.charged or 0
    parts = [in_credits(charged)] if charged == job.price else settlement(job.price, charged)
    if job.request.keeps_picture:
        parts = [*(f"{each.file.width} × {each.file.height}" for each in snapshot.pictures[:1]), *parts]
    if snapshot.available is not None and _is_for_member_only(job, direct=direct):
        parts.append(_("{count} left").format(count=number(snapshot.available)))
    if job.place.private and job.place.guild_id and not direct:
        parts.append(command_link("credits_history", ids))
    if job.finished_at is not None:
        parts.append(seconds((job.finished_at - job.created_at).total_seconds()))
    if direct:
        parts.append(_("delivered by direct message"))
    lines = [f"-# {' · '.join(parts)}"]
    lines[:0] = _arrivals(snapshot, files, direct=direct)
    if direct:
        limit = _("a direct message's upload limit")
    else:
        limit = _("this server's upload limit") if job.place.guild_id else _("the upload limit")
    note = reencoded_note(files, limit)
    if note is not None:
        lines.append(note)
    if job.place.private and files and not direct:
        sharing = _("*Make public* under *More…* posts it in the channel.")
        saving = ngettext(
            "To show it to others, save the picture and post it.",
            "To show them to others, save the pictures and post them.",
            len(files),
        )
        lines.append(f"-# {sharing if is_publishable(job) else saving}")
    return "\n".join(lines)


def _arrivals(snapshot: Snapshot, files: Sequence[Attached], *, direct: bool) -> list[str]:
    """Return the reasons for fewer pictures than the member asked for."""
    job, lines = snapshot.job, list[str]()
    if snapshot.is_hidden and not direct:
        lines.append(_("Covered until a moderator has looked.") if files else _("Hidden until a moderator has looked."))
    elif len(files) < len(snapshot.pictures):
        count = len(snapshot.pictures) - len(files)
        unshown = (
            age_restricted_note()
            if job.age_restricted and not files
            else ngettext(
                "{count} picture could not be shown here. Look for it with `/history`.",
                "{count} pictures could not be shown here. Look for them with `/history`.",
                count,
            )
        )
        lines.append(unshown.format(count=number(count)))
    came = len(snapshot.pictures) + snapshot.removed
    if came < job.request.images:
        said = ngettext(
            "{count} picture of {all} came; only what came was charged.",
            "{count} pictures of {all} came; only what came was charged.",
            came,
        )
        lines.append(said.format(count=number(came), all=number(job.request.images)))
    if snapshot.taken_down:
        lines.append(removed_note(snapshot.taken_down))
    return lines


def removed_note(count: int) -> str:
    """Return the note on removed single pictures."""
    said = ngettext("{count} picture was removed.", "{count} pictures were removed.", count)
    return said.format(count=number(count))
