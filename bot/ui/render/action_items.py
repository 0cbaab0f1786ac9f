"""Actions on an ended job: buttons, menu and prices.

The card has them, and so can any other message that shows the job's images.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Final

from discord import ui

from bot.domain.errors import FaultKind
from bot.domain.jobs import Action, Job, State
from bot.domain.options import UPSCALES
from bot.domain.remix import can_change
from bot.ui.buttons import PICTURE_REMIX, REMIX, SHARE, MenuEntry, card_menu
from bot.ui.i18n import _
from bot.ui.render.formatting import in_credits, number

# What was refused for what it says, shows or starts from will be refused again.
_FAILS_AGAIN: Final = (
    FaultKind.CONTENT,
    FaultKind.INVALID,
    FaultKind.INPUT_GONE,
    FaultKind.INPUT_UNDECODABLE,
    FaultKind.INPUT_UNUSABLE,
    FaultKind.INPUT_BROKEN,
    FaultKind.INPUT_TAKEN_DOWN,
    FaultKind.TAKEN_DOWN,
    FaultKind.INPUT_TOO_LARGE,
    FaultKind.INPUT_TOO_SMALL,
)
# A change of the prompt may help against these.
_MAY_BE_REWORDED: Final = (FaultKind.CONTENT, FaultKind.INVALID, FaultKind.TAKEN_DOWN)
# Discord puts at most five buttons into a row, and a job has at most four images.
_MOST_IN_ROW: Final = 5
NUMBERED: Final = range(2, 5)

_Button = ui.Button[ui.LayoutView]
_Item = ui.Item[Any]


def action_items(
    job: Job,
    actions: Collection[Action],
    prices: Mapping[Action, int],
    *,
    shown: Sequence[int] = (),
    others: Sequence[_Button] = (),
    shareable: bool = False,
    favourite: bool = True,
) -> list[_Item]:
    """Return the texts, button rows and menu of an ended job's actions.

    `actions` are what the studio can do; `prices` what they cost for one picture. `shown` are the positions of the
    images in the gallery above, in its order: two to four get buttons each, if the prices are known. `others` are
    buttons to add. `shareable` adds *Share*, `favourite` adds the menu's entry for it.
    """
    possible = _fitting(job, actions)
    each = _each_picture(job, possible, prices, shown)
    items: list[_Item] = []
    if each:
        items.append(ui.TextDisplay(_legend(each, prices, len(shown))))
        items += [_picture_row(job.id, action, prices[action], shown) for action in each]
    buttons = _remix_buttons(job.id, [action for action in possible if action not in each], prices)
    buttons += [*([SHARE.build(job.id)] if shareable else []), *others]
    rows = [buttons[start : start + _MOST_IN_ROW] for start in range(0, len(buttons), _MOST_IN_ROW)]
    items += [ui.ActionRow(*row) for row in rows]
    found = _menu_entries(job, actions, possible, each)
    entries = [entry for entry in found if favourite or entry is not MenuEntry.FAVOURITE]
    items.append(ui.ActionRow(_menu(job.id, entries, prices)))
    return items


def is_publishable(job: Job) -> bool:
    """Return whether its member can make the card public."""
    return job.place.private and bool(job.place.guild_id) and job.state is State.DONE


def _is_undoable(job: Job) -> bool:
    """Return whether the card is an edit that others see, of an earlier job."""
    edited = job.origin is not None and job.origin.action is Action.EDIT
    return edited and job.state is State.DONE and not job.place.private and bool(job.place.guild_id)


def _fitting(job: Job, actions: Collection[Action]) -> Collection[Action]:
    """Return the possible actions of a finished job.

    Without images only Again is possible, unless it would fail again.
    """
    if job.state is State.DONE:
        return actions
    return [action for action in actions if action is Action.AGAIN and job.fault not in _FAILS_AGAIN]


def _each_picture(
    job: Job, actions: Collection[Action], prices: Mapping[Action, int], shown: Sequence[int]
) -> list[Action]:
    """Return the actions with a button for each image."""
    if job.state is not State.DONE or len(shown) not in NUMBERED:
        return []
    return [action for action in PICTURE_REMIX if action in actions and action in prices]


def picture_places(count: int) -> str:
    """Return the place of each number in a gallery of two to four."""
    # As Discord lays out galleries of two, three and four.
    places = {2: _("1 left · 2 right"), 3: _("1 left · 2 top right · 3 bottom right"), 4: _("1, 2 above · 3, 4 below")}
    return places[count]


def _legend(each: Collection[Action], prices: Mapping[Action, int], count: int) -> str:
    """Return the place of each number and the price of a press."""
    lines = [picture_places(count)]
    if Action.VARY in each:
        # Translators: V is the letter of the buttons V1 to V4.
        lines.append(_("V: a variation, {credits}").format(credits=in_credits(prices[Action.VARY])))
    if Action.UPSCALE in each:
        # Translators: U is the letter of the buttons U1 to U4.
        said = _("U: upscaled {factor}×, {credits}")
        lines.append(said.format(factor=UPSCALES[0], credits=in_credits(prices[Action.UPSCALE])))
    return "\n".join(f"-# {line}" for line in lines)


def _picture_row(job_id: str, action: Action, price: int, shown: Sequence[int]) -> ui.ActionRow[ui.LayoutView]:
    spec = PICTURE_REMIX[action]
    return ui.ActionRow(
        *(
            spec.build(job_id, label=_(spec.label).format(number=place), picture=position, price=price)
            for place, position in enumerate(shown, 1)
        )
    )


def _remix_buttons(job_id: str, actions: Collection[Action], prices: Mapping[Action, int]) -> list[_Button]:
    """Return the buttons of the possible actions, with known prices."""
    buttons = []
    for action, spec in REMIX.items():
        if action not in actions:
            continue
        # An upscale has more than one price: its form shows them.
        price, label = None if action is Action.UPSCALE else prices.get(action), None
        if price is not None:
            # Translators: the price on a button, such as "Again · 24".
            label = _("{action} · {price}").format(action=_(spec.label), price=number(price))
        # Again spends at once; the others show their prices in a form.
        buttons.append(spec.build(job_id, label=label, price=price if action is Action.AGAIN else None))
    return buttons


def _menu_entries(
    job: Job, offered: Collection[Action], actions: Collection[Action], each: Collection[Action]
) -> Iterator[MenuEntry]:
    """Yield the entries of the menu.

    `actions` are the possible ones of those `offered`. An upscale with buttons for each image has its form there.
    """
    is_worth_again = Action.AGAIN in actions or job.fault in _MAY_BE_REWORDED
    if Action.AGAIN in offered and is_worth_again and can_change(job.request):
        yield MenuEntry.AGAIN
    if Action.VARY in actions:
        yield MenuEntry.VARY
    if Action.UPSCALE in each:
        yield MenuEntry.UPSCALE
    remixes = {Action.CUT_OUT: MenuEntry.CUT_OUT, Action.REFERENCE: MenuEntry.REFERENCE}
    yield from (entry for action, entry in remixes.items() if action in actions)
    if job.request.inputs and job.state is State.DONE:
        yield MenuEntry.COMPARE
    if _is_undoable(job):
        yield MenuEntry.UNDO
    if is_publishable(job):
        yield MenuEntry.PUBLISH
    if job.state is State.DONE:
        yield MenuEntry.FAVOURITE
    yield MenuEntry.DETAILS
    yield MenuEntry.DELETE


def _menu(job_id: str, entries: Collection[MenuEntry], prices: Mapping[Action, int]) -> ui.Select[ui.LayoutView]:
    words = {}
    if Action.AGAIN in prices:
        # Translators: the price of a menu entry without changes, such as "24 credits as is".
        words[MenuEntry.AGAIN] = _("{credits} as is").format(credits=in_credits(prices[Action.AGAIN]))
    for action, entry in ((Action.VARY, MenuEntry.VARY), (Action.UPSCALE, MenuEntry.UPSCALE)):
        if action in prices:
            # Translators: the lowest price of a menu entry, such as "from 20 credits".
            words[entry] = _("from {credits}").format(credits=in_credits(prices[action]))
    cut_out = prices.get(Action.CUT_OUT)
    if cut_out is not None:
        words[MenuEntry.CUT_OUT] = in_credits(cut_out)
    return card_menu(job_id, entries, prices=words, cut_out=cut_out)
