"""Factories of complete, legal values.

A test names only the fields that it is about.
"""

import itertools
from dataclasses import replace
from typing import Any, Final

from bot.domain.images import ImageFile, ResultImage
from bot.domain.jobs import Attempt, InteractionContext, Job, Outcome, State
from bot.domain.outbox import MessageKind, OutboxMessage
from bot.domain.requests import GenerationRequest
from bot.domain.sharing.challenges import Challenge, ChallengeState
from tests.support.catalogue import price
from tests.support.clock import START

GUILD: Final = 700
MEMBER: Final = 42
_numbers = itertools.count(1)


def make_id() -> str:
    """Return a unique id, greater than all earlier ones."""
    return f"{next(_numbers):032x}"


def make_request(**changes: Any) -> GenerationRequest:
    """Return a plain request."""
    return replace(GenerationRequest(prompt="a lighthouse at dusk", model="reve-2.0"), **changes)


def make_context(**changes: Any) -> InteractionContext:
    """Return a context with a fresh interaction."""
    number = next(_numbers)
    place = InteractionContext(
        interaction_id=1_100_000_000_000_000_000 + number,
        application_id=900,
        guild_id=GUILD,
        channel_id=800,
        member_id=MEMBER,
        token=f"token-{number}",
    )
    return replace(place, **changes)


def make_job(
    *, place: InteractionContext | None = None, request: GenerationRequest | None = None, **changes: Any
) -> Job:
    """Return a new job at its catalogue price."""
    wanted = request or make_request()
    job = Job(
        id=make_id(),
        place=place or make_context(),
        request=wanted,
        price=price(wanted),
        state=State.HELD,
        fence=1,
        tries=0,
        created_at=START,
        due_at=START,
    )
    return replace(job, **changes)


def make_attempt(job: Job, **changes: Any) -> Attempt:
    """Return a job's first submit, still open."""
    attempt = Attempt(job_id=job.id, number=1, provider="skillboss", outcome=Outcome.OPEN, started_at=START)
    # The first call of a batch, unless `part` says otherwise.
    number = changes.get("number", 1) - changes.get("part", 0)
    return replace(attempt, **{"batch": number, **changes})


def make_image_file(**changes: Any) -> ImageFile:
    """Return a stored file with a unique hash."""
    file = ImageFile(sha256=f"{next(_numbers):064x}", media_type="image/png", width=1024, height=1024, size=123_456)
    return replace(file, **changes)


def make_image(job: Job, position: int = 0, **file_changes: Any) -> ResultImage:
    """Return a result image of a job with a unique file."""
    return ResultImage(job_id=job.id, position=position, file=make_image_file(**file_changes))


def make_outbox_message(kind: MessageKind, **changes: Any) -> OutboxMessage:
    """Return a message before its first try."""
    message = OutboxMessage(
        id=make_id(),
        kind=kind,
        subject_id=make_id(),
        number=0,
        guild_id=GUILD,
        wanted=1,
        shown=0,
        tries=1,
        due_at=START,
    )
    return replace(message, **changes)


def make_challenge(**changes: Any) -> Challenge:
    """Return a challenge with a running vote."""
    challenge = Challenge(
        id=make_id(),
        guild_id=GUILD,
        channel_id=803,
        theme="Sea",
        created_by=1,
        created_at=START,
        state=ChallengeState.VOTING,
        closes_at=START,
        ends_at=START,
    )
    return replace(challenge, **changes)
