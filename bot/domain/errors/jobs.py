"""Errors of jobs and of the messages about them."""

from bot.domain.errors.base import AtelierError


class JobError(AtelierError):
    """A job cannot be made, found or changed."""

    code = "job"


class QueueFullError(JobError):
    """The member already has `limit` waiting jobs."""

    code = "queue_full"

    def __init__(self, limit: int) -> None:
        super().__init__()
        self.limit = limit


class DuplicateInteractionError(JobError):
    """This interaction already has a job: Discord delivered it twice."""

    code = "duplicate_interaction"


class JobNotFoundError(JobError):
    """No such job, or the member may not see it."""

    code = "job_not_found"


class JobStateError(JobError):
    """The transition `wanted` is illegal from `state`."""

    code = "job_state"

    def __init__(self, state: str, wanted: str) -> None:
        super().__init__()
        self.state = state
        self.wanted = wanted


class StaleJobError(JobError):
    """The guarded update matched no row: the job moved on, or its fence did."""

    code = "stale_job"


class JobRunningError(JobError):
    """The job has not ended, so nothing can be made from it."""

    code = "job_running"


class JobDeletedError(JobError):
    """The job was deleted by its member or a moderator."""

    code = "job_deleted"


class AlreadyBegunError(JobError):
    """The member just made the same request: a button pressed twice."""

    code = "already_begun"


class AlreadyAskedError(JobError):
    """The member is already being asked to confirm the same request.

    A button was pressed, or a command sent, twice.
    """

    code = "already_asked"


class ConfirmationGoneError(JobError):
    """A confirmation is gone.

    It was answered before, or has `expired`.
    """

    code = "draft_gone"

    def __init__(self, *, expired: bool = False) -> None:
        super().__init__()
        self.expired = expired


class FormGoneError(JobError):
    """A refused form is no longer stored, or is another member's."""

    code = "form_gone"


class SearchGoneError(JobError):
    """A search of `/history` is no longer stored, or is another member's."""

    code = "search_gone"


class ImageGoneError(JobError):
    """An input image is no longer stored.

    `own` is true for the job's own result, false for its input.
    """

    code = "picture_gone"

    def __init__(self, *, own: bool = True) -> None:
        super().__init__()
        self.own = own
