"""Knowledge of this worker's claims: unsent, perhaps sent, or unknown."""

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum

from bot.domain.errors import StaleJobError
from bot.domain.jobs import Job
from bot.engine.claimer import Claim


class ClaimState(StrEnum):
    """Knowledge about the submit of a job in SUBMITTING."""

    OURS = "ours"
    """This worker claimed the job and has not sent it: it may be submitted."""
    SENT = "sent"
    """The job may have been sent, and only a stored answer could prove otherwise: it is never submitted again."""
    UNKNOWN = "unknown"
    """A claim or take-over that is still running may include the job: ask again later."""
    UNSENT = "unsent"
    """The job was claimed here by a transaction without a reply: nobody sent it, so the claim can be released."""


class ClaimTracker:
    """Tracks the claims of one worker, in memory.

    The database says which jobs are in SUBMITTING, but not whether a submit was begun. A transaction can also commit
    without its reply reaching this process: `claiming` and `taking_over` surround such transactions and remember a
    lost outcome.
    """

    def __init__(self) -> None:
        self._ours: dict[str, Claim] = {}
        self._sent: set[str] = set()
        self._claim_running = False
        self._claim_lost = False
        self._take_over_running = False
        self._take_over_lost = False

    @property
    def ours(self) -> tuple[Claim, ...]:
        """Claims of this worker without a submit."""
        return tuple(self._ours.values())

    @property
    def is_claiming(self) -> bool:
        """True if a claim transaction is running or its result is being recorded."""
        return self._claim_running

    @property
    def has_lost_claim(self) -> bool:
        """True if a claim transaction ended without a known outcome.

        Jobs may have a slot then without a known claim.
        """
        return self._claim_lost

    @contextmanager
    def claiming(self) -> Iterator[None]:
        """Surround a claim transaction.

        Any error but `StaleJobError` (rolled back) leaves its outcome unknown.
        """
        self._claim_running = True
        try:
            yield
        except StaleJobError:
            raise
        except Exception:
            self._claim_lost = True
            raise
        finally:
            self._claim_running = False

    @contextmanager
    def taking_over(self) -> Iterator[None]:
        """Surround a take-over transaction.

        Any error, also a cancellation, leaves its outcome unknown for good.
        """
        self._take_over_running = True
        try:
            yield
        except BaseException:
            self._take_over_lost = True
            raise
        finally:
            self._take_over_running = False

    def add(self, claim: Claim) -> None:
        """Record a new claim of this worker."""
        self._ours[claim.job.id] = claim

    def discard(self, job_id: str) -> None:
        """Drop a claim before its release."""
        self._ours.pop(job_id, None)

    def add_adopted(self, job_id: str) -> None:
        """Record a job taken over in SUBMITTING.

        Its former worker may have sent it.
        """
        self._sent.add(job_id)

    def begin_submit(self, job: Job) -> Claim:
        """Mark the job as sent and return its claim.

        From here on only a stored answer proves otherwise. Raises KeyError without a claim.
        """
        claim = self._ours.pop(job.id)
        self._sent.add(job.id)
        return claim

    def resolve(self, job_id: str) -> None:
        """Forget a submit after its outcome is stored."""
        self._sent.discard(job_id)

    def forget(self, job_id: str) -> None:
        """Forget a job of another worker."""
        self._ours.pop(job_id, None)
        self._sent.discard(job_id)

    def is_known(self, job_id: str) -> bool:
        """Return whether the job is claimed here or may have been sent."""
        return job_id in self._ours or job_id in self._sent

    def clear_lost_claim(self) -> None:
        """Record the recovery of a lost claim: all its jobs are scheduled."""
        self._claim_lost = False

    def state_of(self, job: Job) -> ClaimState:
        """Return the claim state of a job read in SUBMITTING.

        A claim counts only for the fence it was made with: a later fence is another submit.
        """
        claim = self._ours.get(job.id)
        if claim is not None and claim.job.fence == job.fence:
            return ClaimState.OURS
        if job.id in self._sent:
            return ClaimState.SENT
        if self._claim_running or self._take_over_running:
            return ClaimState.UNKNOWN
        # The take-over may have brought a job that its former worker has sent.
        return ClaimState.SENT if self._take_over_lost else ClaimState.UNSENT
