"""Errors of jobs and of the messages about them."""

from bot.domain.errors.base import AtelierError


class JobError(AtelierError):
    """A job cannot be made, found or moved."""

    code = "job"


class QueueFullError(JobError):
    """The member has `limit` jobs waiting already."""

    code = "queue_full"

    def __init__(self, limit: int) -> None:
        super().__init__()
        self.limit = limit


class DuplicateInteractionError(JobError):
    """This interaction has made a job already: Discord delivered it twice."""

    code = "duplicate_interaction"


class JobNotFoundError(JobError):
    """No such job, or it is not visible to whoever asks."""

    code = "job_not_found"


class JobStateError(JobError):
    """The job is in `state`, where the wanted step is not legal."""

    code = "job_state"

    def __init__(self, state: str, wanted: str) -> None:
        super().__init__()
        self.state = state
        self.wanted = wanted


class StaleJobError(JobError):
    """The guarded update matched no row: the job moved on, or its fence did."""

    code = "stale_job"


class JobRunningError(JobError):
    """The job has no end yet, so nothing can be made of it."""

    code = "job_running"


class JobDeletedError(JobError):
    """The job was deleted by its member or a moderator."""

    code = "job_deleted"


class AlreadyBegunError(JobError):
    """The same member asked for the same of the same job a moment ago: a button pressed twice."""

    code = "already_begun"


class AlreadyAskedError(JobError):
    """The same member was asked about the same a moment ago: a button pressed, or a command sent, twice."""

    code = "already_asked"


class ConfirmationGoneError(JobError):
    """A request that waited for its member's word is gone: `expired`, or else it was answered before."""

    code = "draft_gone"

    def __init__(self, *, expired: bool = False) -> None:
        super().__init__()
        self.expired = expired


class FormGoneError(JobError):
    """A form that was refused is not kept any more, or is another's."""

    code = "form_gone"


class SearchGoneError(JobError):
    """A search of `/history` is no longer stored, or is another member's."""

    code = "search_gone"


class ImageGoneError(JobError):
    """A picture to start from is no longer kept; `own` is what the job itself made, else what it was made from."""

    code = "picture_gone"

    def __init__(self, *, own: bool = True) -> None:
        super().__init__()
        self.own = own
