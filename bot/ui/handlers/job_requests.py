"""Requests for images from commands, menus, modals and buttons."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import aiohttp
import discord
import structlog
from discord import app_commands

from bot.domain.catalogue import Catalogue
from bot.domain.confirmations import CONFIRMATION_LIFETIME, Confirmation
from bot.domain.errors import (
    AffordableOffer,
    AtelierError,
    ConfirmationGoneError,
    InsufficientCreditsError,
    ModelClosedError,
    PromptRefusedError,
    UnknownModelError,
)
from bot.domain.images import InputImage
from bot.domain.jobs import InteractionContext, Job, Origin, Snapshot
from bot.domain.requests import GenerationRequest, affordable, price, readable, remedy
from bot.engine.observer import CardLookup
from bot.services.confirmations import ConfirmationService
from bot.services.job_snapshots import JobSnapshotService
from bot.services.jobs import JobService
from bot.services.request_resolver import RequestResolver, ResolvedRequest, ResolverService, TypedRequest
from bot.ui.command_options import effect_choices, model_choices
from bot.ui.component_tree import custom_ids
from bot.ui.delivery.bounded_requests import REQUEST_SECONDS, bounded
from bot.ui.delivery.card_updater import CardUpdater
from bot.ui.delivery.discord_errors import RETRYABLE, classify
from bot.ui.handlers.component_registry import shown_price
from bot.ui.handlers.interactions import context_of, guild_of, roles_of
from bot.ui.handlers.model_offers import ModelOffers
from bot.ui.handlers.seen_interactions import is_acknowledged
from bot.ui.i18n import use_locale
from bot.ui.render.confirmation import question_card

_log = structlog.get_logger(__name__)


PRICE_CHANGED: Final = -1
"""Stands for the shown price of a form whose prices have changed: the member is asked again."""


class JobRequests:
    """Answers a request with a job's card.

    Above the member's limit a confirmation comes first.
    """

    def __init__(
        self,
        *,
        jobs: JobService,
        resolver: ResolverService,
        confirmations: ConfirmationService,
        snapshots: JobSnapshotService,
        card_updater: CardUpdater,
        catalogue: Catalogue,
        model_offers: ModelOffers,
    ) -> None:
        self._jobs = jobs
        self._resolver = resolver
        self._confirmations = confirmations
        self._snapshots = snapshots
        self._card_updater = card_updater
        self._catalogue = catalogue
        self._model_offers = model_offers

    async def create(
        self,
        interaction: discord.Interaction[Any],
        *,
        prompt: str,
        options: Mapping[str, Any],
        preset: str | None,
        private: bool | None,
        inputs: tuple[InputImage, ...] = (),
        input_ratio: str | None = None,
        shown: int | None = None,
    ) -> None:
        """Create a job from a command's options.

        None means not chosen: the preset or the member's default applies. `input_ratio` is the input image's aspect
        ratio, kept unless another one is chosen. For `shown` see `create_resolved`. Raises the errors of
        `ResolverService.resolver_for` and `create_resolved`.
        """
        asked = TypedRequest(
            guild_id=guild_of(interaction),
            member_id=interaction.user.id,
            prompt=prompt,
            options=options,
            preset=preset,
            private=private,
            inputs=inputs,
            input_ratio=input_ratio,
            roles=roles_of(interaction.user),
        )
        try:
            await self.create_resolved(interaction, self._resolver.resolver_for(**asked), shown=shown)
        except UnknownModelError as error:
            if not error.offers:
                await self._model_offers.add_known(error, context_of(interaction, private=False), asked)
            raise
        except PromptRefusedError as error:
            # Discord keeps no command that was answered.
            error.typed = readable(prompt)
            raise

    async def create_resolved(
        self,
        interaction: discord.Interaction[Any],
        choose: RequestResolver,
        *,
        origin: Origin | None = None,
        shown: int | None = None,
    ) -> None:
        """Create a job and answer with its card, or with a confirmation.

        `shown` is the price that the member saw before the press, 0 if none: above it they are asked. None for a
        command. Raises the errors of `choose` and `JobService.create`; then nothing is held. An
        `InsufficientCreditsError` has an offer if a smaller request is affordable now, a `ModelClosedError` or
        `UnknownModelError` one for each of the best models that can do the same.
        """
        contexts = {private: context_of(interaction, private=private) for private in (False, True)}
        choose = choose if shown is None else _ask_above(shown, choose)
        resolved: list[ResolvedRequest] = []

        def keep(request: ResolvedRequest) -> ResolvedRequest:
            resolved[:] = [request]
            return request

        try:
            with self._jobs.pause_dispatch():
                created = await self._jobs.resolve_and_create(contexts, choose.then(keep), origin=origin)
                if isinstance(created, ResolvedRequest):
                    dearer = bool(shown) and price(created.request, self._catalogue) > (shown or 0)
                    await self._ask(interaction, contexts[created.private], created.request, origin, dearer=dearer)
                else:
                    await self._acknowledge(interaction, created)
        except InsufficientCreditsError as error:
            (refused,) = resolved
            error.remedy = remedy(refused.request, error.most_in_a_period or 0, self._catalogue)
            error.offer = await self._offer(contexts[refused.private], refused.request, origin, error.available)
            raise
        except (ModelClosedError, UnknownModelError) as error:
            if resolved:
                await self._model_offers.add(error, contexts[resolved[0].private], resolved[0].request, origin)
            raise

    async def model_choices(
        self, interaction: discord.Interaction[Any], typed: str, inputs: tuple[InputImage, ...] = ()
    ) -> list[app_commands.Choice[str]]:
        """Return the models to autocomplete, priced for the options chosen so far."""
        chosen = dict(iter(interaction.namespace))
        quotes = await self._resolver.quotes(
            chosen,
            guild_id=guild_of(interaction),
            member_id=interaction.user.id,
            preset=chosen.get("preset"),
            inputs=inputs,
        )
        return model_choices(quotes, typed)

    def effect_choices(self, typed: str) -> list[app_commands.Choice[str]]:
        """Return the known effects to autocomplete."""
        return effect_choices(self._resolver.effects, typed)

    async def confirm(self, interaction: discord.Interaction[Any], confirmation_id: str) -> None:
        """Turn a confirmation into the job's card.

        If the price has risen, ask again instead. Raises `ConfirmationGoneError`, `NotAllowedError`, and the errors of
        `JobService.create`.
        """
        _require_recent(interaction)
        confirmation, dearer = await self._confirmations.get(
            confirmation_id, interaction.user.id, shown=shown_price(interaction)
        )
        asked = interaction.message
        if confirmation.private and asked is not None and not asked.flags.ephemeral:
            await self._confirm_privately(interaction, confirmation, asked, dearer=dearer)
            return
        context = context_of(interaction, private=confirmation.private or (asked is not None and asked.flags.ephemeral))
        if dearer:
            view = await self._question(confirmation, context.locale, dearer_than_asked=True)
            await interaction.response.edit_message(view=view, allowed_mentions=discord.AllowedMentions.none())
            return
        if interaction.message is not None:
            # Set before the answer is sent: if that fails, the confirmation's message can still show the job.
            context = replace(context, message_id=interaction.message.id)
        snapshot = await self._create_confirmed(context, confirmation)
        await self._acknowledge(interaction, snapshot, in_place=True)

    async def _confirm_privately(
        self,
        interaction: discord.Interaction[Any],
        confirmation: Confirmation,
        asked: discord.Message,
        *,
        dearer: bool,
    ) -> None:
        """Answer a public question with a private card, and delete the question."""
        await self._confirm_anew(interaction, confirmation, dearer=dearer)
        try:
            async with bounded(REQUEST_SECONDS, in_channel=False):
                await asked.delete()
        except Exception as error:
            if classify(error) is None:
                raise
            _log.warning("question.not_removed", error=type(error).__name__)

    async def confirm_smaller(self, interaction: discord.Interaction[Any], confirmation_id: str) -> None:
        """Make the smaller version of a refused request.

        The refusal was private, so the card is a new message. If the price has risen, ask again instead. Raises
        as `confirm` does.
        """
        _require_recent(interaction)
        confirmation, dearer = await self._confirmations.get(
            confirmation_id, interaction.user.id, shown=shown_price(interaction)
        )
        await self._confirm_anew(interaction, confirmation, dearer=dearer)

    async def confirm_other_model(self, interaction: discord.Interaction[Any], confirmation_id: str) -> None:
        """Make a refused request at another model.

        The refusal was private, so the card is a new message. Above the member's limit, or if the price has risen, ask
        first. Raises as `confirm` does.
        """
        _require_recent(interaction)
        confirmation, dearer = await self._confirmations.get(
            confirmation_id, interaction.user.id, shown=shown_price(interaction)
        )
        asks = confirmation.price > await self._resolver.confirm_over(interaction.user.id)
        await self._confirm_anew(interaction, confirmation, dearer=dearer, asks=asks)

    async def _confirm_anew(
        self, interaction: discord.Interaction[Any], confirmation: Confirmation, *, dearer: bool, asks: bool = False
    ) -> None:
        """Answer a press with a new card, or with a question.

        `asks` is for a price above the member's limit, `dearer` for one above that of the button.
        """
        context = context_of(interaction, private=confirmation.private)
        if dearer or asks:
            await self._send_question(interaction, confirmation, context, dearer_than_asked=dearer)
            return
        with self._jobs.pause_dispatch():
            snapshot = await self._create_confirmed(context, confirmation)
            await self._acknowledge(interaction, snapshot)

    async def _create_confirmed(self, context: InteractionContext, confirmation: Confirmation) -> Snapshot:
        """Create a confirmed job; if its model is gone by now, offer others."""
        try:
            return await self._jobs.create(
                context, confirmation.request, origin=confirmation.origin, confirmation_id=confirmation.id
            )
        except (ModelClosedError, UnknownModelError) as error:
            await self._model_offers.add(error, context, confirmation.request, confirmation.origin)
            raise

    async def decline(self, interaction: discord.Interaction[Any], confirmation_id: str) -> None:
        """Delete a confirmation and its message.

        Raises `ConfirmationGoneError` or `NotAllowedError`.
        """
        _require_recent(interaction)
        await self._confirmations.delete(confirmation_id, interaction.user.id)
        await interaction.response.defer()
        await interaction.delete_original_response()

    async def _ask(
        self,
        interaction: discord.Interaction[Any],
        context: InteractionContext,
        request: GenerationRequest,
        origin: Origin | None,
        *,
        dearer: bool,
    ) -> None:
        confirmation = await self._confirmations.add(context, request, origin)
        try:
            await self._send_question(interaction, confirmation, context, dearer_than_asked=dearer)
        except discord.HTTPException as error:
            if classify(error) not in RETRYABLE and not await _shows(interaction, confirmation.id):
                await self._confirmations.delete(confirmation.id, confirmation.member_id)
            raise

    async def _offer(
        self, context: InteractionContext, request: GenerationRequest, origin: Origin | None, available: int
    ) -> AffordableOffer | None:
        """Store the affordable part of a refused request, if any."""
        smaller = affordable(request, available, self._catalogue)
        if smaller is None:
            return None
        try:
            confirmation = await self._confirmations.add(context, smaller, origin)
        except AtelierError:
            return None  # the member was offered it a moment ago, or something else is in its way
        return AffordableOffer(
            confirmation_id=confirmation.id,
            images=smaller.images,
            detail=None if smaller.detail == request.detail else smaller.detail,
            price=confirmation.price,
        )

    async def _send_question(
        self,
        interaction: discord.Interaction[Any],
        confirmation: Confirmation,
        context: InteractionContext,
        *,
        dearer_than_asked: bool = False,
    ) -> None:
        await interaction.response.send_message(
            view=await self._question(confirmation, context.locale, dearer_than_asked=dearer_than_asked),
            ephemeral=context.private,
            allowed_mentions=discord.AllowedMentions.none(),
        )

    async def _question(
        self, confirmation: Confirmation, locale: str, *, dearer_than_asked: bool = False
    ) -> discord.ui.LayoutView:
        usual = await self._snapshots.usual_seconds(confirmation.request.model)
        with use_locale(locale):
            return question_card(confirmation, usual, dearer_than_asked=dearer_than_asked)

    async def _acknowledge(
        self, interaction: discord.Interaction[Any], snapshot: Snapshot, *, in_place: bool = False
    ) -> None:
        """Answer with the job's card.

        If the card surely did not appear, cancel the job and return its credits. An answer of another process stays.
        `in_place` turns the pressed message into the card. Raises the error of Discord that refused the card; the
        interaction has no answer then.
        """
        job = snapshot.job
        # For all lines from here, those of an error's answer too: each interaction is a task.
        structlog.contextvars.bind_contextvars(job=job.id)
        _log.info("job.made", guild=job.place.guild_id, model=job.request.model, price=job.price)
        found, error = await self._send_card(interaction, snapshot, in_place=in_place)
        if found is None:
            return  # Discord cannot be asked now: the engine looks for the card later
        if found.exists:
            await self._jobs.mark_acknowledged(job.id, found.message_id, private=found.is_private)
            if job.prepared and snapshot.queue_position is None:
                self._card_updater.on_job_changed(job.id)  # a long queue is sorted after the answer
        elif found.is_foreign:
            self._card_updater.forget(job.id)
            await self._jobs.withdraw(job, found.other_job_id)
        elif error is not None and classify(error) not in RETRYABLE:
            self._card_updater.forget(job.id)
            await self._jobs.abandon(job, refused=True)
            raise error
        else:
            self._card_updater.forget(job.id)
            await self._jobs.abandon(job)
            self._card_updater.on_job_changed(job.id)

    async def _send_card(
        self, interaction: discord.Interaction[Any], snapshot: Snapshot, *, in_place: bool
    ) -> tuple[CardLookup | None, Exception | None]:
        """Send the card and return its lookup and Discord's error.

        The lookup is None if Discord is unreachable.
        """
        card, quiet = self._card_updater.first_card(snapshot), discord.AllowedMentions.none()
        try:
            if in_place:
                await interaction.response.edit_message(view=card, allowed_mentions=quiet)
                # The pressed message is known, whatever Discord's answer says.
                return CardLookup(exists=True, message_id=interaction.message.id if interaction.message else None), None
            answer = await interaction.response.send_message(
                view=card, ephemeral=snapshot.job.place.private, allowed_mentions=quiet
            )
        except Exception as error:
            if classify(error) is None:
                raise
            return await self._find_card(snapshot.job, error), error
        # Discord itself makes some answers private, such as where AutoMod or missing permissions forbid public ones.
        return CardLookup(exists=True, message_id=answer.message_id, is_private=answer.is_ephemeral()), None

    async def _find_card(self, job: Job, error: Exception) -> CardLookup | None:
        """Return whether the card appeared despite an error.

        The first try of a repeated callback, or a request whose connection broke, may have been carried out. None if
        Discord cannot say it now.
        """
        found = await self._card_updater.find_card(job)
        if found is None or found.exists or found.is_foreign:
            return found
        if is_acknowledged(error):
            return None  # something answered, and no answer is there (yet): the engine decides before any submit
        _log.warning("card.not_acknowledged", job=job.id, error=type(error).__name__)
        return found


async def _shows(interaction: discord.Interaction[Any], target_id: str) -> bool:
    """Return whether the interaction's answer has buttons of a target.

    True if Discord cannot say it now.
    """
    try:
        answer = await interaction.original_response()
    except (discord.DiscordException, aiohttp.ClientError, OSError) as error:
        return classify(error) in RETRYABLE
    return any(f":{target_id}:" in each for each in custom_ids(answer.components))


def _ask_above(shown: int, choose: RequestResolver) -> RequestResolver:
    """Return a resolver with a confirmation above a price, too."""
    return choose.then(lambda resolved: replace(resolved, confirm_over=min(resolved.confirm_over, shown)))


def _require_recent(interaction: discord.Interaction[Any]) -> None:
    """Check the age of the pressed confirmation by Discord's clock.

    Raises:
        ConfirmationGoneError: the message is too old.
    """
    asked = interaction.message
    if asked is not None and interaction.created_at - asked.created_at > CONFIRMATION_LIFETIME:
        raise ConfirmationGoneError(expired=True)
