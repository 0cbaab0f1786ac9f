"""Sharing: submissions, their review, and the messages about them."""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property

from bot.container.delivery import DeliveryContainer
from bot.domain.outbox import MessageKind
from bot.domain.remix import editing_models
from bot.services.appeals import AppealService, AppealSnapshots
from bot.services.closed_messages import ClosedMessages
from bot.services.outbox import OutboxService
from bot.services.reports import ReportService
from bot.services.sharing.challenge_snapshots import ChallengeSnapshots
from bot.services.sharing.challenges import ChallengeService
from bot.services.sharing.notices import NoticeService
from bot.services.sharing.picks import PickService
from bot.services.sharing.restricted_posts import RestrictedPosts
from bot.services.sharing.review_alerts import ReviewAlerts
from bot.services.sharing.review_queue import ReviewQueue
from bot.services.sharing.review_watch import ReviewWatch
from bot.services.sharing.reviews import ReviewService
from bot.services.sharing.showcase import ShowcaseService
from bot.services.sharing.snapshots import SubmissionSnapshots
from bot.services.sharing.submissions import SubmissionService
from bot.services.sharing.votes import VoteService
from bot.ui.delivery.appeal_messages import AppealMessages
from bot.ui.delivery.decision_notices import NoticeRenderer
from bot.ui.delivery.finished_cards import FinishedCards
from bot.ui.delivery.log_channel_messages import LogChannelMessages
from bot.ui.delivery.outbox.publisher import OutboxPublisher
from bot.ui.delivery.outbox.rendering import MessageRenderer
from bot.ui.delivery.sharing.age_flag_watch import AgeFlagWatch
from bot.ui.delivery.sharing.challenge_messages import ChallengeMessages
from bot.ui.delivery.sharing.picks_messages import PicksMessages
from bot.ui.delivery.sharing.report_messages import ReportMessages
from bot.ui.delivery.sharing.review_messages import QueueMessages, ReviewMessages
from bot.ui.delivery.sharing.showcase_messages import ShowcaseMessages


class LateWaker:
    """A waker built before the publisher, its own user."""

    def __init__(self, publisher: Callable[[], OutboxPublisher]) -> None:
        self._publisher = publisher

    def wake(self, message_ids: Sequence[str]) -> None:
        """Publish due messages at once."""
        self._publisher().wake(message_ids)


class SharingContainer(DeliveryContainer):
    """The messages to members with sharing."""

    @cached_property
    def submission_snapshots(self) -> SubmissionSnapshots:
        """Submissions as their messages show them."""
        return SubmissionSnapshots(database=self.database)

    @cached_property
    def review_watch(self) -> ReviewWatch:
        """Reminders of review queues, and tries of closed channels."""
        return ReviewWatch(database=self.database, clock=self.clock, new_id=self.new_id)

    @cached_property
    def closed_messages(self) -> ClosedMessages:
        """New tries of messages without an open channel."""
        return ClosedMessages(database=self.database, clock=self.clock)

    @cached_property
    def age_flag_watch(self) -> AgeFlagWatch:
        """Age flags of the channels with shared pictures."""
        return AgeFlagWatch(
            posts=RestrictedPosts(database=self.database, clock=self.clock), client=self.client, clock=self.clock
        )

    @cached_property
    def review_alerts(self) -> ReviewAlerts:
        """Alerts about closed review channels."""
        return ReviewAlerts(database=self.database, channels=LogChannelMessages(self.client))

    @cached_property
    def review_queue(self) -> ReviewQueue:
        """The review queues of servers."""
        return ReviewQueue(database=self.database, clock=self.clock)

    @cached_property
    def appeal_snapshots(self) -> AppealSnapshots:
        """Appeals as their messages show them."""
        return AppealSnapshots(database=self.database, clock=self.clock)

    @cached_property
    def appeals(self) -> AppealService:
        """Appeals against refused prompts."""
        return AppealService(database=self.database, clock=self.clock, new_id=self.new_id, waker=self.outbox_publisher)

    @cached_property
    def challenges(self) -> ChallengeService:
        """Challenges of servers."""
        return ChallengeService(
            database=self.database,
            access=self.access,
            submissions=self.submission_service,
            identity=self.member_identity,
            ledger=self.ledger,
            clock=self.clock,
            new_id=self.new_id,
            randomness=self.randomness,
            waker=self.outbox_publisher,
        )

    @cached_property
    def renderers(self) -> Mapping[MessageKind, MessageRenderer]:
        """Renderers of the outbox's messages, by kind."""
        return {
            MessageKind.REVIEW: ReviewMessages(
                snapshots=self.submission_snapshots,
                images=self.image_service,
                client=self.client,
                alerts=self.review_alerts,
                clock=self.clock,
            ),
            MessageKind.APPEAL: AppealMessages(appeals=self.appeal_snapshots, client=self.client),
            MessageKind.CHALLENGE: ChallengeMessages(
                snapshots=ChallengeSnapshots(database=self.database, clock=self.clock),
                images=self.image_service,
                client=self.client,
                clock=self.clock,
            ),
            MessageKind.CARD: FinishedCards(
                snapshots=self.snapshots, delivery=self.result_delivery, duels=self.duel_updater
            ),
            MessageKind.REPORT: ReportMessages(
                reports=self.reports, images=self.image_service, messages=self.messages, client=self.client
            ),
            MessageKind.QUEUE: QueueMessages(queue=self.review_queue, alerts=self.review_alerts, clock=self.clock),
            MessageKind.SHOWCASE: self.showcase_messages,
            MessageKind.NOTICE: NoticeRenderer(
                notices=NoticeService(database=self.database, clock=self.clock), client=self.client
            ),
            MessageKind.PICKS: PicksMessages(
                picks=self.pick_service, image_service=self.image_service, client=self.client
            ),
        }

    @cached_property
    def outbox_publisher(self) -> OutboxPublisher:
        """Publication of the outbox's messages."""
        return OutboxPublisher(
            outbox=OutboxService(database=self.database, clock=self.clock),
            client=self.client,
            renderers=self.renderers,
            clock=self.clock,
        )

    @cached_property
    def showcase_messages(self) -> ShowcaseMessages:
        """Posts in the showcase."""
        return ShowcaseMessages(
            snapshots=self.submission_snapshots,
            showcase=self.showcase_service,
            votes=self.vote_service,
            image_service=self.image_service,
            client=self.client,
            can_remix=bool(editing_models(self.catalogue)),
        )

    @cached_property
    def showcase_service(self) -> ShowcaseService:
        """Ends of posts in the showcase."""
        return ShowcaseService(
            database=self.database,
            clock=self.clock,
            new_id=self.new_id,
            # The publisher is built with this.
            wake=lambda message_ids: self.outbox_publisher.wake(message_ids),  # noqa: PLW0108
        )

    @cached_property
    def pick_service(self) -> PickService:
        """Weeks' picks."""
        return PickService(
            database=self.database,
            clock=self.clock,
            new_id=self.new_id,
            wake=lambda message_ids: self.outbox_publisher.wake(message_ids),  # noqa: PLW0108
        )

    @cached_property
    def vote_service(self) -> VoteService:
        """Votes in the showcase."""
        return VoteService(database=self.database, identity=self.member_identity, clock=self.clock)

    @cached_property
    def submission_service(self) -> SubmissionService:
        """Members' side of sharing."""
        return SubmissionService(
            database=self.database,
            access=self.access,
            clock=self.clock,
            new_id=self.new_id,
            waker=self.outbox_publisher,
            tries=self.prompt_checks.has_dry_match,
        )

    @cached_property
    def review_service(self) -> ReviewService:
        """Moderators' side of sharing."""
        return ReviewService(database=self.database, clock=self.clock, new_id=self.new_id, waker=self.outbox_publisher)

    @cached_property
    def reports(self) -> ReportService:
        """Reports of pictures, and decisions about them."""
        return ReportService(
            database=self.database,
            access=self.access,
            takedowns=self.takedowns,
            moderation=self.moderation,
            identity=self.member_identity,
            clock=self.clock,
            new_id=self.new_id,
            waker=self.report_waker,
        )

    @cached_property
    def report_waker(self) -> LateWaker:
        """The publisher, rendering with the reports themselves."""
        return LateWaker(lambda: self.outbox_publisher)
