"""Moderators' presses and forms on review cards."""

import io
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

import discord
from discord import ui

from bot.domain.bans import BanScope
from bot.domain.errors import AlreadyDecidedError, NotAllowedError, NotOfferedError
from bot.domain.lazy_text import LazyText
from bot.domain.sharing.submissions import MAX_REASON, Submission, SubmissionState
from bot.services.jobs import Actor
from bot.services.moderation import ModerationService, Target
from bot.services.sharing.reviews import Decision, ReviewService
from bot.ui.buttons import REVIEW_ASK, REVIEW_BANS, REVIEW_REFUSE, REVIEW_TAKE_DOWN, custom_id
from bot.ui.handlers.component_registry import picture_of, selected_values, submitted_values
from bot.ui.handlers.interactions import actor_of, is_admin, roles_of, settings_of
from bot.ui.handlers.modals import Form
from bot.ui.i18n import N_, _
from bot.ui.render.details import PROMPT_FILE, prompt_panel
from bot.ui.render.sharing.review_card import BAN_VALUES, OTHER_REASON, REASON, REVISIONS

_REASON_FIELD: Final = "reason"
TERM_FIELD: Final = "term"
"""The field of a ban's term in forms."""
_TERMS: Final = {
    "7": (N_("7 days"), timedelta(days=7)),
    "1": (N_("1 day"), timedelta(days=1)),
    "30": (N_("30 days"), timedelta(days=30)),
    "0": (N_("Until a moderator ends it"), None),
}
_QUIET: Final = discord.AllowedMentions.none()


class ReasonForm(Form):
    """A form for a reason, to be read by the member."""

    def __init__(self, action: str, seen: Submission, title: str, label: str, *, required: bool = True) -> None:
        super().__init__(title, custom_id(action, seen.id, seen.revision % REVISIONS))
        field: ui.TextInput[Any] = ui.TextInput(
            custom_id=_REASON_FIELD,
            style=discord.TextStyle.paragraph,
            required=required,
            max_length=MAX_REASON,
        )
        self._ask(label, field, _("The member reads it"))


class BanForm(ReasonForm):
    """The form to refuse a submission and ban its member."""

    def __init__(self, scope: BanScope, seen: Submission) -> None:
        title = _("Ban from sharing") if scope is BanScope.SHARING else _("Ban from the studio")
        super().__init__(REVIEW_BANS[scope], seen, title, _("Reason"), required=False)
        self._ask(_("For how long"), term_menu())


class ReviewHandlers:
    """Decides submissions for moderators.

    Their rights are checked at each press. A decision is for the revision on the pressed card: nobody approves what
    they have not seen. The card follows by the outbox.
    """

    def __init__(self, *, reviews: ReviewService, moderation: ModerationService) -> None:
        self._reviews = reviews
        self._moderation = moderation

    async def approve(self, interaction: discord.Interaction[Any], submission_id: str) -> None:
        """Approve a submission as its member wanted it."""
        await self._decide(interaction, submission_id, SubmissionState.APPROVED)

    async def approve_as_spoiler(self, interaction: discord.Interaction[Any], submission_id: str) -> None:
        """Approve a submission behind a spoiler."""
        await self._decide(interaction, submission_id, SubmissionState.APPROVED, is_spoiler=True)

    async def refuse(self, interaction: discord.Interaction[Any], submission_id: str) -> None:
        """Refuse for the chosen reason, or open a form.

        The form is for another reason, or for a ban.
        """
        chosen = next(iter(selected_values(interaction)), "")
        if chosen.startswith(REASON):
            reason = chosen.removeprefix(REASON)
            await self._decide(interaction, submission_id, SubmissionState.REFUSED, reason=reason)
            return
        seen = await self._claim(interaction, submission_id)
        scope = next((each for each, value in BAN_VALUES.items() if value == chosen), None)
        if scope is not None:
            await interaction.response.send_modal(BanForm(scope, seen))
        elif chosen == OTHER_REASON:
            form = ReasonForm(REVIEW_REFUSE, seen, _("Refuse"), _("Why it is refused"))
            await interaction.response.send_modal(form)
        else:
            raise NotOfferedError

    async def ask(self, interaction: discord.Interaction[Any], submission_id: str) -> None:
        """Open the form to ask for changes."""
        seen = await self._claim(interaction, submission_id)
        await interaction.response.send_modal(
            ReasonForm(REVIEW_ASK.action, seen, _("Ask for changes"), _("What to change"))
        )

    async def take_down(self, interaction: discord.Interaction[Any], submission_id: str) -> None:
        """Open the form to take a reported submission down."""
        seen = await self._claim(interaction, submission_id)
        await interaction.response.send_modal(
            ReasonForm(REVIEW_TAKE_DOWN.action, seen, _("Take down"), _("Reason"), required=False)
        )

    async def submit_refusal(self, interaction: discord.Interaction[Any], submission_id: str) -> None:
        """Refuse for a typed reason."""
        await self._decide(interaction, submission_id, SubmissionState.REFUSED, reason=_typed(interaction))

    async def submit_request(self, interaction: discord.Interaction[Any], submission_id: str) -> None:
        """Ask for the typed changes."""
        await self._decide(interaction, submission_id, SubmissionState.CHANGES_ASKED, reason=_typed(interaction))

    async def submit_takedown(self, interaction: discord.Interaction[Any], submission_id: str) -> None:
        """Take a submission down."""
        await self._decide(interaction, submission_id, SubmissionState.TAKEN_DOWN, reason=_typed(interaction))

    async def ban_from_sharing(self, interaction: discord.Interaction[Any], submission_id: str) -> None:
        """Refuse a submission, and ban its member from sharing."""
        await self._ban(interaction, submission_id, BanScope.SHARING)

    async def ban_from_studio(self, interaction: discord.Interaction[Any], submission_id: str) -> None:
        """Refuse a submission, and ban its member from the studio."""
        await self._ban(interaction, submission_id, BanScope.STUDIO)

    async def show_prompt(self, interaction: discord.Interaction[Any], submission_id: str) -> None:
        """Answer with the whole prompt, also a private job's."""
        prompt = await self._reviews.get_prompt(submission_id, reviewer(interaction))
        view = prompt_panel(prompt)
        if view is not None:
            await interaction.response.send_message(view=view, ephemeral=True, allowed_mentions=_QUIET)
            return
        file = discord.File(io.BytesIO(prompt.encode()), filename=PROMPT_FILE)
        await interaction.response.send_message(file=file, ephemeral=True)

    async def _claim(self, interaction: discord.Interaction[Any], submission_id: str) -> Submission:
        """Claim the submission for the time of a form."""
        seen = await self._seen(interaction, submission_id)
        return await self._reviews.claim(seen.id, reviewer(interaction), as_admin=is_admin(interaction))

    async def _seen(self, interaction: discord.Interaction[Any], submission_id: str) -> Submission:
        """Return the submission, checked to be as on the pressed card or form."""
        current = await self._reviews.get(submission_id, reviewer(interaction))
        if current.revision % REVISIONS != picture_of(interaction):
            raise AlreadyDecidedError(state=current.state, by=current.decided_by, at=current.at)
        return current

    async def _decide(
        self,
        interaction: discord.Interaction[Any],
        submission_id: str,
        to: SubmissionState,
        *,
        reason: str = "",
        is_spoiler: bool | None = None,
    ) -> None:
        seen = await self._seen(interaction, submission_id)
        decision = Decision(
            submission_id=seen.id,
            revision=seen.revision,
            to=to,
            reason=reason,
            is_spoiler=is_spoiler,
            as_admin=is_admin(interaction),
        )
        await self._reviews.decide(decision, reviewer(interaction))
        await interaction.response.defer()

    async def _ban(self, interaction: discord.Interaction[Any], submission_id: str, scope: BanScope) -> None:
        seen = await self._seen(interaction, submission_id)
        await interaction.response.defer()
        actor, reason = reviewer(interaction), _typed(interaction)
        ban = self._moderation.plan_ban(
            seen.guild_id,
            await ban_target(interaction, seen.member_id),
            scope=scope,
            term=chosen_term(submitted_values(interaction)),
            reason=reason,
            actor_id=actor.member_id,
        )
        decision = Decision(
            submission_id=seen.id,
            revision=seen.revision,
            to=SubmissionState.REFUSED,
            reason=reason,
            as_admin=is_admin(interaction),
        )
        await self._reviews.decide(decision, actor, besides=ban)


def reviewer(interaction: discord.Interaction[Any]) -> Actor:
    """Return the acting member with their rights in the whole server."""
    return actor_of(interaction, everywhere=True)


async def ban_target(interaction: discord.Interaction[Any], member_id: int) -> Target:
    """Return the member of a submission as the target of a ban.

    Raises:
        NotAllowedError: the member moderates the server, and the actor is no admin.
    """
    guild = interaction.guild
    try:
        member = None if guild is None else await guild.fetch_member(member_id)
    except discord.NotFound:
        member = None  # they left; the ban waits for their return
    if member is None:
        return Target(member_id=member_id)
    rights = member.guild_permissions
    moderates = settings_of(interaction).is_moderator(
        roles_of(member), manages_messages=rights.manage_messages, is_admin=False
    )
    if moderates and not rights.manage_guild and not is_admin(interaction) and member_id != interaction.user.id:
        raise NotAllowedError(LazyText("an admin of this server"))
    return Target(member_id=member_id, is_protected=member.bot or rights.manage_guild)


def _typed(interaction: discord.Interaction[Any]) -> str:
    return next(iter(submitted_values(interaction).get(_REASON_FIELD, ())), "").strip()


def term_menu() -> ui.Select[Any]:
    """Return the menu of a ban's terms."""
    options = [
        discord.SelectOption(label=_(label), value=value, default=place == 0)
        for place, (value, (label, _term)) in enumerate(_TERMS.items())
    ]
    return ui.Select(custom_id=TERM_FIELD, options=options)


def chosen_term(values: Mapping[str, Sequence[str]]) -> timedelta | None:
    """Return the chosen term of a ban; None is without an end.

    Raises:
        NotOfferedError: the chosen value is not offered.
    """
    chosen = next(iter(values.get(TERM_FIELD, ())), None)
    if chosen not in _TERMS:
        raise NotOfferedError
    return _TERMS[chosen][1]
