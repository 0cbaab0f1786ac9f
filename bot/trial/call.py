"""One call to a provider, from the submit to the picture."""

import asyncio
import time
from collections.abc import Callable
from typing import Final

from bot.domain.costs import Cost, is_billed
from bot.domain.errors import FaultKind, ProviderError
from bot.engine.fault_attribution import attribute_failure, attribute_refusal
from bot.providers.base import (
    Cancelled,
    CancelOutcome,
    Failed,
    Finished,
    LostCall,
    Pending,
    Provider,
    Status,
    Submission,
    SubmitAnswer,
)
from bot.providers.spec import ProviderSpec
from bot.trial.problems import TrialError, fault_words

# A 404 right after the submit may only be a delay at the provider.
_ABSENT_SECONDS: Final = 60.0
_ASK_SECONDS: Final = 60.0
_FAREWELL_SECONDS: Final = 15.0
_PASSING: Final = frozenset(
    {FaultKind.UNAVAILABLE, FaultKind.RATE_LIMITED, FaultKind.SERVER_ERROR, FaultKind.MALFORMED, FaultKind.REPLY_LOST}
)


class TrialCall:
    """Sends one call, once, and waits for its picture.

    `show` gets each line of progress. `pause` is the seconds between two reads of the status, `patience` those until
    the wait ends.
    """

    def __init__(
        self,
        provider: Provider,
        spec: ProviderSpec,
        submission: Submission,
        *,
        show: Callable[[str], None],
        pause: float,
        patience: float,
    ) -> None:
        self._provider = provider
        self._spec = spec
        self._submission = submission
        self._show = show
        self._pause = pause
        self._patience = patience
        self._is_sent = False
        self._handle: str | None = None
        self._is_done = False

    async def run(self) -> Finished:
        """Send the call and return its result.

        Raises:
            TrialError: there is none.
        """
        name = self._spec.display_name
        self._show(
            f"sent to {name}, which answers with the picture" if self._provider.is_synchronous else f"sent to {name}"
        )
        end = time.monotonic() + self._patience
        status: Status = await self._submit()
        while isinstance(status, Pending):
            self._handle = status.handle
            self._show(_progress(status))
            if time.monotonic() > end:
                raise TrialError(f"{name} did not finish in {self._patience:g} seconds. {self._going_on()}")
            await asyncio.sleep(self._pause)
            status = await self._poll()
        self._is_done = True
        match attribute_failure(status, self._submission.request):
            case Finished() as finished:
                return finished
            case Failed() as failed:
                raise TrialError(self._words(failed.kind, failed.detail) + _billed(failed.cost))
            case _:
                raise TrialError(f"The job was cancelled at {name}. It is not billed.")

    async def give_up(self) -> str:
        """Ask for a cancel, and return the known facts as one line."""
        name = self._spec.display_name
        if not self._is_sent:
            return "Nothing was sent."
        if self._is_done:
            return f"{name} had made the picture; it was not saved."
        if self._provider.is_synchronous:
            return f"{name} had the call already. Its picture is lost, and may be billed."
        try:
            async with asyncio.timeout(_FAREWELL_SECONDS):
                return await self._cancel()
        except (TimeoutError, ProviderError):
            return self._going_on()

    async def _cancel(self) -> str:
        name = self._spec.display_name
        if self._handle is None:
            found = await self._provider.find_lost(self._submission)
            if found is LostCall.NOT_TAKEN:
                return f"{name} has not taken the call. It is not billed."
            if isinstance(found, LostCall):
                return self._going_on()
            self._handle = found
        outcome = await self._provider.cancel(self._handle)
        if outcome is CancelOutcome.READ_AGAIN:
            self._show(f"waiting for {name} to stop the job")
            await asyncio.sleep(self._pause)
            if isinstance(await self._provider.poll(self._handle), Cancelled):
                outcome = CancelOutcome.CANCELLED
        if outcome is CancelOutcome.CANCELLED:
            return f"{name} cancelled the job. It is not billed."
        return self._going_on()

    async def _submit(self) -> SubmitAnswer:
        self._is_sent = True
        try:
            return await self._provider.submit(self._submission)
        except ProviderError as error:
            error = attribute_refusal(error, self._submission.request, has_callback=False)
            if not error.maybe_accepted:
                raise TrialError(self._words(error.kind, error.detail)) from None
            return Pending(handle=await self._find(error), running=False)

    async def _find(self, lost: ProviderError) -> str:
        """Return the handle of a call without a reply."""
        end = time.monotonic() + _ASK_SECONDS
        name = self._spec.display_name
        while True:
            try:
                found = await self._provider.find_lost(self._submission)
            except ProviderError:
                found = LostCall.ASK_AGAIN
            match found:
                case LostCall.NOT_TAKEN:
                    raise TrialError(self._words(FaultKind.UNAVAILABLE, lost.detail))
                case LostCall.NOT_BILLED:
                    raise TrialError(
                        f"The connection to {name} broke, and the picture is lost. It is not billed: try again."
                    )
                case LostCall.ASK_AGAIN if time.monotonic() < end:
                    self._show(f"the reply was lost: asking {name} for the job")
                    await asyncio.sleep(self._pause)
                case LostCall():
                    why = (
                        f"{name} had a fault"
                        if lost.kind is FaultKind.SERVER_ERROR
                        else f"The reply of {name} was lost"
                    )
                    said = f" ({lost.detail})" if lost.detail else ""
                    raise TrialError(
                        f"{why}{said} after the call was sent, so it may be billed. "
                        "Look at the usage there before you try again."
                    )
                case handle:
                    return handle

    async def _poll(self) -> Status:
        """Read the status; a passing fault counts as no news."""
        handle = self._handle or ""
        absent_since: float | None = None
        end = time.monotonic() + self._patience
        while True:
            try:
                return await self._provider.poll(handle, hide=self._submission.request.words)
            except ProviderError as error:
                now = time.monotonic()
                if error.kind is FaultKind.NOT_FOUND:
                    absent_since = now if absent_since is None else absent_since
                    is_over = now - absent_since >= _ABSENT_SECONDS
                else:
                    is_over = error.kind not in _PASSING or now > end
                if is_over:
                    raise TrialError(f"{self._words(error.kind, error.detail)} {self._going_on()}") from None
                self._show(f"no news of the job ({error.kind.value.replace('_', ' ')}); asking again")
                await asyncio.sleep(max(self._pause, error.retry_after or 0.0))

    def _words(self, fault: FaultKind, detail: str) -> str:
        return fault_words(fault, self._spec, self._submission.offer, detail)

    def _going_on(self) -> str:
        name = self._spec.display_name
        if self._handle is None:
            return f"{name} may have taken the call; then it goes on there, and may be billed."
        return f"The job goes on at {name}, and may be billed. Its id there: {self._handle}"


def _progress(status: Pending) -> str:
    if not status.running:
        return "queued" if status.position is None else f"queued, place {status.position}"
    return "generating" if status.percent is None else f"generating, {status.percent} %"


def _billed(cost: Cost | None) -> str:
    return f" It is billed all the same: {cost.amount} {cost.currency.value}." if cost and is_billed(cost) else ""
