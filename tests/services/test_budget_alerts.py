"""Alerts about the monthly budget."""

from datetime import UTC, datetime

import pytest
from structlog.testing import capture_logs

from bot.domain.credits import Budget, alerts_due
from bot.services.budget_alerts import BudgetAlerts
from db.database import Database
from tests.support.clock import START, ManualClock
from tests.support.ledger import end, hold, make_job_for, make_ledger

BUDGET = 120


class Owner:
    """A notifier that keeps its messages, or reaches nobody."""

    def __init__(self, *, reachable: bool = True) -> None:
        self.reachable = reachable
        self.told: list[int] = []
        self.tries = 0

    async def send_budget_alert(self, budget: Budget, percentage: int) -> bool:
        """Keep the percentage."""
        assert budget.limit == BUDGET
        self.tries += 1
        if self.reachable:
            self.told.append(percentage)
        return self.reachable


def alerts_of(database: Database, owner: Owner, clock: ManualClock) -> BudgetAlerts:
    """Return the alerts of a fresh process."""
    return BudgetAlerts(database=database, ledger=make_ledger(budget=BUDGET), notifier=owner, clock=clock, cheapest=12)


async def spend(database: Database, images: int, *, at_risk: int = 0, now: datetime = START) -> None:
    """Charge a job of 12 credits an image, or put it at risk."""
    ledger = make_ledger(allowance=1000, budget=BUDGET)
    job = make_job_for(images, now=now)
    await database.write(lambda connection: hold(connection, ledger, job, now))
    charge = 0 if at_risk else 12 * images
    await database.write(lambda connection: end(connection, ledger, job, charge, now, at_risk=at_risk))


async def test_owner_is_told_each_percentage_once(database: Database) -> None:
    clock, owner = ManualClock(), Owner()
    with capture_logs() as log:
        for images, at_risk, told in (
            (4, 0, []),
            (1, 12, [50]),
            (2, 0, [50]),
            (1, 12, [50, 80]),
            (2, 0, [50, 80, 100]),
        ):
            await spend(database, images, at_risk=at_risk)
            for _ in range(2):
                await alerts_of(database, owner, clock).check()  # a restart each time
            assert owner.told == told
    logged = [(each["percentage"], each["log_level"]) for each in log if each["event"] == "budget.reached"]
    assert logged == [(50, "warning"), (80, "warning"), (100, "warning")]
    next_month = datetime(2026, 4, 2, tzinfo=UTC)
    clock.advance((next_month - clock.now()).total_seconds())
    await spend(database, 4, now=next_month)
    await spend(database, 2, now=next_month)
    await alerts_of(database, owner, clock).check()
    assert owner.told == [50, 80, 100, 50]


async def test_unsent_alert_is_sent_again_and_logged_once(sqlite_database: Database) -> None:
    clock, owner = ManualClock(), Owner(reachable=False)
    alerts = alerts_of(sqlite_database, owner, clock)
    await spend(sqlite_database, 4)
    await spend(sqlite_database, 4)
    with capture_logs() as log:
        await alerts.check()
        owner.reachable = True
        await alerts.check()
        assert owner.told == []  # not at once: the owner may take no messages at all
        clock.advance(30)
        await alerts.check()
        assert owner.told == [50, 80]
    assert [each["percentage"] for each in log if each["event"] == "budget.reached"] == [50, 80]


async def test_pauses_grow_while_owner_is_out_of_reach(sqlite_database: Database) -> None:
    clock, owner = ManualClock(), Owner(reachable=False)
    alerts = alerts_of(sqlite_database, owner, clock)
    await spend(sqlite_database, 5)
    for pause in (30, 60, 120):
        await alerts.check()
        assert owner.tries == 1
        clock.advance(pause - 1)
        await alerts.check()
        assert owner.tries == 1
        owner.tries = 0
        clock.advance(1)
    owner.reachable = True
    await alerts.check()
    await spend(sqlite_database, 3)
    owner.reachable = False
    await alerts.check()
    owner.reachable = True
    clock.advance(30)  # the alert that was sent ended the long pauses
    await alerts.check()
    assert owner.told == [50, 80]


@pytest.mark.parametrize(
    ("used", "reached"), [(0, ()), (59, ()), (60, (50,)), (95, (50,)), (96, (50, 80)), (109, (50, 80, 100))]
)
def test_budget_is_spent_once_it_covers_no_picture(used: int, reached: tuple[int, ...]) -> None:
    assert alerts_due(Budget(month="2026-03", limit=BUDGET, captured=used), 12) == reached
