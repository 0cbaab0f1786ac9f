"""Many jobs in one state, each with its hold and its attempt."""

from collections.abc import Sequence
from datetime import timedelta
from functools import partial

from sqlalchemy import Connection

from benchmarks.bot_under_test import PROMPT
from benchmarks.harness import GUILD, PROVIDER, Harness
from bot.container import new_id
from bot.domain.jobs import Attempt, InteractionContext, Job, Outcome, State
from bot.domain.requests import generation_request, price
from bot.engine.holds import hold_job
from db.attempts import AttemptRepository

_AT_ONCE = 1_000
_EACH = 10
_FIRST_INTERACTION = 10**9
_TOKEN = "x" * 180
_AGE = timedelta(minutes=3)


async def seed(harness: Harness, count: int, state: State, *, owner: str | None = None, first: int = 0) -> list[str]:
    """Insert `count` jobs and return their ids, oldest first.

    The owner is the harness's worker unless `owner` is given. The jobs wait in the queue (HELD) or at the provider
    (QUEUED), ten per member, created three minutes ago. A second set in one database starts at another `first`.
    """
    ids: list[str] = []
    for start in range(first, first + count, _AT_ONCE):
        numbers = range(start, min(start + _AT_ONCE, first + count))
        ids += await harness.database.write(partial(_insert, harness, numbers, state, owner or harness.lease.worker_id))
    return ids


def _insert(harness: Harness, numbers: Sequence[int], state: State, owner: str, connection: Connection) -> list[str]:
    request = generation_request(prompt=PROMPT, catalogue=harness.catalogue)
    now = harness.clock.now() - _AGE
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
            price=price(request, harness.catalogue),
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
        hold_job(harness.ledger, connection, job)
        if state is not State.HELD:
            attempt = Attempt(job_id=job.id, number=1, provider=PROVIDER, outcome=Outcome.OPEN, started_at=now)
            attempts.add_all([attempt])
            attempts.update_latest(job.id, handle=job.id, record_id="record")
        ids.append(job.id)
    return ids
