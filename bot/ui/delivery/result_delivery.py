"""Delivery of finished jobs: card, direct message, `/history`."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

import aiohttp
import structlog
from discord import ui

from bot.domain.age_restriction import may_show
from bot.domain.alternatives import Alternative
from bot.domain.errors import ImageError, ImageProblem
from bot.domain.jobs import Action, Delivery, Job, Snapshot, State
from bot.domain.provenance import mark_for
from bot.engine.card_store import CardStore
from bot.engine.clock import Clock
from bot.images.image_service import ImageService
from bot.ui.delivery.bounded_requests import RateLimitError
from bot.ui.delivery.discord_errors import DiscordErrorKind, classify
from bot.ui.delivery.input_attachments import Attachments, KeptAttachment, attached_inputs, kept_attachments
from bot.ui.delivery.job_messages import DIRECT_UPLOAD_LIMIT, CardGoneError, JobMessages
from bot.ui.delivery.uploads import Uploads, fair_limit, prepare_uploads
from bot.ui.i18n import use_locale
from bot.ui.render.job_card import Attached, job_card

_log = structlog.get_logger(__name__)

_FAULTS_BEFORE_NEXT_WAY: Final = 3
# A store that cannot be read may be back in a while: a disk, a mount, too many open files.
_STORE_AWAY_SECONDS: Final = 900.0
# Uploads that are cut off this often are too much for the line between here and Discord.
_CUTS_BEFORE_HALVING: Final = 3
_MOST_HALVINGS_FOR_CUTS: Final = 3
# Discord knows a nonce again for a few minutes.
_NONCE_HOLDS_SECONDS: Final = 60.0
# From 10 MiB to 160 KiB; who refuses that does not refuse it for its size.
_MOST_HALVINGS: Final = 6


@dataclass(slots=True)
class DeliveryChannel:
    """Failures of one channel and halvings of its upload limit."""

    faults: int = 0
    cuts: int = 0
    halvings: int = 0
    closed: bool = False

    def limit(self, limit_bytes: int) -> int:
        """Return how many bytes a file may have; 0 once nothing was small enough."""
        return limit_bytes >> self.halvings if self.halvings <= _MOST_HALVINGS else 0


@dataclass(slots=True)
class DeliveryProgress:
    """State of one delivery. Losing it in a restart costs a few requests."""

    card: DeliveryChannel = field(default_factory=DeliveryChannel)
    direct: DeliveryChannel = field(default_factory=DeliveryChannel)
    unreadable_since: float | None = None
    notice_tries: int = 0


class ResultDelivery:
    """Shows jobs to their members, and keeps nothing of them.

    `soft_deadline` is in seconds; `actions` are what this studio can do with a finished picture. `prices` returns what
    the actions on a job's card cost, `alternatives` returns other models for a failed job. `outside`
    allows them in direct messages. `command_ids` are Discord's, for links.
    """

    def __init__(
        self,
        *,
        card_store: CardStore,
        image_service: ImageService,
        messages: JobMessages,
        clock: Clock,
        soft_deadline: float,
        actions: Collection[Action],
        prices: Callable[[Job], Awaitable[Mapping[Action, int]]],
        alternatives: Callable[[Job], Sequence[Alternative]] = lambda _: (),
        outside: bool = False,
        command_ids: Callable[[], Mapping[str, int]] = dict,
    ) -> None:
        self._command_ids = command_ids
        self._card_store = card_store
        self._image_service = image_service
        self._messages = messages
        self._clock = clock
        self._soft_deadline = soft_deadline
        self._actions = actions
        self._prices = prices
        self._alternatives = alternatives
        self._outside = outside

    def card(
        self,
        snapshot: Snapshot,
        uploads: Uploads | None = None,
        *,
        direct: bool = False,
        copy: bool = False,
        inputs: Sequence[str] | None = None,
        prices: Mapping[Action, int] | None = None,
        kept: Sequence[KeptAttachment] = (),
    ) -> ui.LayoutView:
        """Return a job's card as of now, in the language of its place.

        `kept` are pictures that stay on it, in place of `uploads`.
        `inputs` are the names of its attached input images; by default those that were published. `prices` are those of
        the actions on an ended job's card.
        """
        files = () if uploads is None else uploads.attached
        files = files or tuple(Attached(filename=each.filename) for each in kept)
        if inputs is None:
            inputs = () if snapshot.job.state.ended else [each.filename for each in attached_inputs(snapshot.job)]
        with use_locale(snapshot.job.place.locale):
            return job_card(
                snapshot,
                self._clock.now(),
                self._soft_deadline,
                files,
                actions=self._actions if self._outside or not direct else (),
                prices=prices,
                alternatives=self._alternatives(snapshot.job),
                direct=direct,
                copy=copy,
                inputs=inputs,
                command_ids=self._command_ids(),
            )

    async def show(self, job: Job, view: ui.LayoutView, files: Attachments | None = None) -> None:
        """Show `view` on the job's card.

        Without `files` a live job's card keeps its input images; an ended one drops them. Raises `CardGoneError`, and
        any error of Discord and the connection.
        """
        message_id = await self._messages.edit(job, view, files or kept_attachments(job))
        if job.place.message_id is None:
            await self._card_store.mark_acknowledged(job.id, message_id)

    async def deliver(self, snapshot: Snapshot, progress: DeliveryProgress) -> Delivery:
        """Deliver a finished job and return the channel.

        If a direct message was begun, the card is not tried again: it was out of reach then. Raises errors worth
        another try later.
        """
        job = snapshot.job
        if job.direct_at is None and await self._by(progress.card, job, partial(self._on_card, snapshot, progress)):
            return Delivery.CARD
        if not snapshot.pictures or job.age_restricted:  # a direct message is no age-restricted channel
            return Delivery.HISTORY if job.state is State.DONE else Delivery.NOWHERE
        turn = await self._card_store.begin_direct_message(job.id)
        if turn is None:
            _log.warning("delivery.direct_messages_used_up", job=job.id)
            return Delivery.HISTORY
        if turn.wait > 0:
            raise RateLimitError(turn.wait, in_channel=False)
        since = self._clock.monotonic() if turn.is_first else float("-inf")
        if await self._by(progress.direct, job, partial(self._directly, snapshot, progress, since)):
            return Delivery.DIRECT
        return Delivery.HISTORY

    async def restore(self, snapshot: Snapshot, progress: DeliveryProgress) -> None:
        """Show a delivered result again after an older state replaced it."""
        await self._by(progress.card, snapshot.job, partial(self._on_card, snapshot, progress))

    async def send_copy(self, snapshot: Snapshot, progress: DeliveryProgress) -> None:
        """Send a job's end by direct message besides its card.

        Raises errors worth another try later.
        """
        if snapshot.job.age_restricted:
            return  # a direct message is no age-restricted channel
        send = partial(self._directly, snapshot, progress, float("inf"), copy=True)
        await self._by(progress.direct, snapshot.job, send)

    async def post_public(self, snapshot: Snapshot, *, is_first: bool) -> int | None:
        """Post the public card of a private job and return its message's id.

        None if Discord refuses it for good. Not `is_first`: an earlier message is looked up. Raises other errors.
        """
        job, progress, sent = snapshot.job, DeliveryProgress(), list[int]()
        found = None if is_first else await self._messages.find_public(job)
        if found is not None:
            return found

        async def send() -> None:
            limit = fair_limit(snapshot.pictures, self._messages.guild_upload_limit(job))
            uploads = await self._uploads_of_card(snapshot, progress, progress.card.limit(limit))
            view = self.card(snapshot, uploads, prices=await self._prices(job))
            sent.append(await self._messages.send_public(job, view, uploads.files))

        await self._by(progress.card, job, send)
        return sent[0] if sent else None

    async def render_public(self, snapshot: Snapshot, halvings: int) -> tuple[ui.LayoutView, Attachments]:
        """Return a finished job's public card, for an edit by the bot.

        Files are fitted to the server's limit, halved `halvings` times. Pictures that Discord alone has stay there, and
        are covered while they are hidden: they could not be shown again.
        """
        if snapshot.removed and not snapshot.taken_down and await self._may_show(snapshot.job):
            kept = await self._messages.fetch_shown(snapshot.job)
            if kept:
                return self.card(snapshot, kept=kept, prices=await self._prices(snapshot.job)), lambda: kept
        limit = fair_limit(snapshot.pictures, self._messages.guild_upload_limit(snapshot.job)) >> halvings
        uploads = await self._uploads_of_card(snapshot, DeliveryProgress(), limit)
        return self.card(snapshot, uploads, prices=await self._prices(snapshot.job)), uploads.files

    async def _by(self, channel: DeliveryChannel, job: Job, send: Callable[[], Awaitable[None]]) -> bool:
        """Send by a channel and return whether the channel is open.

        A card out of reach and a member who takes no direct messages are expected. Any other closed channel is logged
        as a warning. Raises an error that asks for another try later.
        """
        expected = False
        while not channel.closed:
            try:
                await send()
            except CardGoneError:
                channel.closed = True
                expected = not job.card_in_reach(self._clock.now())
            except Exception as error:
                match classify(error):
                    case None:
                        raise  # ours: the store's or the database's, and no word on this way
                    case DiscordErrorKind.PASSING | DiscordErrorKind.BLOCKED:
                        self._note_cut(channel, error)
                        raise
                    case DiscordErrorKind.TOO_LARGE if channel.halvings <= _MOST_HALVINGS:
                        channel.halvings += 1
                    case DiscordErrorKind.TOO_LARGE | DiscordErrorKind.MALFORMED:
                        channel.faults += 1
                        if channel.faults < _FAULTS_BEFORE_NEXT_WAY:
                            raise
                        _log.exception("delivery.refused", job=job.id)
                        channel.closed = True
                    case _:
                        channel.closed = expected = True  # the member takes no direct messages
            else:
                return True
        log = _log.info if expected else _log.warning
        log("delivery.way_closed", job=job.id, state=job.state)
        return False

    def _note_cut(self, channel: DeliveryChannel, error: Exception) -> None:
        """Halve the upload limit after repeated cut-offs.

        Errors of connecting to Discord do not count.
        """
        if isinstance(error, aiohttp.ClientConnectorError):
            return
        channel.cuts += isinstance(error, aiohttp.ClientOSError | TimeoutError)
        if channel.cuts == _CUTS_BEFORE_HALVING and channel.halvings < _MOST_HALVINGS_FOR_CUTS:
            channel.cuts = 0
            channel.halvings += 1

    async def _on_card(self, snapshot: Snapshot, progress: DeliveryProgress) -> None:
        limit = fair_limit(snapshot.pictures, self._messages.upload_limit(snapshot.job))
        uploads = await self._uploads_of_card(snapshot, progress, progress.card.limit(limit))
        view = self.card(snapshot, uploads, prices=await self._prices(snapshot.job))
        await self.show(snapshot.job, view, uploads.files if uploads.ready else None)

    async def _directly(
        self, snapshot: Snapshot, progress: DeliveryProgress, since: float, *, copy: bool = False
    ) -> None:
        job = snapshot.job
        limit = fair_limit(snapshot.pictures, min(job.place.upload_limit, DIRECT_UPLOAD_LIMIT))
        uploads = await self._uploads(snapshot, progress, progress.direct.limit(limit))
        prices = await self._prices(job)
        # As late as can be: getting the files ready may take longer than Discord knows a nonce.
        perhaps_sent = self._clock.monotonic() - since > _NONCE_HOLDS_SECONDS
        if perhaps_sent and await self._messages.sent_direct(job):
            return
        view = self.card(snapshot, uploads, direct=True, copy=copy, prices=prices)
        await self._messages.send_direct(job, view, uploads.files if uploads.ready else None)

    async def _may_show(self, job: Job) -> bool:
        """Return whether a job's pictures may be shown in its channel now."""
        if not job.age_restricted:
            return True
        in_age_restricted = await self._messages.is_age_restricted(job)
        return may_show(is_age_restricted=True, in_age_restricted=in_age_restricted)

    async def _uploads_of_card(self, snapshot: Snapshot, progress: DeliveryProgress, limit: int) -> Uploads:
        """Return the files of a card; none while it is hidden after reports."""
        return Uploads() if snapshot.is_hidden else await self._uploads(snapshot, progress, limit)

    async def _uploads(self, snapshot: Snapshot, progress: DeliveryProgress, limit: int) -> Uploads:
        if limit == 0 or not await self._may_show(snapshot.job):
            return Uploads()
        try:
            return await prepare_uploads(
                self._image_service,
                snapshot.pictures,
                limit,
                member=snapshot.job.place.member_id,
                mark=mark_for(snapshot.job.request.model, snapshot.job.request.inputs),
            )
        except (OSError, ImageError) as error:
            now = self._clock.monotonic()
            if progress.unreadable_since is None:
                progress.unreadable_since = now
            if now - progress.unreadable_since > _STORE_AWAY_SECONDS:
                return Uploads()
            _log.error("picture.not_read", job=snapshot.job.id, error=type(error).__name__)
            raise ImageError(ImageProblem.UNREACHABLE, "store") from error
