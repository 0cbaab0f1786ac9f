"""Details: all that is known of a job, for one person's eyes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from discord import ui

from bot.domain.costs import Cost, Currency
from bot.domain.jobs import Action, Job
from bot.domain.options import OPTIONS
from bot.domain.requests import GenerationRequest
from bot.services.details import Details, Link
from bot.ui.i18n import N_, _, ngettext
from bot.ui.render.formatting import ago, escaped, in_credits, number, seconds
from bot.ui.render.job_card import BLURPLE, payload_view, prompt_removed

PROMPT_FILE: Final = "prompt.txt"

_CODE_MARK: Final = "```"
# With the marks this stays below the 4,000 characters of a message.
_MOST_IN_BLOCK: Final = 3900
# With all the rest this stays far below the 4,000 characters of a message.
_MOST_OF_PROMPT: Final = 1500

_STEPS: Final = {
    Action.AGAIN: N_("The same again as {job}"),
    Action.VARY: N_("A variation of {picture} of {job}"),
    Action.EDIT: N_("An edit of {picture} of {job}"),
    Action.UPSCALE: N_("Enlarged from {picture} of {job}"),
    Action.CUT_OUT: N_("Cut out of {picture} of {job}"),
    Action.REFERENCE: N_("Made with {picture} of {job} as reference"),
}


@dataclass(frozen=True, slots=True)
class DetailsPanel:
    """A view, and a long prompt for the file `PROMPT_FILE`."""

    view: ui.LayoutView
    prompt: str | None


def details_panel(details: Details) -> DetailsPanel:
    """Return a job's options, times, price, ids and origin.

    Price and ids are shown to its member and to moderators only, costs to moderators.
    """
    job = details.job
    container: ui.Container[ui.LayoutView] = ui.Container(accent_colour=BLURPLE)
    prompt = "\n".join(escaped(line) for line in job.request.prompt.splitlines() if line.strip())
    prompt = prompt or prompt_removed()
    long = len(prompt) > _MOST_OF_PROMPT
    container.add_item(ui.TextDisplay("## " + _("Details")))
    if long:
        container.add_item(ui.File(f"attachment://{PROMPT_FILE}"))
    else:
        container.add_item(ui.TextDisplay(prompt))
    if job.request.negative:
        container.add_item(ui.TextDisplay(f"{_('Not in the picture:')} {escaped(job.request.negative)}"))
    container.add_item(ui.TextDisplay(" · ".join(_options(job.request))))
    container.add_item(ui.TextDisplay("\n".join(f"-# {line}" for line in _story(details))))
    if details.own:
        ids = "\n".join(_ids(details))
        container.add_item(ui.TextDisplay(f"{_('For support:')}\n```\n{ids}\n```"))
    return DetailsPanel(payload_view(container), job.request.prompt if long else None)


def prompt_panel(prompt: str) -> ui.LayoutView | None:
    """Return the whole prompt in a block to copy.

    None if it does not fit into one; then it goes into the file `PROMPT_FILE`.
    """
    if _CODE_MARK in prompt or len(prompt.encode("utf-16-le")) // 2 > _MOST_IN_BLOCK:
        return None
    return payload_view(ui.TextDisplay(f"{_CODE_MARK}\n{prompt}\n{_CODE_MARK}"))


def _options(request: GenerationRequest) -> Iterator[str]:
    """Yield the options by the names that they have in a command.

    Those as private as the prompt are shown below it.
    """
    for name, spec in OPTIONS.items():
        value = request.chosen_format if name == "format" else getattr(request, name)
        if spec.private or not spec.is_asked(value):
            continue
        typed = spec.typed(value)
        if typed is True:
            yield f"`{name}` {_('yes')}"
        else:
            yield f"`{name}` {escaped(typed) if spec.free_text else typed}"


def _story(details: Details) -> Iterator[str]:
    job = details.job
    if job.request.inputs:
        count = len(job.request.inputs)
        yield ngettext("From {count} picture", "From {count} pictures", count).format(count=number(count))
    yield _("Asked for {when} by {member}").format(when=ago(job.created_at), member=f"<@{job.place.member_id}>")
    yield from _durations(job)
    if details.own:
        yield _price(job)
    yield from lineage_lines(details.chain)
    if details.children:
        made = ngettext(
            "Used as a starting point {count} time", "Used as a starting point {count} times", details.children
        )
        yield made.format(count=number(details.children))


def _durations(job: Job) -> Iterator[str]:
    if job.finished_at is None:
        return
    if job.submitted_at is None:
        yield _("Took {all} in all").format(all=_span(job.created_at, job.finished_at))
        return
    said = _("Queued for {waited}, generated in {drawn}")
    waited, drawn = _span(job.created_at, job.submitted_at), _span(job.submitted_at, job.finished_at)
    yield said.format(waited=waited, drawn=drawn)


def _span(begin: Any, end: Any) -> str:
    return seconds((end - begin).total_seconds())


def _price(job: Job) -> str:
    if job.charged is None:
        return _("{credits} held").format(credits=in_credits(job.price))
    if job.charged == job.price:
        return _("{credits} charged").format(credits=in_credits(job.price))
    said = _("{credits} held, {charged} charged, {returned} returned")
    returned = number(job.price - job.charged)
    return said.format(credits=in_credits(job.price), charged=number(job.charged), returned=returned)


def _ids(details: Details) -> Iterator[str]:
    """Yield the ids for support. They are not translated: logs are English."""
    job, attempt = details.job, details.attempt
    yield f"job {job.id}"
    yield f"state {job.state}" + ("" if job.fault is None else f" ({job.fault})")
    if job.place.message_id is not None:
        yield f"message {job.place.message_id}"
    if attempt is not None:
        yield f"provider {attempt.provider}, attempt {attempt.number} ({attempt.outcome})"
        if details.costs:
            yield f"cost {_cost(details.costs)}"
        if attempt.record_id is not None:
            yield f"record {_plain(attempt.record_id)}"
        if attempt.handle is not None:
            yield f"request {_plain(attempt.handle)}"


def _cost(costs: Sequence[Cost]) -> str:
    """Return the sum of the calls' costs, by unit and source."""
    sums: dict[tuple[str, str], Decimal] = {}
    for cost in costs:
        key = cost.currency.upper() if cost.currency is Currency.USD else cost.currency, cost.source
        sums[key] = sums.get(key, Decimal(0)) + cost.amount
    return ", ".join(f"{amount.normalize():f} {unit} ({source})" for (unit, source), amount in sums.items())


def _plain(identifier: str) -> str:
    """Return a provider's id, safe inside a code block."""
    return identifier.replace("`", "'").replace("\n", " ")[:200]


def message_link(job: Job) -> str | None:
    """Return the URL of a job's message, or None if others cannot open it."""
    place = job.place
    if place.message_id is None or place.private or not place.guild_id:
        return None  # nobody can be led there, or it is not known in which server that is
    return f"https://discord.com/channels/{place.guild_id}/{place.channel_id}/{place.message_id}"


def lineage_lines(chain: Sequence[Link]) -> list[str]:
    """Return one line for each step back, the latest first."""
    return [_step(link) for link in chain]


def _step(link: Link) -> str:
    picture = _("picture {number}").format(number=(link.origin.position or 0) + 1)
    return _(_STEPS[link.origin.action]).format(
        picture=picture, job=_("a shared picture") if link.is_shared else _named(link.job)
    )


def _named(job: Job | None) -> str:
    if job is None:
        return _("a job whose records are gone")
    if job.deleted_at is not None:
        return _("a job that was deleted")
    return message_link(job) or _("a job that only its member sees")
