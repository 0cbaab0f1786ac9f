"""Messages to members: cards, results, exports."""

from functools import cached_property

from bot.container.alerts import AlertContainer
from bot.domain.remix import possible_actions
from bot.engine.input_publisher import InputPublisher
from bot.engine.observer import JobObserver
from bot.services.deletions import DeletionService
from bot.services.export_parts import ExportBuilder
from bot.services.exports import ExportService
from bot.services.takedowns import TakedownService
from bot.ui.delivery.card_updater import CardUpdater
from bot.ui.delivery.duel_updater import DuelUpdater
from bot.ui.delivery.export_messages import ExportMessages
from bot.ui.delivery.first_hint import FirstHint
from bot.ui.delivery.input_publisher import CardInputPublisher
from bot.ui.delivery.job_messages import DIRECT_UPLOAD_LIMIT, JobMessages
from bot.ui.delivery.job_notifier import JobNotifier
from bot.ui.delivery.message_eraser import JobMessageEraser
from bot.ui.delivery.page_turns import PageTurns
from bot.ui.delivery.result_delivery import ResultDelivery


class DeliveryContainer(AlertContainer):
    """The alerts with the messages to members."""

    @cached_property
    def messages(self) -> JobMessages:
        """Messages of jobs on Discord."""
        return JobMessages(client=self.client, clock=self.clock)

    @cached_property
    def result_delivery(self) -> ResultDelivery:
        """Delivery of ended jobs."""
        return ResultDelivery(
            card_store=self.card_store,
            image_service=self.image_service,
            messages=self.messages,
            clock=self.clock,
            soft_deadline=self.engine_config.soft_deadline,
            actions=possible_actions(self.catalogue),
            prices=self.remix.get_prices,
            alternatives=self.model_availability.alternatives_of,
            outside=self.settings.user_install,
            command_ids=lambda: self.command_sync.command_ids,
        )

    @cached_property
    def first_hint(self) -> FirstHint:
        """Hint after a member's first pictures."""
        return FirstHint(
            card_store=self.card_store,
            messages=self.messages,
            clock=self.clock,
            actions=possible_actions(self.catalogue),
            command_ids=lambda: self.command_sync.command_ids,
        )

    @cached_property
    def page_turns(self) -> PageTurns:
        """Order of the edits of pages of the history."""
        return PageTurns()

    @cached_property
    def card_updater(self) -> CardUpdater:
        """Edits of cards as jobs change."""
        return CardUpdater(
            snapshots=self.snapshots,
            job_store=self.job_store,
            card_store=self.card_store,
            messages=self.messages,
            delivery=self.result_delivery,
            notifier=JobNotifier(card_store=self.card_store, messages=self.messages, delivery=self.result_delivery),
            hint=self.first_hint if self.settings.first_hint else None,
            page_turns=self.page_turns,
            on_duel_changed=self._note_duel,
            clock=self.clock,
            randomness=self.randomness,
        )

    def _note_duel(self, duel_id: str) -> None:
        """Pass a change on.

        The engine is built with the card updater, and the duels with the engine.
        """
        self.duel_updater.on_duel_changed(duel_id)

    @cached_property
    def duel_updater(self) -> DuelUpdater:
        """Edits of duels' messages, and the end of due votes."""
        return DuelUpdater(
            duels=self.duels,
            messages=self.messages,
            image_service=self.image_service,
            clock=self.clock,
            randomness=self.randomness,
        )

    @cached_property
    def observer(self) -> JobObserver:
        """Receiver of job changes: the card updater."""
        return self.card_updater

    @cached_property
    def input_publisher(self) -> InputPublisher | None:
        """Publisher of input images on cards; None with a public URL."""
        if self.input_policy.served:
            return None
        return CardInputPublisher(
            snapshots=self.snapshots,
            image_service=self.image_service,
            messages=self.messages,
            delivery=self.result_delivery,
            card_updater=self.card_updater,
        )

    @cached_property
    def exports(self) -> ExportService:
        """Exports of members' data, by direct message."""
        return ExportService(
            database=self.database,
            builder=ExportBuilder(database=self.database, image_service=self.image_service, limit=DIRECT_UPLOAD_LIMIT),
            messenger=ExportMessages(client=self.client),
            limits=self.member_limits,
            clock=self.clock,
            worker_id=self.lease.worker_id,
        )

    @cached_property
    def deletions(self) -> DeletionService:
        """Deletion of everything about a member."""
        return DeletionService(
            database=self.database,
            image_service=self.image_service,
            job_store=self.job_store,
            engine=self.engine,
            eraser=JobMessageEraser(messages=self.messages),
            register=self.deletion_register,
            pseudonym_of=self.pseudonym_of,
            clock=self.clock,
        )

    @cached_property
    def takedowns(self) -> TakedownService:
        """Takedowns of pictures with their copies."""
        return TakedownService(
            database=self.database,
            image_service=self.image_service,
            register=self.deletion_register,
            clock=self.clock,
            new_id=self.new_id,
            engine=self.engine,
            eraser=JobMessageEraser(messages=self.messages),
        )
