"""Panels of `/status` and `/help`."""

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Final

from discord import ui

from bot.domain.catalogue import Catalogue
from bot.domain.costs import ProviderBalance
from bot.domain.errors import FaultKind
from bot.domain.models import Model
from bot.domain.options import OPTIONS
from bot.domain.pauses import Pause, PauseScope
from bot.engine.health import ProviderHealth
from bot.providers.registry import display_name
from bot.services.access import Admission
from bot.services.status import Status
from bot.ui.i18n import _, ngettext
from bot.ui.render.budget_alerts import budget_parts
from bot.ui.render.command_list import HelpPage, help_pages
from bot.ui.render.formatting import ago, and_more, command_link, escaped, first_of, in_credits, number, usually
from bot.ui.render.job_card import AMBER, BLURPLE, GREEN, RED, payload_view
from bot.ui.render.pauses import paused

_NAMED_COMMANDS: Final = (
    "imagine",
    "edit",
    "blend",
    "history",
    "credits_balance",
    "credits_history",
    "status",
    "settings_set",
    "settings_show",
    "preset_save",
    "preset_list",
    "jobs_list",
    "privacy_export",
    "privacy_delete",
    "share_list",
)
# Below Discord's 4,000 characters of a message.
_LONGEST_HELP: Final = 3950
_ROOM_FOR_COUNT: Final = 40
_MOST_CLOSED: Final = 6
# Pauses that stand in the line of their model or provider.
_NAMED_SCOPES: Final = (PauseScope.MODEL, PauseScope.PROVIDER)
_CLOSED: Final = frozenset({FaultKind.KEY_REJECTED, FaultKind.ACCOUNT_EMPTY})


def status_panel(status: Status, provider_name: Callable[[str], str] = display_name) -> ui.LayoutView:
    """Return providers, queue and usual durations.

    `provider_name` returns a provider's name for people.
    """
    title, open_ = _heading_of(status)
    lines = [f"## {title}"]
    lines += [] if status.is_admitted else [_("The studio is not open to this server yet.")]
    lines += [_("The studio's budget for this month is used up.")] if status.budget_spent else []
    lines += [f"{paused(each)} ({ago(each.at)})" for each in status.pauses if each.scope not in _NAMED_SCOPES]
    waiting = ngettext("{count} job queued", "{count} jobs queued", status.waiting).format(count=number(status.waiting))
    lines.append(f"{waiting} · {_('{count} generating').format(count=number(status.working))}")
    for each in status.providers:
        pause = status.pauses.find(PauseScope.PROVIDER, each.provider)
        condition = provider_condition(each) if pause is None else _paused_since(pause)
        lines.append(f"-# {provider_name(each.provider)}: {condition}")
    lines += _usual_times(status)
    lines += ["-# " + budget_parts(status.budget)] if status.is_admitted else []
    fine = (
        open_
        and not status.pauses
        and all(health.fault is None and not health.closed_models for health in status.providers)
    )
    return _panel("\n".join(lines), GREEN if fine else AMBER)


def _heading_of(status: Status) -> tuple[str, bool]:
    """Return the heading, and whether jobs are taken."""
    if not status.is_admitted:
        return _("The studio is closed"), False
    paused_providers = status.pauses.names(PauseScope.PROVIDER)
    paused_models = status.pauses.names(PauseScope.MODEL)
    running = [each for each in status.providers if each.provider not in paused_providers]
    is_paused = (
        status.pauses.of_guild(status.guild_id) is not None
        or (bool(status.providers) and not running)
        or (bool(status.usual_seconds) and paused_models.issuperset(status.usual_seconds))
    )
    if is_paused:
        return _("The studio is paused"), False
    if status.budget_spent or all(each.fault in _CLOSED for each in running):
        return _("The studio is closed"), False
    return _("The studio is open"), True


def _usual_times(status: Status) -> Iterator[str]:
    """Yield a line for each measured or paused model, and the others' number."""
    unmeasured = 0
    for model, measured in status.usual_seconds.items():
        pause = status.pauses.find(PauseScope.MODEL, model)
        if pause is not None:
            yield f"-# {model}: {_paused_since(pause)}"
        elif measured is not None:
            yield f"-# {model}: {usually(measured)}"
        else:
            unmeasured += 1
    if unmeasured and unmeasured == len(status.usual_seconds):
        yield f"-# {_('Usual times: not measured yet')}"
    elif unmeasured:
        said = ngettext("{count} other model: not measured yet", "{count} other models: not measured yet", unmeasured)
        yield f"-# {said.format(count=number(unmeasured))}"


def _paused_since(pause: Pause) -> str:
    """Return the state of a paused model or provider, with the reason."""
    if not pause.reason:
        return _("paused since {when}").format(when=ago(pause.at))
    return _("paused since {when}: {reason}").format(when=ago(pause.at), reason=escaped(pause.reason))


def retirement_alert(model: Model) -> str:
    """Return the message to an owner: a model ends soon."""
    day = model.retires
    at = "" if day is None else f"<t:{int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())}:D>"
    title = _("The model {model} retires on {day}.").format(model=model.id, day=at)
    advice = _(
        "From that day on nobody can choose it; if it is the default, the next model of `DEFAULT_MODEL` is."
        " `force = true` in `MODELS_FILE` keeps it on. Restart the bot that day."
    )
    return f"**{title}**\n-# {advice}"


def low_balance_alert(provider: str, balance: ProviderBalance) -> str:
    """Return the message to an owner: a provider's balance is low."""
    title = _("The balance at {provider} is low: {amount} left.").format(
        provider=display_name(provider), amount=f"${balance.amount:,.2f}"
    )
    advice = _("Without money it makes no pictures. Top it up there. `LOW_BALANCE_USD` sets the limit.")
    return f"**{title}**\n-# {advice}"


def closed_model_alert(model: Model, successor: str | None) -> str:
    """Return the message to an owner: no provider serves a model."""
    title = _("No provider serves the model {model} at present.").format(model=model.id)
    if successor is None:
        advice = _("Who chooses it is refused and offered other models.")
    else:
        advice = _("Who chooses it is refused; who chooses none gets {successor}.").format(successor=successor)
    again = _("It comes back by itself once a provider takes a job for it. `/status` and the log have the cause.")
    return f"**{title}**\n{advice}\n-# {again}"


def provider_condition(health: ProviderHealth) -> str:
    """Return a provider's health in words."""
    parts = [_state(health)]
    if health.closed_models:
        parts.append(_("without {models}").format(models=", ".join(first_of(health.closed_models, _MOST_CLOSED))))
    if health.other_ratios:
        ignored = ngettext(
            "{count} picture in another aspect ratio than asked",
            "{count} pictures in another aspect ratio than asked",
            health.other_ratios,
        )
        parts.append(ignored.format(count=number(health.other_ratios)))
    return " · ".join(parts)


def _state(health: ProviderHealth) -> str:
    if health.fault is None:
        return _("working")
    closed = health.fault in _CLOSED
    if health.since is None:
        return _("closed") if closed else _("in trouble")
    return (_("closed since {when}") if closed else _("in trouble since {when}")).format(when=ago(health.since))


def help_panel(
    catalogue: Catalogue,
    command_ids: Mapping[str, int] = MappingProxyType({}),
    *,
    mentions: bool = False,
    contact: str | None = None,
) -> ui.LayoutView:
    """Return the first steps, and each model with strength and price.

    Commands are links to them if their ids are known. `mentions` tells that messages can ask for edits.
    `contact` is the operator's address for complaints.
    """
    links = {name: command_link(name.replace("_", " "), command_ids) for name in _NAMED_COMMANDS}
    edits = any(model.abilities.max_inputs for model in catalogue.models)
    steps = [
        _("1. Send {imagine} with a prompt. The answer becomes your pictures; you pay only for those that arrive."),
        _("2. Press the buttons below your pictures to make more of them."),
        _("3. Find them again with {history}."),
    ]
    more = [
        _("{edit} changes a picture that you attach; *Edit this image* in the menu of a message changes the one there.")
        if edits
        else "",
        _("Or reply to a picture, mention me and say what to change: I ask before it costs anything.")
        if edits and mentions
        else "",
        _("{blend} makes one picture of two to four, for the price of an edit.") if edits else "",
        _("{credits_balance} shows what you can spend, {credits_history} where it went, {status} how busy it is."),
        _("{jobs_list} lists what is in progress and cancels it."),
        _("{settings_set} changes your own defaults, and {settings_show} lists them."),
        _("{privacy_export} sends you what is stored about you, {privacy_delete} deletes it."),
        _("{preset_save} keeps options under a name, and {preset_list} lists yours."),
        _("*Share to showcase* in a card's menu does what its *Share* does; {share_list} lists what you shared."),
        _("In a message's menu, *Was this made here?* finds its card, and *Report* tells the moderators."),
    ]
    complaints = _("A picture harms you or breaks the law? Write to {contact}.").format(contact=contact)
    lines = [
        f"## {_('Make pictures from words')}",
        *(line.format(**links) for line in steps),
        # A heading ends the numbered list: Discord would indent the lines after it.
        f"### {_('More')}",
        *(line.format(**links) for line in more if line),
        *([] if contact is None else [complaints]),
        f"### {_('Models')}",
    ]
    room = _LONGEST_HELP - _length("\n".join(lines))
    text = "\n".join([*lines, *_models(catalogue, room)])
    return payload_view(ui.Container(ui.TextDisplay(text), help_pages(HelpPage.STEPS), accent_colour=BLURPLE))


def _models(catalogue: Catalogue, room: int) -> list[str]:
    """Return each model's entry, within a number of UTF-16 units.

    The last ones lack their options if room is short; if that is not enough, they are only counted.
    """
    short = [_heading(model, catalogue) + f"\n-# {_(model.strength)}" for model in catalogue.models]
    full = [_heading(model, catalogue) + f"\n-# {_abilities(model)}" for model in catalogue.models]
    for count in range(len(full), -1, -1):
        entries = full[:count] + short[count:]
        if _length("\n".join(entries)) < room:
            return entries
    shown: list[str] = []
    for entry in short:
        if _length("\n".join([*shown, entry])) > room - _ROOM_FOR_COUNT:
            break
        shown.append(entry)
    more = len(short) - len(shown)
    return [*shown, f"-# {and_more(more)}"]


def _heading(model: Model, catalogue: Catalogue) -> str:
    usual = f" · {_('the one you get unless you choose')}" if model.id == catalogue.default_model else ""
    return f"**{escaped(model.name) if model.name else model.id}** · {_price(model)}{usual}"


def _length(text: str) -> int:
    """Return a text's length as Discord counts it."""
    return len(text.encode("utf-16-le")) // 2


def admitted_panel(admission: Admission, guild_id: int) -> ui.LayoutView:
    """Return the answer to `/studio admit`."""
    match admission:
        case Admission.ADMITTED:
            return _panel(_("This server is admitted to the studio. Its members can use `/imagine` now."), GREEN)
        case Admission.LISTED:
            said = _("`COMMUNITIES` in the bot's settings decides, and it admits this server already.")
            return _panel(said, GREEN)
        case Admission.UNLISTED:
            said = _(
                "This server is not admitted: `COMMUNITIES` in the bot's settings decides. Add `{server}` to it and"
                " restart the bot, or remove `COMMUNITIES` to admit servers here."
            )
            return _panel(said.format(server=guild_id), RED)


def admission_ended_panel(*, ended: bool) -> ui.LayoutView:
    """Return the answer to `/studio unadmit`."""
    if ended:
        return _panel(_("This server is not admitted any more. Running jobs finish; new ones are refused."), GREEN)
    return _panel(_("This server had no admission by `/studio admit`, so nothing changed."), AMBER)


def _price(model: Model) -> str:
    """Return the price of an image, and of an edit if it differs."""
    edits = model.edit_price if model.abilities.max_inputs else None
    if edits is None:
        return _("{credits} a picture").format(credits=in_credits(model.text_price))
    said = _("{credits} a picture, {edit} an edit")
    return said.format(credits=in_credits(model.text_price), edit=number(edits))


def _abilities(model: Model) -> str:
    """Return a model's abilities and surcharges."""
    can = model.abilities
    words = [spec.help(can[name], model) for name, spec in OPTIONS.items() if spec.help is not None]
    parts = [_(model.strength), *(_(each) for each in words if each is not None)]
    if not can.max_inputs:
        parts.insert(2, _("from text only"))  # after the number of images
    extras = " · ".join(_extras(model))
    return " · ".join(parts) + (f"\n-# {_('adds to each picture: {extras}').format(extras=extras)}" if extras else "")


def _extras(model: Model) -> Iterator[str]:
    """Yield a model's options with a surcharge, free ones last."""
    priced = [spec for spec in OPTIONS.values() if spec.surcharge is not None and model.abilities[spec.name]]
    for spec in sorted(priced, key=lambda spec: spec.surcharge == 0):
        if isinstance(spec.surcharge, int):
            credits_ = number(spec.surcharge) if spec.surcharge else _("free")
        else:
            factors = model.abilities[spec.name]
            credits_ = ", ".join(f"{each}× {number(spec.surcharge_of(each))}" for each in factors)
        if spec.surcharge_help is not None:
            yield _(spec.surcharge_help(credits_))


def _panel(text: str, colour: object) -> ui.LayoutView:
    view = ui.LayoutView(timeout=None)
    view.add_item(ui.Container(ui.TextDisplay(text), accent_colour=colour))  # type: ignore[arg-type]
    view.stop()
    return view
