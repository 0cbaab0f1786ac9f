"""Answers to commands, buttons, menus and forms."""

from functools import cached_property
from typing import TYPE_CHECKING

from bot.container.sharing import SharingContainer
from bot.domain.remix import possible_actions
from bot.services.publications import PublicationService
from bot.services.sharing.review_statistics import ReviewStatisticsService
from bot.services.versions import VersionService
from bot.ui.handlers.card_actions import CardActions
from bot.ui.handlers.comparisons import ComparisonHandlers
from bot.ui.handlers.duels import DuelHandlers
from bot.ui.handlers.edit_menu import EditMenu
from bot.ui.handlers.form_errors import FormErrors
from bot.ui.handlers.form_reopen import FormReopener
from bot.ui.handlers.history import HistoryHandlers
from bot.ui.handlers.job_requests import JobRequests
from bot.ui.handlers.live_jobs import LiveJobHandlers
from bot.ui.handlers.mentions import MentionHandlers
from bot.ui.handlers.model_offers import ModelOffers
from bot.ui.handlers.moderation import ModerationHandlers
from bot.ui.handlers.origins import OriginHandlers
from bot.ui.handlers.presets import PresetHandlers
from bot.ui.handlers.publications import PublicationHandlers
from bot.ui.handlers.remix_forms import RemixForms
from bot.ui.handlers.remix_requests import RemixRequests
from bot.ui.handlers.setup import SetupHandlers
from bot.ui.handlers.sharing.reports import ReportHandlers
from bot.ui.handlers.sharing.review import ReviewHandlers
from bot.ui.handlers.sharing.review_queue import ReviewQueueHandlers
from bot.ui.handlers.sharing.share import ShareHandlers
from bot.ui.handlers.sharing.showcase import ShowcaseHandlers
from bot.ui.handlers.versions import VersionHandlers

if TYPE_CHECKING:
    from bot.ui.handlers.statistics import StatisticsHandlers


class HandlerContainer(SharingContainer):
    """The messages with the handlers of interactions."""

    @cached_property
    def job_requests(self) -> JobRequests:
        """Way from a request to its card, or to the question before it."""
        return JobRequests(
            jobs=self.jobs,
            resolver=self.request_resolver,
            confirmations=self.confirmations,
            snapshots=self.snapshots,
            card_updater=self.card_updater,
            catalogue=self.catalogue,
            model_offers=self.model_offers,
        )

    @cached_property
    def model_offers(self) -> ModelOffers:
        """Other models for refused requests."""
        return ModelOffers(
            availability=self.model_availability, confirmations=self.confirmations, resolver=self.request_resolver
        )

    @cached_property
    def form_errors(self) -> FormErrors:
        """Answers to rejected modals."""
        return FormErrors(forms=self.saved_forms)

    @cached_property
    def remix_requests(self) -> RemixRequests:
        """Jobs of the actions on cards."""
        return RemixRequests(remix=self.remix, resolver=self.request_resolver, requests=self.job_requests)

    @cached_property
    def remix_forms(self) -> RemixForms:
        """Forms to change a request before Again or Vary."""
        return RemixForms(
            remix=self.remix,
            requests=self.remix_requests,
            forms=self.saved_forms,
            form_errors=self.form_errors,
            catalogue=self.catalogue,
        )

    @cached_property
    def publication_handlers(self) -> PublicationHandlers:
        """Answers to *Make public*."""
        return PublicationHandlers(
            publications=PublicationService(
                database=self.database,
                access=self.access,
                clock=self.clock,
                new_id=self.new_id,
                waker=self.outbox_publisher,
            ),
            delivery=self.result_delivery,
            messages=self.messages,
        )

    @cached_property
    def history_handlers(self) -> HistoryHandlers:
        """Answers to `/history`."""
        return HistoryHandlers(
            history=self.history,
            images=self.image_service,
            actions=possible_actions(self.catalogue),
            prices=self.remix.get_prices,
            page_turns=self.page_turns,
            provider_name=self.settings.display_name_of,
        )

    @cached_property
    def card_actions(self) -> CardActions:
        """Answers to the buttons of finished cards."""
        return CardActions(
            remix=self.remix,
            gate=self.request_gate,
            details=self.details,
            requests=self.remix_requests,
            remix_forms=self.remix_forms,
            preferences=self.preferences,
            messages=self.messages,
            card_updater=self.card_updater,
            forms=self.saved_forms,
            form_errors=self.form_errors,
            publications=self.publication_handlers,
            comparisons=ComparisonHandlers(comparisons=self.comparisons, images=self.image_service),
            versions=VersionHandlers(
                versions=VersionService(database=self.database, limits=self.member_limits), messages=self.messages
            ),
            history=self.history_handlers,
            catalogue=self.catalogue,
            takedowns=self.takedowns,
        )

    @cached_property
    def edit_menu(self) -> EditMenu:
        """Answers to "Edit this image"."""
        return EditMenu(
            jobs=self.jobs,
            resolver=self.request_resolver,
            gate=self.request_gate,
            requests=self.job_requests,
            actions=self.card_actions,
            forms=self.saved_forms,
            form_errors=self.form_errors,
        )

    @cached_property
    def mention_handlers(self) -> MentionHandlers:
        """Answers to mentions of the bot."""
        return MentionHandlers(
            jobs=self.jobs,
            resolver=self.request_resolver,
            confirmations=self.confirmations,
            model_offers=self.model_offers,
            snapshots=self.snapshots,
            remix=self.remix,
            gate=self.request_gate,
            limits=self.member_limits,
            clock=self.clock,
            read_settings=self.guild_settings.get,
        )

    @cached_property
    def duel_handlers(self) -> DuelHandlers:
        """Answers to `/duel`."""
        return DuelHandlers(
            duels=self.duels, jobs=self.jobs, card_updater=self.card_updater, duel_updater=self.duel_updater
        )

    @cached_property
    def preset_handlers(self) -> PresetHandlers:
        """Answers to `/preset`."""
        return PresetHandlers(presets=self.presets)

    @cached_property
    def live_job_handlers(self) -> LiveJobHandlers:
        """Answers to `/jobs`."""
        return LiveJobHandlers(jobs=self.live_jobs)

    @cached_property
    def origin_handlers(self) -> OriginHandlers:
        """Answers to "Was this made here?"."""
        return OriginHandlers(origins=self.origins, jobs=self.jobs, messages=self.messages)

    @cached_property
    def statistics_handlers(self) -> "StatisticsHandlers":
        """Answers to `/studio stats`."""
        # Not at the top: charts take 1 MB, also of bots whose statistics nobody reads.
        from bot.charts.drawer import ChartDrawer  # noqa: PLC0415 - see above
        from bot.ui.handlers.statistics import StatisticsHandlers  # noqa: PLC0415 - see above

        return StatisticsHandlers(
            statistics=self.statistics,
            drawer=ChartDrawer(folder=self.settings.data_dir / "fonts"),
            provider_name=self.settings.display_name_of,
        )

    @cached_property
    def moderation_handlers(self) -> ModerationHandlers:
        """Answers to moderators."""
        return ModerationHandlers(moderation=self.moderation, catalogue=self.catalogue)

    @cached_property
    def review_handlers(self) -> ReviewHandlers:
        """Answers to moderators' presses on review cards."""
        return ReviewHandlers(reviews=self.review_service, moderation=self.moderation)

    @cached_property
    def review_queue_handlers(self) -> ReviewQueueHandlers:
        """Answers to `/review` and decisions about several submissions."""
        return ReviewQueueHandlers(
            queue=self.review_queue,
            reviews=self.review_service,
            statistics=ReviewStatisticsService(database=self.database, clock=self.clock),
            images=self.image_service,
            page_turns=self.page_turns,
        )

    @cached_property
    def showcase_handlers(self) -> ShowcaseHandlers:
        """Answers to presses on posts in the showcase."""
        return ShowcaseHandlers(
            showcase=self.showcase_service,
            votes=self.vote_service,
            remix=self.remix,
            gate=self.request_gate,
            actions=self.card_actions,
            remix_forms=self.remix_forms,
        )

    @cached_property
    def report_handlers(self) -> ReportHandlers:
        """Answers to reports, and decisions about them."""
        return ReportHandlers(reports=self.reports, contact=self.settings.contact_address)

    @cached_property
    def setup_handlers(self) -> SetupHandlers:
        """Answers to `/studio setup` and `/studio show`."""
        return SetupHandlers(
            setup=self.guild_setup,
            settings=self.guild_settings,
            allowances=self.allowances,
            form_errors=self.form_errors,
        )

    @cached_property
    def share_handlers(self) -> ShareHandlers:
        """Answers to members about their submissions."""
        return ShareHandlers(
            submissions=self.submission_service,
            snapshots=self.submission_snapshots,
            preferences=self.preferences,
            jobs=self.jobs,
            form_errors=self.form_errors,
            clock=self.clock,
        )

    @cached_property
    def form_reopener(self) -> FormReopener:
        """Answers to the button of a rejected modal."""
        return FormReopener(
            forms=self.saved_forms,
            form_errors=self.form_errors,
            edit_menu=self.edit_menu,
            actions=self.card_actions,
            remix_forms=self.remix_forms,
            setup=self.setup_handlers,
            share=self.share_handlers,
        )
