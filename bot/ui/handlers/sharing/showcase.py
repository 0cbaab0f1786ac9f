"""Handlers of presses on posts in the showcase."""

from typing import Any

import discord

from bot.domain.age_restriction import may_show
from bot.domain.errors import AgeRestrictedError
from bot.domain.jobs import Action
from bot.domain.saved_forms import CardForm
from bot.services.remix import RemixService, Source
from bot.services.request_gate import RequestGate
from bot.services.sharing.showcase import ShowcaseService
from bot.services.sharing.submissions import Sharer
from bot.services.sharing.votes import VoteService
from bot.ui.handlers.card_actions import CardActions
from bot.ui.handlers.interactions import actor_of, context_of, is_age_restricted, roles_of
from bot.ui.handlers.remix_forms import RemixForms
from bot.ui.i18n import _
from bot.ui.render.sharing.showcase_post import vote_note


class ShowcaseHandlers:
    """Answers the buttons of posts, each privately."""

    def __init__(
        self,
        *,
        showcase: ShowcaseService,
        votes: VoteService,
        remix: RemixService,
        gate: RequestGate,
        actions: CardActions,
        remix_forms: RemixForms,
    ) -> None:
        self._showcase = showcase
        self._votes = votes
        self._remix = remix
        self._gate = gate
        self._actions = actions
        self._remix_forms = remix_forms

    async def vote(self, interaction: discord.Interaction[Any], submission_id: str) -> None:
        """Give a vote, or take it back; raises as `VoteService.toggle` does."""
        result = await self._votes.toggle(submission_id, _sharer_of(interaction))
        await interaction.response.send_message(vote_note(result), ephemeral=True)

    async def make_own(self, interaction: discord.Interaction[Any], submission_id: str) -> None:
        """Open a form with a post's model, options, and prompt if shown.

        Raises as `RequestGate.check_open`, `RemixService.get_shared` and `RemixForms.open` do.
        """
        source = await self._source(interaction, submission_id)
        await self._remix_forms.open(interaction, source, Action.AGAIN, interaction.message)

    async def use_as_reference(self, interaction: discord.Interaction[Any], submission_id: str) -> None:
        """Open a form for a picture by a post's one.

        Raises as `RequestGate.check_open`, `RemixService.get_shared` and `CardActions.refer_to` do.
        """
        source = await self._source(interaction, submission_id)
        await self._actions.refer_to(interaction, source)

    async def submit_own(self, interaction: discord.Interaction[Any], submission_id: str) -> None:
        """Answer a form of *Make my own*."""
        form = CardForm(job_id="", action=Action.AGAIN, urls={}, edited=True, submission_id=submission_id)
        await self._remix_forms.submit_form(interaction, form)

    async def submit_reference(self, interaction: discord.Interaction[Any], submission_id: str) -> None:
        """Answer a form of *Use as reference*."""
        form = CardForm(job_id="", action=Action.REFERENCE, urls={}, submission_id=submission_id)
        await self._actions.submit_form(interaction, form)

    async def _source(self, interaction: discord.Interaction[Any], submission_id: str) -> Source:
        await self._gate.require_open(context_of(interaction, private=True))
        source = await self._remix.get_shared(submission_id, actor_of(interaction))
        restricted = source.job.age_restricted
        if not may_show(is_age_restricted=restricted, in_age_restricted=is_age_restricted(interaction)):
            raise AgeRestrictedError
        return source

    async def post_again(self, interaction: discord.Interaction[Any], submission_id: str) -> None:
        """Try again to post an approved submission.

        Raises as `ShowcaseService.post_again` does.
        """
        await self._showcase.post_again(submission_id, actor_of(interaction, everywhere=True))
        await interaction.response.send_message(_("Posting it in the showcase."), ephemeral=True)


def _sharer_of(interaction: discord.Interaction[Any]) -> Sharer:
    """Return the member with their roles."""
    actor = actor_of(interaction, everywhere=True)
    return Sharer(
        member_id=actor.member_id,
        guild_id=actor.guild_id,
        moderator=actor.moderator,
        roles=roles_of(interaction.user),
    )
