"""The form to share pictures, and the choices in its submissions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

import discord
from discord import ui

from bot.domain.errors import NotOfferedError
from bot.domain.requests import readable
from bot.domain.saved_forms import FilledForm, ShareForm
from bot.domain.sharing.submissions import MAX_PICTURES, MAX_TITLE, SubmissionOptions
from bot.services.sharing.submissions import ShareOffer
from bot.ui.buttons import REVISE, SHARE, custom_id
from bot.ui.handlers.modals import Form
from bot.ui.i18n import _
from bot.ui.render.formatting import escaped, one_line
from bot.ui.truncation import cut

_LONGEST_OPTION: Final = 100
_PROMPT, _ANONYMOUS, _SPOILER = "prompt", "anonymous", "spoiler"

Values = Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """A member's choices in the form.

    `positions` are pictures of the job, from 0.
    """

    positions: tuple[int, ...]
    options: SubmissionOptions

    @classmethod
    def read(cls, values: Values, picture: int) -> Self:
        """Return the choices in a submission.

        `picture` is the only one of a form without a choice.

        Raises:
            NotOfferedError: a value is not one of those offered.
        """
        chosen, pictures = values.get("choices", ()), values.get("pictures", (str(picture),))
        if not set(chosen) <= {_PROMPT, _ANONYMOUS, _SPOILER} or not set(pictures) <= set(map(str, range(100))):
            raise NotOfferedError
        title = one_line(readable(next(iter(values.get("title", ())), "")))
        return cls(
            positions=tuple(sorted(map(int, pictures))),
            options=SubmissionOptions(
                title=title,
                show_prompt=_PROMPT in chosen,
                is_anonymous=_ANONYMOUS in chosen,
                is_spoiler=_SPOILER in chosen,
            ),
        )

    @classmethod
    def stored(cls, filled: FilledForm) -> Self:
        """Return the choices of a stored form."""
        return cls(
            positions=filled.chosen,
            options=SubmissionOptions(
                title=filled.prompt,
                show_prompt=_PROMPT in filled.options,
                is_anonymous=_ANONYMOUS in filled.options,
                is_spoiler=_SPOILER in filled.options,
            ),
        )


def filled_form(form: ShareForm, values: Values, picture: int) -> FilledForm:
    """Return a sent form to store."""
    pictures = [int(each) for each in values.get("pictures", ()) if each.isdecimal() and len(each) <= 2]  # noqa: PLR2004
    chosen = {each: "yes" for each in values.get("choices", ()) if each in (_PROMPT, _ANONYMOUS, _SPOILER)}
    title = next(iter(values.get("title", ())), "")
    return FilledForm(form=form, prompt=title, chosen=tuple(sorted(pictures)) or (picture,), options=chosen)


class ShareModal(Form):
    """The form of a job's pictures.

    `offered` are the positions of those that can be shared. `chosen` are the first choices. `words` are those of a
    moderator.
    """

    def __init__(
        self, form: ShareForm, offer: ShareOffer, offered: Sequence[int], chosen: Choices, words: str = ""
    ) -> None:
        if form.submission_id is None:
            title, sent_as = _("Share to the showcase"), custom_id(SHARE.action, form.job_id, offered[0])
        else:
            title = _("Revise what you share")
            sent_as = custom_id(REVISE.action, form.submission_id, offered[0], price=form.revision)
        super().__init__(title, sent_as)
        if words:
            said = _("A moderator: {reason}").format(reason=escaped(words))
            self.add_item(ui.TextDisplay(said))
        if len(offered) > 1:
            self._ask_which(offered[:MAX_PICTURES], chosen.positions)
        options = chosen.options
        field: ui.TextInput[Any] = ui.TextInput(
            custom_id="title", default=cut(options.title, MAX_TITLE) or None, max_length=MAX_TITLE, required=False
        )
        self._ask(_("Title"), field, _("Optional; everyone in the showcase reads it."))
        self._ask_how(options, can_show=bool(offer.job.request.prompt), can_hide=offer.settings.allows_anonymous)

    def _ask_which(self, offered: Sequence[int], chosen: Sequence[int]) -> None:
        first = [each for each in chosen if each in offered] or offered
        options = [
            discord.CheckboxGroupOption(
                label=_("Picture {number}").format(number=each + 1), value=str(each), default=each in first
            )
            for each in offered
        ]
        which: ui.CheckboxGroup[Any] = ui.CheckboxGroup(
            custom_id="pictures", options=options, min_values=1, max_values=len(options)
        )
        self._ask(_("Which pictures"), which)

    def _ask_how(self, chosen: SubmissionOptions, *, can_show: bool, can_hide: bool) -> None:
        texts = {
            _PROMPT: (_("Show the prompt"), _("Others can make their own from it."), chosen.show_prompt),
            _ANONYMOUS: (_("Without my name"), _("Moderators still see it."), chosen.is_anonymous),
            _SPOILER: (_("As a spoiler"), _("Hidden until somebody taps it."), chosen.is_spoiler),
        }
        offered = {_PROMPT: can_show, _ANONYMOUS: can_hide, _SPOILER: True}
        options = [
            discord.CheckboxGroupOption(
                label=cut(label, _LONGEST_OPTION), value=name, description=cut(what, _LONGEST_OPTION), default=is_chosen
            )
            for name, (label, what, is_chosen) in texts.items()
            if offered[name]
        ]
        how: ui.CheckboxGroup[Any] = ui.CheckboxGroup(
            custom_id="choices", options=options, required=False, min_values=0, max_values=len(options)
        )
        self._ask(_("How"), how)
