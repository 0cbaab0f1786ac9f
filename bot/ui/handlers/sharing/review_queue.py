"""Answers to `/review list` and the presses on its pages."""

from typing import Any, Final

import discord

from bot.domain.errors import NotAllowedError, NotOfferedError
from bot.domain.lazy_text import LazyText
from bot.domain.sharing.submissions import SubmissionState
from bot.services.jobs import Actor
from bot.services.sharing.review_queue import ReviewQueue
from bot.services.sharing.review_statistics import ReviewStatisticsService
from bot.services.sharing.reviews import Decision, ReviewService
from bot.ui.buttons import CUSTOM_ID, REVIEW_BULK_REFUSE, REVIEW_PICK, guild_target
from bot.ui.component_tree import walk
from bot.ui.handlers.component_registry import selected_values
from bot.ui.handlers.interactions import is_admin
from bot.ui.handlers.sharing.review import reviewer
from bot.ui.render.sharing.review_figures import review_figures_panel
from bot.ui.render.sharing.review_queue import (
    MOST_LISTED,
    NO_REASON,
    BulkChoice,
    bulk_page,
    bulk_question,
    bulk_result,
    preselected,
)

_QUIET: Final = discord.AllowedMentions.none()


class ReviewQueueHandlers:
    """Decides several submissions at once, after one question.

    The pressed message holds the choice: its menus have what was chosen, with the revisions seen.
    """

    def __init__(self, *, queue: ReviewQueue, reviews: ReviewService, statistics: ReviewStatisticsService) -> None:
        self._queue = queue
        self._reviews = reviews
        self._statistics = statistics

    async def show_figures(self, interaction: discord.Interaction[Any]) -> None:
        """Answer privately with the figures by week and by moderator."""
        view = review_figures_panel(await self._statistics.get(reviewer(interaction)))
        await interaction.response.send_message(view=view, ephemeral=True, allowed_mentions=_QUIET)

    async def show(self, interaction: discord.Interaction[Any], target: str | None = None) -> None:
        """Answer privately with the longest waiting submissions."""
        actor = _moderator(interaction, target)
        queue = await self._queue.get(actor.guild_id, limit=MOST_LISTED)
        view = bulk_page(queue, preselected(queue))
        await interaction.response.send_message(view=view, ephemeral=True, allowed_mentions=_QUIET)

    async def show_again(self, interaction: discord.Interaction[Any], target: str) -> None:
        """Show the longest waiting submissions in the pressed message."""
        actor = _moderator(interaction, target)
        queue = await self._queue.get(actor.guild_id, limit=MOST_LISTED)
        view = bulk_page(queue, preselected(queue))
        await interaction.response.edit_message(view=view, allowed_mentions=_QUIET)

    async def pick(self, interaction: discord.Interaction[Any], target: str) -> None:
        """Show the choice of submissions."""
        actor = _moderator(interaction, target)
        queue = await self._queue.get_listed(actor, list(_listed(interaction)))
        chosen = [each.partition(":")[0] for each in selected_values(interaction)]
        await interaction.response.edit_message(view=bulk_page(queue, chosen), allowed_mentions=_QUIET)

    async def ask_to_approve(self, interaction: discord.Interaction[Any], target: str) -> None:
        """Ask before the approval of the chosen submissions."""
        await self._ask(interaction, target, None)

    async def ask_to_refuse(self, interaction: discord.Interaction[Any], target: str) -> None:
        """Ask before the refusal of the chosen submissions."""
        await self._ask(interaction, target, next(iter(selected_values(interaction)), ""))

    async def confirm(self, interaction: discord.Interaction[Any], target: str) -> None:
        """Carry out the decision of the pressed question, and show its result."""
        actor = _moderator(interaction, target)
        chosen, reason = _chosen(interaction), _reason(interaction)
        await interaction.response.defer()
        to = SubmissionState.APPROVED if reason is None else SubmissionState.REFUSED
        decisions = [
            Decision(
                submission_id=submission_id,
                revision=revision,
                to=to,
                reason="" if reason in (None, NO_REASON) else reason,
                as_admin=is_admin(interaction),
            )
            for submission_id, revision in chosen.items()
        ]
        done, failed = await self._reviews.decide_all(decisions, actor)
        queue = await self._queue.get(actor.guild_id, limit=1)
        view = bulk_result(queue, len(done), [error for _, error in failed], is_refusal=reason is not None)
        await interaction.edit_original_response(view=view, allowed_mentions=_QUIET)

    async def _ask(self, interaction: discord.Interaction[Any], target: str, reason: str | None) -> None:
        actor = _moderator(interaction, target)
        queue = await self._queue.get_listed(actor, list(_listed(interaction)))
        choice = BulkChoice(submission_ids=frozenset(_chosen(interaction)), reason=reason)
        await interaction.response.edit_message(view=bulk_question(queue, choice), allowed_mentions=_QUIET)


def _moderator(interaction: discord.Interaction[Any], target: str | None) -> Actor:
    """Return the moderator of the pressed server."""
    actor = reviewer(interaction)
    if not actor.moderator:
        raise NotAllowedError(LazyText("a moderator"))
    if target is not None and target != guild_target(actor.guild_id):
        raise NotOfferedError
    return actor


def _menu(interaction: discord.Interaction[Any], action: str) -> discord.SelectMenu | None:
    """Return the pressed message's menu of an action."""
    for component in walk(interaction.message.components if interaction.message else ()):
        if isinstance(component, discord.SelectMenu):
            match = CUSTOM_ID.fullmatch(component.custom_id or "")
            if match is not None and match["action"] == action:
                return component
    return None


def _listed(interaction: discord.Interaction[Any]) -> dict[str, int]:
    """Return the revisions of the listed submissions."""
    menu = _menu(interaction, REVIEW_PICK)
    return _revisions([] if menu is None else [option.value for option in menu.options])


def _chosen(interaction: discord.Interaction[Any]) -> dict[str, int]:
    """Return the revisions of the chosen submissions."""
    menu = _menu(interaction, REVIEW_PICK)
    return _revisions([] if menu is None else [option.value for option in menu.options if option.default])


def _reason(interaction: discord.Interaction[Any]) -> str | None:
    """Return the reason of a refusal, None for an approval."""
    menu = _menu(interaction, REVIEW_BULK_REFUSE)
    return None if menu is None else menu.options[0].value


def _revisions(values: list[str]) -> dict[str, int]:
    pairs = (each.partition(":") for each in values)
    return {submission_id: int(revision) for submission_id, _, revision in pairs}
