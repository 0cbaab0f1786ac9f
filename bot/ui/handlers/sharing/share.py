"""Handlers of members' submissions: share, revise, withdraw, list."""

import asyncio
from dataclasses import replace
from typing import Any, Final

import discord
from discord import ui

from bot.domain.errors import (
    AlreadyDecidedError,
    AlreadySharedError,
    JobRunningError,
    NotAllowedError,
    NotShareableError,
    SubmissionStateError,
)
from bot.domain.lazy_text import LazyText
from bot.domain.saved_forms import FilledForm, ShareForm
from bot.domain.sharing.submissions import Submission, SubmissionOptions, SubmissionState
from bot.engine.clock import Clock
from bot.services.jobs import JobService
from bot.services.preferences import PreferenceService
from bot.services.sharing.snapshots import SubmissionSnapshots
from bot.services.sharing.submissions import ShareOffer, Sharer, SubmissionService
from bot.ui.delivery.age_flags import fetch_flag
from bot.ui.delivery.bounded_requests import bounded
from bot.ui.handlers.component_registry import picture_of, shown_price, submitted_values
from bot.ui.handlers.form_errors import FormErrors
from bot.ui.handlers.interactions import actor_of, guild_of, roles_of
from bot.ui.handlers.message_images import card_job
from bot.ui.handlers.sharing.share_form import Choices, ShareModal, filled_form
from bot.ui.render.sharing.share_panels import (
    SUBMISSIONS_PER_PAGE,
    could_not_post,
    post_link,
    sent_panel,
    submission_list,
    withdraw_question,
    withdrawn_panel,
)

_QUIET: Final = discord.AllowedMentions.none()
# Within the three seconds of an answer.
_MEMBER_SECONDS: Final = 2.0
_POST_POLLS: Final = 15
_POST_SECONDS: Final = 1.0


class ShareHandlers:
    """Answers to the member of a job alone, checked at each press."""

    def __init__(
        self,
        *,
        submissions: SubmissionService,
        snapshots: SubmissionSnapshots,
        preferences: PreferenceService,
        jobs: JobService,
        form_errors: FormErrors,
        clock: Clock,
    ) -> None:
        self._submissions = submissions
        self._snapshots = snapshots
        self._preferences = preferences
        self._jobs = jobs
        self._form_errors = form_errors
        self._clock = clock

    async def open(self, interaction: discord.Interaction[Any], job_id: str) -> None:
        """Open the form of a job's pictures.

        Raises the errors of `SubmissionService.offer`.

        Raises:
            NotAllowedError: the member left the job's server.
            AlreadySharedError: every picture is in a submission.
        """
        await self._open(interaction, ShareForm(job_id=job_id), None)

    async def open_for_message(self, interaction: discord.Interaction[Any], message: discord.Message) -> None:
        """Open the form for the pictures of a message; raises as `open` does.

        Raises:
            NotShareableError: the message is no finished card of the bot.
            JobRunningError: the message is the card of a job that has not ended.
        """
        me = interaction.client.user
        job_id = None if me is None else card_job(message, me.id)
        if job_id is None:
            if me is not None and message.author.id == me.id and await self._jobs.is_running(message.id):
                raise JobRunningError
            raise NotShareableError
        await self.open(interaction, job_id)

    async def open_revision(self, interaction: discord.Interaction[Any], submission_id: str) -> None:
        """Open the form for asked changes; raises as `open` does.

        Raises:
            SubmissionNotFoundError: there is none of this member.
            SubmissionStateError: nobody asks for changes.
        """
        found = await self._submissions.get(submission_id, interaction.user.id)
        if found.state is not SubmissionState.CHANGES_ASKED:
            raise SubmissionStateError(found.state, SubmissionState.WAITING)
        form = ShareForm(job_id=found.job_id, submission_id=found.id, revision=found.revision)
        await self._open(interaction, form, Choices(positions=found.positions, options=found.options), found.reason)

    async def reopen(self, interaction: discord.Interaction[Any], form: ShareForm, filled: FilledForm) -> None:
        """Open a refused form again as it was sent; raises as `open` does."""
        words = ""
        if form.submission_id is not None:
            words = (await self._submissions.get(form.submission_id, interaction.user.id)).reason
        await self._open(interaction, form, Choices.stored(filled), words)

    async def submit(self, interaction: discord.Interaction[Any], job_id: str) -> None:
        """Share the pictures of a sent form, or give back the form."""
        form = ShareForm(job_id=job_id)
        values, picture = submitted_values(interaction), picture_of(interaction)
        try:
            sharer = await self._sharer(interaction, job_id)
            chosen = Choices.read(values, picture)
            submission = await self._submissions.share(job_id, chosen.positions, chosen.options, sharer)
        except Exception as error:  # noqa: BLE001 - `answer_error` logs what it does not know
            await self._form_errors.answer(interaction, error, filled_form(form, values, picture))
            return
        await self._answer(interaction, submission)

    async def submit_revision(self, interaction: discord.Interaction[Any], submission_id: str) -> None:
        """Send a revised submission, or give back the form."""
        values, picture, revision = submitted_values(interaction), picture_of(interaction), shown_price(interaction)
        form = ShareForm(job_id="", submission_id=submission_id, revision=revision)
        try:
            seen = await self._submissions.get(submission_id, interaction.user.id)
            form = replace(form, job_id=seen.job_id)
            sharer = await self._sharer(interaction, seen.job_id)
            chosen = Choices.read(values, picture)
            as_shown = replace(seen, revision=revision)
            submission = await self._submissions.revise(as_shown, chosen.positions, chosen.options, sharer)
        except (AlreadyDecidedError, SubmissionStateError) as error:
            # The same form would be refused for good.
            await self._form_errors.give_back(interaction, error, filled_form(form, values, picture).prompt)
            return
        except Exception as error:  # noqa: BLE001 - `answer_error` logs what it does not know
            await self._form_errors.answer(interaction, error, filled_form(form, values, picture))
            return
        await self._answer(interaction, submission)

    async def ask_withdraw(self, interaction: discord.Interaction[Any], submission_id: str) -> None:
        """Withdraw a submission; ask first if it is in the showcase.

        Raises the errors of `SubmissionService.withdraw`.
        """
        found = await self._submissions.get(submission_id, interaction.user.id)
        if found.state in (SubmissionState.APPROVED, SubmissionState.HIDDEN):
            await _show(interaction, withdraw_question(await self._snapshots.get(submission_id)))
            return
        await self.withdraw(interaction, submission_id)

    async def withdraw(self, interaction: discord.Interaction[Any], submission_id: str) -> None:
        """Withdraw a submission; raises as `ask_withdraw` does."""
        await self._submissions.withdraw(submission_id, interaction.user.id)
        await _show(interaction, withdrawn_panel(await self._snapshots.get(submission_id)))

    async def show_list(self, interaction: discord.Interaction[Any]) -> None:
        """Answer with the member's latest submissions in this server."""
        view = await self._list(guild_of(interaction), interaction.user.id)
        await interaction.response.send_message(view=view, ephemeral=True, allowed_mentions=_QUIET)

    async def turn_to_latest(self, interaction: discord.Interaction[Any], submission_id: str) -> None:
        """Show the latest submissions in the server of one.

        Raises:
            SubmissionNotFoundError: there is none of this member.
        """
        found = await self._submissions.get(submission_id, interaction.user.id)
        await _show(interaction, await self._list(found.guild_id, found.member_id))

    async def turn_to_older(self, interaction: discord.Interaction[Any], submission_id: str) -> None:
        """Show the submissions before one; raises as `turn_to_latest` does."""
        found = await self._submissions.get(submission_id, interaction.user.id)
        await _show(interaction, await self._list(found.guild_id, found.member_id, before=found.id))

    async def _list(self, guild_id: int, member_id: int, *, before: str | None = None) -> ui.LayoutView:
        limit = SUBMISSIONS_PER_PAGE + 1
        found = await self._snapshots.list_of_member(guild_id, member_id, limit=limit, before=before)
        if not found and before is not None:
            return await self._list(guild_id, member_id)
        page = found[:SUBMISSIONS_PER_PAGE]
        return submission_list(page, is_first=before is None, has_older=len(found) > len(page))

    async def _open(
        self, interaction: discord.Interaction[Any], form: ShareForm, chosen: Choices | None, words: str = ""
    ) -> None:
        sharer = await self._sharer(interaction, form.job_id)
        offer = await self._submissions.offer(form.job_id, sharer, submission_id=form.submission_id)
        offered = _offered(offer, form.submission_id)
        if not offered:
            first = next(iter(offer.shared.values()))
            raise AlreadySharedError(submission_id=first.id, state=first.state)
        first_choices = chosen or Choices(positions=tuple(offered), options=SubmissionOptions())
        await interaction.response.send_modal(ShareModal(form, offer, offered, first_choices, words))

    async def _answer(self, interaction: discord.Interaction[Any], submission: Submission) -> None:
        """Answer a sent form, and add the link of the post once there is one."""
        is_told = (await self._preferences.get(interaction.user.id)).decisions
        snapshot = await self._snapshots.get(submission.id)
        view = sent_panel(snapshot, is_told=is_told)
        await interaction.response.send_message(view=view, ephemeral=True, allowed_mentions=_QUIET)
        if submission.state is not SubmissionState.APPROVED:
            return
        for _ in range(_POST_POLLS):
            await self._clock.wait(asyncio.Event(), _POST_SECONDS)
            snapshot = await self._snapshots.get(submission.id)
            if snapshot.submission.revision != submission.revision:
                return  # the member withdrew it on this very message, perhaps
            if post_link(snapshot) is not None or could_not_post(snapshot):
                view = sent_panel(snapshot, is_told=is_told)
                await interaction.edit_original_response(view=view, allowed_mentions=_QUIET)
                return

    async def _sharer(self, interaction: discord.Interaction[Any], job_id: str) -> Sharer:
        """Return the member with their rights in the job's server.

        Elsewhere, as in a direct message, Discord is asked for the roles there; nobody moderates from there.

        Raises:
            NotAllowedError: the job is another member's, or the member left its server.
        """
        place = await self._submissions.place_of(job_id, interaction.user.id)
        actor = actor_of(interaction, everywhere=True)  # moderators may share without a review
        channels = place.channel_ids if place.is_age_restricted else ()
        restricted = frozenset([each for each in channels if await fetch_flag(interaction.client, each)])
        if place.guild_id in (0, actor.guild_id):
            return Sharer(
                member_id=actor.member_id,
                guild_id=actor.guild_id,
                moderator=actor.moderator,
                roles=roles_of(interaction.user),
                restricted_channels=restricted,
            )
        try:
            async with bounded(_MEMBER_SECONDS, in_channel=False):
                data = await interaction.client.http.get_member(place.guild_id, interaction.user.id)
        except (discord.NotFound, discord.Forbidden) as error:
            raise NotAllowedError(LazyText("a member of its server")) from error
        roles = tuple(int(each) for each in data.get("roles", ()))
        return Sharer(
            member_id=actor.member_id,
            guild_id=place.guild_id,
            moderator=False,
            roles=roles,
            restricted_channels=restricted,
        )


def _offered(offer: ShareOffer, submission_id: str | None) -> list[int]:
    """Return the positions of kept pictures in no other submission."""
    shared = {at for at, submission in offer.shared.items() if submission.id != submission_id}
    return [each.position for each in offer.pictures if each.position not in shared]


async def _show(interaction: discord.Interaction[Any], view: ui.LayoutView) -> None:
    """Show a panel in the pressed private message, or in a new one."""
    if interaction.message is not None and interaction.message.flags.ephemeral:
        await interaction.response.edit_message(view=view, allowed_mentions=_QUIET)
    else:
        await interaction.response.send_message(view=view, ephemeral=True, allowed_mentions=_QUIET)
