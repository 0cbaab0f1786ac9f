"""The hint after a member's first pictures, once and for their eyes alone."""

from collections.abc import Callable, Collection, Mapping

import structlog

from bot.domain.jobs import Action, Job
from bot.engine.card_store import CardStore
from bot.engine.clock import Clock
from bot.ui.delivery.job_messages import JobMessages
from bot.ui.i18n import use_locale
from bot.ui.render.notices import first_hint

_log = structlog.get_logger(__name__)


class FirstHint:
    """Sends the hint as a private follow-up of the command.

    `actions` are what this studio can do with a finished picture; `command_ids` are Discord's, for links.
    """

    def __init__(
        self,
        *,
        card_store: CardStore,
        messages: JobMessages,
        clock: Clock,
        actions: Collection[Action],
        command_ids: Callable[[], Mapping[str, int]],
    ) -> None:
        self._card_store = card_store
        self._messages = messages
        self._clock = clock
        self._actions = actions
        self._command_ids = command_ids

    async def offer(self, job: Job) -> None:
        """Send a delivered job's member the hint, unless they had theirs.

        At most once: its mark is written first, and a hint that does not arrive is not repeated.
        """
        if not job.token_alive(self._clock.now()) or not await self._card_store.begin_first_hint(job):
            return
        try:
            with use_locale(job.place.locale):
                text = first_hint(self._command_ids(), can_edit=Action.EDIT in self._actions)
            await self._messages.send_private(job, text)
        except Exception as error:  # noqa: BLE001 - the pictures are there, and nobody waits for a hint
            _log.info("hint.not_sent", job=job.id, error=type(error).__name__)
