"""Commands, presses and forms of challenges."""

import re
from datetime import timedelta
from typing import Any, Final

import discord
from discord import app_commands, ui

from bot.domain.errors import ChallengeGoneError, ChallengePlaceError, ChallengeStateError, NotOfferedError
from bot.domain.sharing.challenges import Challenge, ChallengeState
from bot.domain.sharing.submissions import MAX_TITLE, SubmissionOptions
from bot.services.sharing.challenges import ChallengePlan, ChallengeService
from bot.services.sharing.submissions import Sharer
from bot.ui.buttons import CHALLENGE_PICK, custom_id
from bot.ui.handlers.component_registry import picture_of, search_id_of, selected_values, submitted_values
from bot.ui.handlers.interactions import actor_of, is_admin, is_age_restricted, parent_channel_of, roles_of
from bot.ui.handlers.modals import Form
from bot.ui.i18n import _
from bot.ui.render.sharing.challenge_card import (
    ballot_note,
    changed_note,
    entered_note,
    picture_menu,
    results_panel,
    started_note,
)
from bot.ui.truncation import cut

_QUIET: Final = discord.AllowedMentions.none()
_ID: Final = re.compile(r"[0-9a-f]{32}")
_PICKED: Final = re.compile(r"([0-9a-f]{32}):([0-9]{1,2})")
_MOST_CHOICES: Final = 25
_LONGEST_CHOICE: Final = 100
_TITLE: Final = "title"
_NAME: Final = "name"
_SHOWN, _HIDDEN = "shown", "hidden"


class EntryForm(Form):
    """The form of an entry: its title, and whether its member is named."""

    def __init__(self, challenge_id: str, job_id: str, position: int, *, allows_anonymous: bool) -> None:
        super().__init__(_("Enter a picture"), custom_id(CHALLENGE_PICK, challenge_id, position, search_id=job_id))
        title: ui.TextInput[Any] = ui.TextInput(custom_id=_TITLE, required=False, max_length=MAX_TITLE)
        self._ask(_("Title"), title, _("Leave it empty for none"))
        if allows_anonymous:
            options = [
                discord.SelectOption(label=_("With your name"), value=_SHOWN, default=True),
                discord.SelectOption(label=_("Anonymously"), value=_HIDDEN),
            ]
            self._ask(_("After the vote"), ui.Select(custom_id=_NAME, options=options))


class ChallengeHandlers:
    """Answers `/challenge` and the buttons of challenges."""

    def __init__(self, *, challenges: ChallengeService) -> None:
        self._challenges = challenges

    async def start(
        self, interaction: discord.Interaction[Any], *, theme: str, entry_days: int, vote_days: int, prize: int
    ) -> None:
        """Start a challenge in this channel.

        Raises the errors of `ChallengeService.start`.

        Raises:
            ChallengePlaceError: the bot may not post its messages here.
        """
        check_place(interaction)
        plan = ChallengePlan(
            theme=theme,
            channel_id=interaction.channel_id or 0,
            entries_for=timedelta(days=entry_days),
            votes_for=timedelta(days=vote_days),
            prize=prize,
            is_age_restricted=is_age_restricted(interaction),
        )
        challenge = await self._challenges.start(plan, sharer_of(interaction), is_admin=is_admin(interaction))
        await interaction.response.send_message(started_note(challenge), ephemeral=True, allowed_mentions=_QUIET)

    async def close(self, interaction: discord.Interaction[Any], challenge_id: str) -> None:
        """End a challenge's entries, or its vote, now."""
        challenge = await self._challenges.close_phase(_checked(challenge_id), sharer_of(interaction))
        await interaction.response.send_message(changed_note(challenge), ephemeral=True, allowed_mentions=_QUIET)

    async def cancel(self, interaction: discord.Interaction[Any], challenge_id: str) -> None:
        """Cancel a challenge."""
        challenge = await self._challenges.cancel(_checked(challenge_id), sharer_of(interaction))
        await interaction.response.send_message(changed_note(challenge), ephemeral=True, allowed_mentions=_QUIET)

    async def choices(self, interaction: discord.Interaction[Any], typed: str) -> list[app_commands.Choice[str]]:
        """Return the running challenges with a matching theme."""
        running = await self._challenges.list_running(actor_of(interaction).guild_id)
        wanted = typed.strip().casefold()
        matching = [each for each in running if wanted in each.theme.casefold()]
        return [
            app_commands.Choice(name=cut(_choice(each), _LONGEST_CHOICE), value=each.id)
            for each in matching[:_MOST_CHOICES]
        ]

    async def ask_picture(self, interaction: discord.Interaction[Any], challenge_id: str) -> None:
        """Show the member's pictures for an entry.

        Raises the errors of `ChallengeService.check_entry`.
        """
        sharer = sharer_of(interaction)
        challenge = await self._challenges.check_entry(challenge_id, sharer)
        shareable = await self._challenges.list_shareable(challenge, sharer.member_id, _MOST_CHOICES)
        await interaction.response.send_message(
            view=picture_menu(challenge, shareable), ephemeral=True, allowed_mentions=_QUIET
        )

    async def ask_title(self, interaction: discord.Interaction[Any], challenge_id: str) -> None:
        """Open the form for the chosen picture."""
        picked = _PICKED.fullmatch(next(iter(selected_values(interaction)), ""))
        if picked is None:
            raise NotOfferedError
        allows_anonymous = await self._challenges.allows_anonymous(actor_of(interaction).guild_id)
        form = EntryForm(challenge_id, picked[1], int(picked[2]), allows_anonymous=allows_anonymous)
        await interaction.response.send_modal(form)

    async def enter(self, interaction: discord.Interaction[Any], challenge_id: str) -> None:
        """Enter the picture of a submitted form."""
        job_id = search_id_of(interaction)
        if job_id is None:
            raise NotOfferedError
        values = submitted_values(interaction)
        options = SubmissionOptions(
            title=" ".join("".join(values.get(_TITLE, [])).split())[:MAX_TITLE],
            show_prompt=False,
            is_anonymous=values.get(_NAME) == [_HIDDEN],
        )
        submission = await self._challenges.enter(
            challenge_id, job_id, picture_of(interaction), options, sharer_of(interaction)
        )
        await interaction.response.send_message(entered_note(submission), ephemeral=True, allowed_mentions=_QUIET)

    async def vote(self, interaction: discord.Interaction[Any], challenge_id: str) -> None:
        """Vote for the pressed entry, or take the vote back."""
        number = picture_of(interaction)
        ballot = await self._challenges.vote(challenge_id, number, sharer_of(interaction))
        await interaction.response.send_message(
            ballot_note(ballot, voted=number), ephemeral=True, allowed_mentions=_QUIET
        )

    async def show_ballot(self, interaction: discord.Interaction[Any], challenge_id: str) -> None:
        """Answer with the member's votes."""
        ballot = await self._challenges.ballot(challenge_id, interaction.user.id)
        await interaction.response.send_message(ballot_note(ballot), ephemeral=True, allowed_mentions=_QUIET)

    async def show_results(self, interaction: discord.Interaction[Any], challenge_id: str) -> None:
        """Answer with all results.

        Raises:
            ChallengeGoneError: the challenge is another server's.
            ChallengeStateError: it has not ended.
        """
        snapshot = await self._challenges.snapshot(challenge_id)
        if snapshot.challenge.guild_id != actor_of(interaction).guild_id:
            raise ChallengeGoneError
        if snapshot.challenge.state is not ChallengeState.ENDED:
            raise ChallengeStateError(snapshot.challenge.state)
        await interaction.response.send_message(view=results_panel(snapshot), ephemeral=True, allowed_mentions=_QUIET)


def check_place(interaction: discord.Interaction[Any]) -> None:
    """Check that the bot may post a challenge's messages in the channel.

    Its answers to a command need no right, so a challenge could begin without ever being seen.

    Raises:
        ChallengePlaceError: it may not.
    """
    rights = interaction.app_permissions
    is_thread = parent_channel_of(interaction) is not None
    may_send = rights.send_messages_in_threads if is_thread else rights.send_messages
    if not (rights.view_channel and may_send and rights.attach_files):
        raise ChallengePlaceError


def sharer_of(interaction: discord.Interaction[Any]) -> Sharer:
    """Return the acting member with their rights in the whole server."""
    actor = actor_of(interaction, everywhere=True)
    return Sharer(
        member_id=actor.member_id,
        guild_id=actor.guild_id,
        moderator=actor.moderator,
        roles=roles_of(interaction.user),
    )


def _checked(challenge_id: str) -> str:
    """Return a typed challenge's id.

    Raises:
        ChallengeGoneError: the text is no challenge.
    """
    if _ID.fullmatch(challenge_id) is None:
        raise ChallengeGoneError
    return challenge_id


def _choice(challenge: Challenge) -> str:
    state = _("voting") if challenge.state is ChallengeState.VOTING else _("takes entries")
    return f"{challenge.theme} · {state}"
