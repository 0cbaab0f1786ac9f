"""Answers to `/review list` and the presses on its pages."""

from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Any, Final

import discord
from discord import ui

from bot.domain.errors import NotAllowedError, NotOfferedError
from bot.domain.images import ResultImage
from bot.domain.lazy_text import LazyText
from bot.domain.sharing.submissions import SubmissionState
from bot.images.image_service import ImageService
from bot.services.jobs import Actor
from bot.services.sharing.review_queue import QueueSnapshot, ReviewQueue
from bot.services.sharing.review_statistics import ReviewStatisticsService
from bot.services.sharing.reviews import Decision, ReviewService
from bot.ui.buttons import CUSTOM_ID, REVIEW_BULK_REFUSE, REVIEW_PICK, guild_target
from bot.ui.component_tree import walk
from bot.ui.delivery.discord_errors import DiscordErrorKind, classify
from bot.ui.delivery.page_turns import PageTurn, PageTurns
from bot.ui.delivery.thumbnails import prepare_thumbnails
from bot.ui.delivery.uploads import open_file
from bot.ui.handlers.component_registry import selected_values
from bot.ui.handlers.interactions import is_admin, is_age_restricted
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
    shown_pictures,
)

_QUIET: Final = discord.AllowedMentions.none()


class ReviewQueueHandlers:
    """Decides several submissions at once, after one question.

    The pressed message holds the choice: its menus have what was chosen, with the revisions seen.
    """

    def __init__(
        self,
        *,
        queue: ReviewQueue,
        reviews: ReviewService,
        statistics: ReviewStatisticsService,
        images: ImageService,
        page_turns: PageTurns,
    ) -> None:
        self._queue = queue
        self._images = images
        self._page_turns = page_turns
        self._reviews = reviews
        self._statistics = statistics

    async def show_figures(self, interaction: discord.Interaction[Any]) -> None:
        """Answer privately with the figures by week and by moderator."""
        view = review_figures_panel(await self._statistics.get(reviewer(interaction)))
        await interaction.response.send_message(view=view, ephemeral=True, allowed_mentions=_QUIET)

    async def show(self, interaction: discord.Interaction[Any], target: str | None = None) -> None:
        """Answer privately with the longest waiting submissions."""
        actor = _moderator(interaction, target)
        await interaction.response.defer(ephemeral=True, thinking=True)
        queue = await self._queue.get(actor.guild_id, limit=MOST_LISTED, viewer=actor)
        # Moderators press the same card, and each gets an answer.
        with PageTurns().answering(interaction) as turn:
            await self._show_page(interaction, turn, queue, preselected(queue))

    async def show_again(self, interaction: discord.Interaction[Any], target: str) -> None:
        """Show the longest waiting submissions in the pressed message."""
        actor = _moderator(interaction, target)
        with self._page_turns.answering(interaction) as turn:
            await interaction.response.defer()
            queue = await self._queue.get(actor.guild_id, limit=MOST_LISTED, viewer=actor)
            await self._show_page(interaction, turn, queue, preselected(queue))

    async def pick(self, interaction: discord.Interaction[Any], target: str) -> None:
        """Show the choice of submissions."""
        actor = _moderator(interaction, target)
        chosen = [each.partition(":")[0] for each in selected_values(interaction)]
        with self._page_turns.answering(interaction) as turn:
            await interaction.response.defer()
            queue = await self._queue.get_listed(actor, list(_listed(interaction)))
            await self._show_page(interaction, turn, queue, chosen)

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
        await interaction.edit_original_response(view=view, attachments=[], allowed_mentions=_QUIET)

    async def _ask(self, interaction: discord.Interaction[Any], target: str, reason: str | None) -> None:
        actor = _moderator(interaction, target)
        choice = BulkChoice(submission_ids=frozenset(_chosen(interaction)), reason=reason)
        with self._page_turns.answering(interaction) as turn:
            await interaction.response.defer()
            queue = await self._queue.get_listed(actor, list(_listed(interaction)))
            build = partial(bulk_question, queue, choice)
            await self._show_pictures(
                interaction, turn, build, self._pictures(interaction, queue, choice.submission_ids)
            )

    async def _show_page(
        self, interaction: discord.Interaction[Any], turn: PageTurn, queue: QueueSnapshot, chosen: Collection[str]
    ) -> None:
        build = partial(bulk_page, queue, chosen)
        await self._show_pictures(interaction, turn, build, self._pictures(interaction, queue))

    async def _show_pictures(
        self,
        interaction: discord.Interaction[Any],
        turn: PageTurn,
        build: Callable[[Mapping[str, str]], ui.LayoutView],
        pictures: Mapping[str, ResultImage],
    ) -> None:
        """Show a page with thumbnails, or without if they are too large."""
        uploads = await prepare_thumbnails(self._images, pictures, member=interaction.user.id)
        names = {key: f"submission-{place}.{each.extension}" for place, (key, each) in enumerate(uploads.items(), 1)}
        try:
            await turn.edit(build(names), [open_file(uploads[key], name) for key, name in names.items()])
        except discord.HTTPException as error:
            if classify(error) is not DiscordErrorKind.TOO_LARGE:
                raise
            await turn.edit(build({}), ())

    def _pictures(
        self, interaction: discord.Interaction[Any], queue: QueueSnapshot, only: Collection[str] | None = None
    ) -> dict[str, ResultImage]:
        return shown_pictures(queue, only, in_age_restricted=is_age_restricted(interaction))


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
