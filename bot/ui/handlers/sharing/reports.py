"""The message menu "Report", its form, and the moderators' decisions."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import discord
from discord import ui

from bot.domain.duels import LETTERS
from bot.domain.errors import NothingToReportError, NotOfferedError
from bot.domain.reports import MAX_WORDS, ReportOutcome, ReportReason, positions_of
from bot.domain.takedowns import MAX_REASON
from bot.services.jobs import Actor
from bot.services.reports import ReportForm, ReportOffer, ReportService, ReportSnapshot
from bot.ui.buttons import CUSTOM_ID, REPORT, REPORT_BAN_SHARING, REPORT_BAN_STUDIO, REPORT_TAKE_DOWN, custom_id
from bot.ui.component_tree import custom_ids
from bot.ui.handlers.component_registry import submitted_values
from bot.ui.handlers.interactions import actor_of, is_admin
from bot.ui.handlers.message_images import card_job
from bot.ui.handlers.modals import Form, chosen_value, select_options
from bot.ui.handlers.sharing.review import ban_target, chosen_term, term_menu
from bot.ui.i18n import _
from bot.ui.render.report_cards import REASONS, reported_note

_WORDS: Final = "words"
_REASON: Final = "reason"
_PICTURE: Final = "picture"
_ALL: Final = "all"
_ACTIONS: Final = {
    ReportOutcome.TAKEN_DOWN: REPORT_TAKE_DOWN,
    ReportOutcome.BANNED_FROM_SHARING: REPORT_BAN_SHARING,
    ReportOutcome.BANNED_FROM_STUDIO: REPORT_BAN_STUDIO,
}


class ReportModal(Form):
    """The form of a report about pictures of a job, a post or a duel.

    On an anonymous post nothing leads to the job, so its form holds the submission.
    """

    def __init__(self, target_id: str, offer: ReportOffer) -> None:
        super().__init__(_("Report to the moderators"), custom_id(REPORT, target_id))
        names = {each.value: _(REASONS[each]) for each in ReportReason}
        self._ask(_("Reason"), ui.Select(custom_id=_REASON, options=select_options(names, ReportReason.RULES)))
        if len(offer.positions) > 1:
            shown = enumerate(offer.positions, 1)
            pictures = {
                str(at): _("Picture {number}").format(number=LETTERS[at] if offer.is_duel else number)
                for number, at in shown
            }
            options = select_options(pictures if offer.is_duel else {_ALL: _("All pictures")} | pictures)
            self._ask(_("Which picture"), ui.Select(custom_id=_PICTURE, options=options))
        field: ui.TextInput[Any] = ui.TextInput(
            custom_id=_WORDS, style=discord.TextStyle.paragraph, required=False, max_length=MAX_WORDS
        )
        self._ask(_("In your own words"), field, _("The moderators read it"))


class DecisionModal(Form):
    """The form before a takedown or a ban, with its consequences."""

    def __init__(self, case_id: str, outcome: ReportOutcome, positions: Mapping[int, bool]) -> None:
        """Build the form of a decision.

        `positions` are the kept pictures, true if chosen already.
        """
        spec = _ACTIONS[outcome]
        super().__init__(_(spec.label).rstrip("…"), custom_id(spec.action, case_id))
        self.add_item(ui.TextDisplay(_consequences(len(positions))))
        if len(positions) > 1:
            options = [
                discord.SelectOption(
                    label=_("Picture {number}").format(number=at + 1), value=str(at), default=is_chosen
                )
                for at, is_chosen in positions.items()
            ]
            menu: ui.Select[Any] = ui.Select(custom_id=_PICTURE, options=options, min_values=1, max_values=len(options))
            self._ask(_("Which pictures"), menu)
        field: ui.TextInput[Any] = ui.TextInput(
            custom_id=_WORDS, style=discord.TextStyle.paragraph, required=False, max_length=MAX_REASON
        )
        self._ask(_("Reason"), field, _("For the audit log; a banned member reads it"))
        if outcome is not ReportOutcome.TAKEN_DOWN:
            self._ask(_("For how long"), term_menu())


class ReportHandlers:
    """Takes reports of members, and decisions of moderators.

    Rights are checked at each press and each form. The card follows by the outbox.
    """

    def __init__(self, *, reports: ReportService, contact: str | None) -> None:
        self._reports = reports
        self._contact = contact

    async def ask(self, interaction: discord.Interaction[Any], message: discord.Message) -> None:
        """Open the form about a message's pictures.

        Raises the errors of `ReportService.check`.
        """
        me = interaction.client.user
        target = None if me is None else _target_of(message, me.id)
        if target is None and me is not None and message.author.id == me.id:
            target = await self._reports.find_shown(message.channel.id, message.id)
        if target is None:
            raise NothingToReportError
        await self._open(interaction, target)

    async def ask_about_post(self, interaction: discord.Interaction[Any], submission_id: str) -> None:
        """Open the form about a showcase post; raises as `ask` does."""
        await self._open(interaction, submission_id)

    async def _open(self, interaction: discord.Interaction[Any], target_id: str) -> None:
        offer = await self._reports.check(target_id, actor_of(interaction))
        await interaction.response.send_modal(ReportModal(target_id, offer))

    async def submit(self, interaction: discord.Interaction[Any], target_id: str) -> None:
        """Store a report; raises the errors of `ReportService.report`.

        Raises:
            NotOfferedError: a chosen value is not offered.
        """
        values, actor = submitted_values(interaction), actor_of(interaction)
        offer = await self._reports.check(target_id, actor)
        positions = offer.positions
        reason = chosen_value(values, _REASON, [each.value for each in ReportReason])
        picture = chosen_value(values, _PICTURE, [*([] if offer.is_duel else [_ALL]), *positions])
        if reason is None or (picture is None and offer.is_duel and len(positions) > 1):
            raise NotOfferedError
        if picture is None and len(positions) == 1:
            picture = str(positions[0])
        form = ReportForm(
            reason=ReportReason(reason),
            position=None if picture in (None, _ALL) else int(picture or 0),
            words=next(iter(values.get(_WORDS, ())), ""),
        )
        route = await self._reports.report(target_id, form, actor)
        view = reported_note(route, contact=self._contact)
        await interaction.response.send_message(view=view, ephemeral=True)

    async def ask_decision(self, interaction: discord.Interaction[Any], case_id: str, outcome: ReportOutcome) -> None:
        """Open the form of a decision about an open case."""
        snapshot = await self._reports.get_open(case_id, _moderator(interaction))
        await interaction.response.send_modal(DecisionModal(case_id, outcome, _offered(snapshot)))

    async def dismiss(self, interaction: discord.Interaction[Any], case_id: str) -> None:
        """Dismiss the reports of a case."""
        await self._reports.decide(
            case_id, ReportOutcome.DISMISSED, _moderator(interaction), as_admin=is_admin(interaction)
        )
        await interaction.response.defer()

    async def decide(self, interaction: discord.Interaction[Any], case_id: str, outcome: ReportOutcome) -> None:
        """Carry out a decision with its form's reason."""
        actor = _moderator(interaction)
        snapshot = await self._reports.get_open(case_id, actor)
        values = submitted_values(interaction)
        positions = _chosen(values, snapshot)
        is_ban = outcome is not ReportOutcome.TAKEN_DOWN
        term = chosen_term(values) if is_ban else None
        await interaction.response.defer()
        reason = next(iter(values.get(_WORDS, ())), "").strip()
        target = await ban_target(interaction, snapshot.job.place.member_id) if is_ban else None
        await self._reports.decide(
            case_id, outcome, actor, positions=positions, reason=reason, target=target, term=term
        )


def _consequences(pictures: int) -> str:
    if pictures > 1:
        return _("The chosen pictures and their copies are removed for good, the others stay.")
    return _("The picture, its copies and its messages are removed for good.")


def _offered(snapshot: ReportSnapshot) -> dict[int, bool]:
    """Return the kept pictures of a case, true if chosen already.

    The reports name these, or all are chosen.
    """
    named = positions_of(snapshot.reports)
    return {each.position: named is None or each.position in named for each in snapshot.pictures}


def _chosen(values: Mapping[str, Sequence[str]], snapshot: ReportSnapshot) -> frozenset[int] | None:
    """Return the chosen pictures, or all on the card; None if it has none.

    Raises:
        NotOfferedError: a chosen picture is not kept any more.
    """
    offered = {str(each.position) for each in snapshot.pictures}
    chosen = set(values.get(_PICTURE, ())) or offered
    if not chosen <= offered:
        raise NotOfferedError
    return frozenset(int(each) for each in chosen) or None


def _moderator(interaction: discord.Interaction[Any]) -> Actor:
    return actor_of(interaction, everywhere=True)


def _target_of(message: discord.Message, me: int) -> str | None:
    """Return the target of a message of the bot: a job, a submission, or else."""
    if message.author.id != me:
        return None
    issued = map(CUSTOM_ID.fullmatch, custom_ids(message.components))
    return card_job(message, me) or next((each["target"] for each in issued if each is not None), None)
