"""Many jobs at once, in one state, each with its hold and its attempt: what would take members an hour."""

from collections.abc import Sequence
from datetime import timedelta
from functools import partial

from sqlalchemy import Connection

from benchmarks.bot_under_test import PROMPT
from benchmarks.harness import GUILD, PROVIDER, Harness
from bot.container import new_id
from bot.domain.jobs import Attempt, InteractionContext, Job, Outcome, State
from bot.domain.requests import generation_request, price
from db.attempts import AttemptRepository
from db.jobs import JobRepository

_AT_ONCE = 1_000
_EACH = 10
_FIRST_INTERACTION = 10**9
_TOKEN = "x" * 180
_AGE = timedelta(minutes=3)


async def seed(desk: Harness, count: int, state: State, *, owner: str | None = None, first: int = 0) -> list[str]:
    """Insert `count` jobs of the desk's own worker, or of `owner`, and return their ids, the oldest first.

    They wait in line (HELD) or at the provider (QUEUED), ten a member, and were made three minutes ago. A second
    crowd in one database is numbered from another `first`.
    """
    ids: list[str] = []
    for start in range(first, first + count, _AT_ONCE):
        numbers = range(start, min(start + _AT_ONCE, first + count))
        ids += await desk.database.write(partial(_insert, desk, numbers, state, owner or desk.lease.worker_id))
    return ids


def _insert(desk: Harness, numbers: Sequence[int], state: State, owner: str, connection: Connection) -> list[str]:
    request = generation_request(prompt=PROMPT)
    now = desk.clock.now() - _AGE
    jobs = JobRepository(connection)
    attempts = AttemptRepository(connection)
    ids = []
    for number in numbers:
        place = InteractionContext(
            interaction_id=_FIRST_INTERACTION + number,
            application_id=1,
            guild_id=GUILD,
            channel_id=1,
            member_id=_FIRST_INTERACTION + number // _EACH,
            token=_TOKEN,
            message_id=_FIRST_INTERACTION + number,
        )
        job = Job(
            id=new_id(),
            place=place,
            request=request,
            price=price(request),
            state=state,
            fence=0,
            tries=0,
            created_at=now + timedelta(microseconds=number),
            due_at=now,
            acknowledged_at=now,
            owner=owner,
            provider=None if state is State.HELD else PROVIDER,
            submitted_at=None if state is State.HELD else now,
        )
        desk.ledger.hold(connection, job, partial(jobs.add, job), now)
        if state is not State.HELD:
            attempt = Attempt(job_id=job.id, number=1, provider=PROVIDER, outcome=Outcome.OPEN, started_at=now)
            attempts.add_all([attempt])
            attempts.update_latest(job.id, handle=job.id, record_id="record")
        ids.append(job.id)
    return ids
