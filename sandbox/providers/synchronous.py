"""Base of APIs without job ids: calls stay open for their images."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from sandbox.providers.assets import draw_job_picture
from sandbox.providers.cases import Case
from sandbox.providers.faults import Fault, Kind
from sandbox.providers.inputs import Input
from sandbox.providers.job_store import Job, JobRequest, State
from sandbox.providers.server import ImageApiServer, RequestError

_LOST: Final = frozenset({Kind.RESET_AFTER, Kind.HALF, Kind.MALFORMED})
_MINUTE_SECONDS: Final = 60.0


def case_error(case: Case, prompt: str = "", *, headers: Mapping[str, str] | None = None) -> RequestError:
    """Return the documented reply of a case as an error."""
    body = case.body(prompt) if case.body is not None else None
    return RequestError(case.status, "", body=body, headers=headers or case.headers)


class RateWindow:
    """Counts images in a sliding minute; a `limit` of None is unlimited."""

    def __init__(self, limit: int | None, clock: Callable[[], float]) -> None:
        self.limit = limit
        self._clock = clock
        self._times: deque[float] = deque()

    def take(self, images: int) -> float:
        """Count images and return 0, or return the seconds to wait."""
        now = self._clock()
        while self._times and now - self._times[0] >= _MINUTE_SECONDS:
            self._times.popleft()
        if self.limit is None or len(self._times) + images <= self.limit:
            self._times.extend([now] * images)
            return 0.0
        return _MINUTE_SECONDS - (now - self._times[0]) if self._times else _MINUTE_SECONDS

    @property
    def left(self) -> int | None:
        """Return the images left in this minute."""
        return None if self.limit is None else max(0, self.limit - len(self._times))


class SynchronousServer(ImageApiServer):
    """An API with its images in the reply.

    Without `bills_lost_replies`, a reply that did not arrive is refunded.
    """

    signs_pictures = True
    bills_lost_replies = True

    def case_of(self, fault: Fault | None) -> Case | None:
        """Return the named case of a fault, if it is one."""
        return self.cases[fault.case] if fault is not None and fault.kind is Kind.CASE else None

    async def draw_partial(self, job: Job) -> bytes:
        """Return a preview of a running job: another picture, unsigned."""
        return await draw_job_picture(job, job.request.images, signed=False)

    async def run_job(
        self,
        job_request: JobRequest,
        account: str,
        fault: Fault | None,
        *,
        inputs: tuple[Input, ...] = (),
        on_open: Callable[[Job], Awaitable[None]] | None = None,
    ) -> Job:
        """Return a completed job with its images.

        `on_open` is called as the job starts. A client that hangs up changes nothing, unless the server stops on it:
        then the job ends uncharged.

        Raises:
            RequestError: The job failed, or a late case came at its end.
        """
        job = self.store.open(job_request, owner=account, inputs=inputs)
        case = self.case_of(fault)
        job_fault = self.apply_job_fault(job)
        if case is not None and case.late and fault is not None:
            job.failure_reason = fault.case
        if job_fault is not None and job_fault.kind is Kind.INLINE:
            self.store.complete(job)
        self.store.schedule(job)
        try:
            if on_open is not None:
                await on_open(job)
            await self.store.wait_ended(job)
            if job.state is State.COMPLETED and not job.empty:
                indexes = range(job.request.images)
                job.pictures = tuple([await draw_job_picture(job, at, signed=True) for at in indexes])
        except asyncio.CancelledError:
            if self.stops_on_disconnect:
                self.store.drop(job)
                self.store.refund(job)
            raise
        if case is not None and case.late:
            raise case_error(case, job_request.prompt)
        if job.state is not State.COMPLETED:
            raise RequestError(500, job.error or "the job was cancelled")
        if fault is not None and fault.kind in _LOST and not self.bills_lost_replies:
            self.store.refund(job)
        return job
