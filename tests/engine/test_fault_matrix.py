"""The fault matrix: every documented error of two providers.

Each happens once and for good. The rows are those of the sandbox's panel, taken from the providers' documents.
`EXPECTED` has the outcome of each; a missing row fails.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from bot.domain.credits import LedgerAccount
from bot.domain.errors import FaultKind
from bot.domain.jobs import Job, State
from bot.engine.config import EngineConfig
from bot.services.job_snapshots import JobSnapshotService
from bot.ui.render.error_messages import failure
from bot.ui.render.job_card import job_card
from db.database import Database
from db.tables import postings
from sandbox.providers import MANUAL, Reve2ImgServer
from sandbox.providers.server import ImageApiServer
from sandbox.web.fault_catalogue import FaultRow, rows
from tests.engine.engine_harness import EngineHarness, engine_harness
from tests.support.catalogue import SKILLBOSS
from tests.support.factories import make_request
from tests.ui.view_reader import texts

DONE = None
"""No fault: the pictures came."""

LOST = FaultKind.DEADLINE
UNSURE = FaultKind.REPLY_LOST
GONE = FaultKind.NO_PICTURES
AT_RISK = (UNSURE, LOST, GONE, FaultKind.NOT_FOUND)
"""The provider may bill these, and no member pays."""

# (endpoint, kind or status, further value) -> the job's fault if it happens once, and always; None: done.
EXPECTED: dict[tuple[object, ...], tuple[FaultKind | None, FaultKind | None]] = {
    ("submit", 400): (FaultKind.INVALID, FaultKind.INVALID),
    ("submit", 400, "Unknown model"): (FaultKind.MODEL_UNAVAILABLE, FaultKind.MODEL_UNAVAILABLE),
    ("submit", 400, "This model has been discontinued."): (
        FaultKind.MODEL_UNAVAILABLE,
        FaultKind.MODEL_UNAVAILABLE,
    ),
    ("submit", 401): (FaultKind.KEY_REJECTED, FaultKind.KEY_REJECTED),
    ("submit", 402): (FaultKind.ACCOUNT_EMPTY, FaultKind.ACCOUNT_EMPTY),
    ("submit", 429): (DONE, FaultKind.RATE_LIMITED),
    ("submit", 500): (DONE, FaultKind.SERVER_ERROR),
    ("submit", 503): (DONE, FaultKind.UNAVAILABLE),
    ("submit", "reset_before"): (UNSURE, UNSURE),
    ("submit", "reset_after"): (UNSURE, UNSURE),
    ("submit", "malformed"): (UNSURE, UNSURE),
    ("submit", "delay"): (DONE, DONE),
    ("submit", "fail", "vendor"): (FaultKind.GENERATION, FaultKind.GENERATION),
    ("submit", "fail", "balance"): (FaultKind.ACCOUNT_EMPTY, FaultKind.ACCOUNT_EMPTY),
    ("submit", "fail", "content"): (FaultKind.CONTENT, FaultKind.CONTENT),
    ("submit", "fail", "input"): (FaultKind.GENERATION, FaultKind.GENERATION),
    ("submit", "stuck"): (LOST, LOST),
    ("submit", "empty"): (GONE, GONE),
    ("submit", "square"): (DONE, DONE),
    ("submit", "inline"): (DONE, DONE),
    ("submit", "shape"): (DONE, DONE),
    ("status", 401): (DONE, LOST),
    ("status", 404): (DONE, FaultKind.NOT_FOUND),
    ("status", 429): (DONE, LOST),
    ("status", 500): (DONE, LOST),
    ("status", 503): (DONE, LOST),
    ("status", "reset_before"): (DONE, LOST),
    ("status", "reset_after"): (DONE, LOST),
    ("status", "malformed"): (DONE, LOST),
    ("status", "delay"): (DONE, DONE),
    ("status", "word"): (DONE, LOST),
    ("picture", 404): (GONE, GONE),
    ("picture", 500): (DONE, GONE),
    ("picture", "html"): (GONE, GONE),
    ("picture", "endless"): (GONE, GONE),
    ("picture", "truncated"): (DONE, GONE),
    ("picture", "redirect"): (GONE, GONE),
    ("picture", "reset_before"): (DONE, GONE),
    ("picture", "delay"): (DONE, DONE),
}
# Outcome after Cancel if the endpoint fails once: cancelled at the next poll, or done.
CANCELS: dict[object, State] = {
    404: State.DONE,
    409: State.DONE,
    500: State.CANCELLED,
    "unsaid": State.CANCELLED,
    "reset_before": State.CANCELLED,
    "reset_after": State.CANCELLED,
    "malformed": State.CANCELLED,
    "delay": State.CANCELLED,
}


@dataclass(frozen=True, slots=True)
class Cell:
    """A fault, happening once or always."""

    row: FaultRow
    for_good: bool

    @property
    def how(self) -> dict[str, Any]:
        """The fault's settings, without its delay."""
        how = dict(self.row.how)
        return how | ({"seconds": 0.01} if how["kind"] == "delay" else {}) | {"times": None if self.for_good else 1}

    @property
    def expected(self) -> FaultKind | None:
        """The expected fault of the job; None if it succeeds."""
        return next(EXPECTED[key] for key in _keys(self.row.how) if key in EXPECTED)[self.for_good]


def _keys(how: Any) -> list[tuple[object, ...]]:
    endpoint, what = str(how["endpoint"]), how["status"] if how["kind"] == "status" else str(how["kind"])
    return [(endpoint, what, how.get("reason") or how.get("message")), (endpoint, what)]


CONFIG = EngineConfig(hard_deadline=1_800.0)
PACE = 61.0
"""Seconds that pass between two looks: more than any pause of the engine's."""

# The named cases of the other providers are in the tests of their clients and of the whole bot.
ROWS = [row for row in rows() if row.service in ("skillboss", "reve2img") and row.how["endpoint"] != "webhook"]
FATAL = [row for row in ROWS if row.how["endpoint"] != "cancel"]
CELLS = [
    *(Cell(row, for_good=True) for row in FATAL),
    # Where once is as bad as for good, once is not tried again.
    *(once for row in FATAL if (once := Cell(row, for_good=False)).expected is not Cell(row, for_good=True).expected),
]


@asynccontextmanager
async def harness_for(
    service: str, database: Database, folder: Path
) -> AsyncIterator[tuple[EngineHarness, ImageApiServer]]:
    """Open a harness with only the row's provider, and return its fake."""
    if service == "skillboss":
        async with engine_harness(database, folder, config=CONFIG) as harness:
            yield harness, harness.server
        return
    second = Reve2ImgServer(key="key", latency=MANUAL)
    await second.start()
    try:
        async with engine_harness(database, folder, config=CONFIG, second=second) as harness:
            yield harness, second
    finally:
        await second.close()


def request_for(service: str) -> Any:
    """Return a request for this provider alone."""
    return make_request() if service == "skillboss" else make_request(model="nano-banana")


async def wait_for_end(harness: EngineHarness, server: ImageApiServer, job: Job) -> Job:
    """Return the job once it has ended.

    The provider finishes its jobs, and time passes.
    """
    for _ in range(200):
        await harness.wait_until_idle()
        current = await harness.read_job(job.id)
        if current.state.ended:
            return current
        for made in server.jobs:
            if not made.terminal and made.stuck_state is None:
                server.finish(made)
        harness.clock.advance(PACE)
    raise AssertionError(f"the job stays {current.state}")


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: f"{cell.row.id}-{'always' if cell.for_good else 'once'}")
async def test_provider_fault_has_expected_outcome_and_charge(
    sqlite_database: Database, tmp_path: Path, cell: Cell
) -> None:
    # The card names the fault, the ledger balances, and a submit is repeated only if surely not accepted.
    async with harness_for(cell.row.service, sqlite_database, tmp_path) as (harness, server):
        server.faults.add(**cell.how)
        job = await wait_for_end(harness, server, await harness.create_job(request=request_for(cell.row.service)))

        assert job.fault is cell.expected
        card = "\n".join(texts(await _card(harness, job)))
        if cell.expected is DONE:
            assert (job.state, job.charged) == (State.DONE, job.price)
            assert f"{job.price} credits" in card
        else:
            assert (job.state, job.charged) == (State.LOST if cell.expected is LOST else State.FAILED, 0)
            assert failure(cell.expected)[0] in card
            assert f"Nothing was charged: {job.price} credits returned." in card
        assert await harness.run_audit() == []
        at_risk = await _possible_cost(harness)
        assert at_risk == (job.price if cell.expected in AT_RISK else 0)
        assert len(server.billed) <= 1
        assert len(server.billed) * job.price <= (job.charged or 0) + at_risk


@pytest.mark.parametrize("row", [row for row in ROWS if row.how["endpoint"] == "cancel"], ids=lambda row: row.id)
async def test_cancel_answer_has_expected_outcome_and_charge(
    sqlite_database: Database, tmp_path: Path, row: FaultRow
) -> None:
    # Only the provider's status counts: cancelled and free, or finished and charged, never both.
    async with harness_for(row.service, sqlite_database, tmp_path) as (harness, server):
        server.faults.add(**Cell(row, for_good=False).how)
        job = await harness.create_job(request=request_for(row.service))
        await harness.wait_for_state(job.id, State.QUEUED)
        await harness.cancel(job.id)
        expected = CANCELS[_keys(row.how)[1][1]]
        if expected is State.DONE:
            await harness.wait_until_idle()
            job = await wait_for_end(harness, server, job)
        else:
            job = await harness.wait_for_state(job.id, State.CANCELLED, step=1.0)
        assert (job.state, job.charged) == (expected, job.price if expected is State.DONE else 0)
        assert await harness.run_audit() == []
        assert len(server.billed) == (1 if expected is State.DONE else 0)


async def _card(harness: EngineHarness, job: Job) -> Any:
    snapshots = JobSnapshotService(
        catalogue=SKILLBOSS, database=harness.database, ledger=harness.ledger, clock=harness.clock, hard_deadline=7200
    )
    return job_card(await snapshots.get(job.id), harness.clock.now(), 300.0)


async def _possible_cost(harness: EngineHarness) -> int:
    booked = select(func.coalesce(func.sum(postings.c.amount), 0)).where(postings.c.book == LedgerAccount.UNKNOWN)
    return await harness.database.read(lambda connection: int(connection.execute(booked).scalar_one()))
