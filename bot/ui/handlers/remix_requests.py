"""Jobs made from an earlier job, and its images on a message."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import discord

from bot.domain.errors import ImageGoneError
from bot.domain.jobs import Action, Origin
from bot.domain.requests import GenerationRequest
from bot.services.remix import RemixOptions, RemixService, Source
from bot.services.request_resolver import ResolverService
from bot.ui.buttons import SHOWCASE_FORMS
from bot.ui.component_tree import walk
from bot.ui.handlers.interactions import guild_of
from bot.ui.handlers.job_requests import JobRequests


class RemixRequests:
    """Creates the jobs of actions on a card."""

    def __init__(self, *, remix: RemixService, resolver: ResolverService, requests: JobRequests) -> None:
        self._remix = remix
        self._resolver = resolver
        self._requests = requests

    async def create(
        self, interaction: discord.Interaction[Any], source: Source, action: Action, chosen: RemixOptions, shown: int
    ) -> None:
        """Create the job of an action and answer with its card.

        For `shown` see `JobRequests.create_resolved`. Raises its errors and those of `RemixService.build_request`.
        """
        request, origin = self._remix.build_request(source, action, chosen)
        await self._create(interaction, source, request, origin, shown)

    async def create_elsewhere(
        self, interaction: discord.Interaction[Any], source: Source, model_id: str, shown: int
    ) -> None:
        """Create the same job at another model and answer with its card.

        Raises as `create` does, and the errors of `RemixService.build_again_at`.
        """
        request, origin = self._remix.build_again_at(source, model_id)
        await self._create(interaction, source, request, origin, shown)

    async def _create(
        self,
        interaction: discord.Interaction[Any],
        source: Source,
        request: GenerationRequest,
        origin: Origin,
        shown: int,
    ) -> None:
        # A job made from a private one is private; else the member's preference applies. In the showcase there are
        # no cards.
        is_private = (
            source.submission_id is not None or source.job.is_private or _is_private_message(interaction, source)
        )
        private = True if is_private else None
        choose = self._resolver.resolver_for_request(
            guild_of(interaction), interaction.user.id, request, private=private
        )
        await self._requests.create_resolved(interaction, choose, origin=origin, shown=shown)


def form_target(source: Source, action: Action, name: str) -> tuple[str, str]:
    """Return the target and the action of a form's custom id.

    `name` is the action on a card. On a post in the showcase nothing leads to the job.
    """
    if source.submission_id is not None:
        return source.submission_id, SHOWCASE_FORMS[action]
    return source.job.id, name


def fetchable(source: Source, urls: Mapping[int, str | None]) -> dict[int, str | None]:
    """Return the available images by position, with known addresses.

    Raises:
        ImageGoneError: there is none; raised before a form is filled in for nothing.
    """
    had = {at: urls.get(at) for at, file in source.pictures.items() if file is not None or urls.get(at) is not None}
    if not had:
        raise ImageGoneError
    return had


def shown_urls(source: Source, message: discord.Message | None) -> dict[int, str | None]:
    """Return the addresses of a job's images in a message, by position."""
    shown = [] if message is None else list(_gallery(message.components))
    # Where the message shows fewer than there are, nobody can tell which is which.
    return dict(zip(source.pictures, shown, strict=True)) if len(shown) == len(source.pictures) else {}


def _gallery(components: Iterable[Any]) -> Iterator[str]:
    """Yield the URLs of a message's images. Each press signs them again."""
    for component in walk(components):
        if isinstance(component, discord.MediaGalleryComponent):
            yield from (item.media.url for item in component.items)


def _is_private_message(interaction: discord.Interaction[Any], source: Source) -> bool:
    """Return whether the pressed message is the private card of a public job."""
    message = interaction.message
    return source.job.place.private and message is not None and message.flags.ephemeral
