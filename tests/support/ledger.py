"""Ledger helpers: a ledger, jobs, holds and settlements."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, update

from bot.domain.credits import Account, PossibleCost
from bot.domain.errors import FaultKind
from bot.domain.jobs import Job, State
from bot.domain.premium import PremiumPlan
from bot.engine.holds import hold_job
from bot.engine.ledger import Ledger
from bot.engine.member_identity import MemberIdentity
from bot.engine.settlements import Settlement, settle
from db.jobs import JobRepository
from db.tables import jobs
from tests.support.clock import START
from tests.support.factories import GUILD, MEMBER, make_context, make_id, make_job, make_request

ALLOWANCE: Final = 100
BUDGET: Final = 10_000


def make_ledger(
    *,
    allowance: int = ALLOWANCE,
    budget: int = BUDGET,
    identity: MemberIdentity | None = None,
    premium: PremiumPlan | None = None,
) -> Ledger:
    """Return a ledger with 100 credits a day and 10,000 a month."""
    return Ledger(allowance=allowance, budget=budget, new_id=make_id, identity=identity, premium=premium)


def make_job_for(images: int = 1, *, member: int = MEMBER, now: datetime = START) -> Job:
    """Return a job of 12 credits per image."""
    return make_job(
        place=make_context(member_id=member), request=make_request(images=images), created_at=now, due_at=now
    )


def adding(*jobs: Job) -> Callable[[Connection], None]:
    """Return a transaction to insert jobs without holds."""

    def write(connection: Connection) -> None:
        for job in jobs:
            JobRepository(connection).add(job)

    return write


def hold(connection: Connection, ledger: Ledger, job: Job, now: datetime = START) -> Account:
    """Hold the job's price at a time and insert it."""
    account = hold_job(ledger, connection, replace(job, created_at=now))
    if job.created_at != now:
        connection.execute(update(jobs).where(jobs.c.id == job.id).values(created_at=job.created_at))
    return account


def end(
    connection: Connection,
    ledger: Ledger,
    job: Job,
    charge: int,
    now: datetime = START,
    *,
    at_risk: int = 0,
    cause: FaultKind = FaultKind.REPLY_LOST,
) -> None:
    """Settle a held job: done if something is charged, else failed."""
    jobs = JobRepository(connection)
    if charge:
        for state in (State.SUBMITTING, State.STORING):
            job = jobs.advance(job, state)
    job = jobs.advance(job, State.DONE if charge else State.FAILED, finished_at=now, charged=charge)
    cost = PossibleCost(attempt=1, amount=at_risk, cause=cause) if at_risk else None
    settle(ledger, connection, Settlement(job=job, charge=charge, reason="test", at=now, possible_cost=cost))


def ending(ledger: Ledger, job: Job, now: datetime = START, *, at_risk: int = 0) -> Callable[[Connection], None]:
    """Return the transaction to settle a held job without a charge."""
    return lambda connection: end(connection, ledger, job, 0, now, at_risk=at_risk)


def grant(
    connection: Connection, ledger: Ledger, amount: int, now: datetime = START, *, member: int = MEMBER
) -> Account:
    """Grant a member credits."""
    return ledger.grant(connection, guild_id=GUILD, member_id=member, amount=amount, actor=1, reason="prize", now=now)
