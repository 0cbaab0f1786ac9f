"""Port for the publication of input images to providers."""

from typing import Protocol

from bot.domain.errors import FaultKind
from bot.domain.jobs import Job


class PublishError(Exception):
    """Input images were not published.

    `fault` is None if another try may succeed, else it ends the job. `retry_after` is the least time until then in
    seconds.
    """

    def __init__(self, fault: FaultKind | None = None, *, retry_after: float = 0.0) -> None:
        super().__init__(fault)
        self.fault = fault
        self.retry_after = retry_after


class InputPublisher(Protocol):
    """Puts sanitized input images where providers can fetch them."""

    async def publish(self, job: Job) -> tuple[str, ...]:
        """Publish the stored inputs and return their addresses, in order.

        The addresses hold while the job is live. Repeating it replaces the earlier publication.

        Raises:
            PublishError: nothing usable was published.
        """
        ...
