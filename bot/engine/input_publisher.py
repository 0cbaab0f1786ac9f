"""Port for the publication of input images to providers."""

from typing import Protocol

from bot.domain.errors import FaultKind
from bot.domain.jobs import Job


class PublishError(Exception):
    """Input images were not published.

    `fault` is None if another try may succeed, else it ends the job.
    """

    def __init__(self, fault: FaultKind | None = None) -> None:
        super().__init__(fault)
        self.fault = fault


class InputPublisher(Protocol):
    """Puts sanitized input images where providers can fetch them."""

    async def publish(self, job: Job) -> tuple[str, ...]:
        """Publish the stored inputs and return their addresses, in order.

        The addresses hold while the job is live. Repeating it replaces the earlier publication.

        Raises:
            PublishError: nothing usable was published.
        """
        ...
