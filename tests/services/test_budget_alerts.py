"""Alerts about monthly budgets: each once, for each recipient."""

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Connection
from structlog.testing import capture_logs

from bot.domain.credits import Budget
from bot.domain.guild_budgets import AlertLevels
from bot.engine.ledger import Ledger
from bot.services.budget_alerts import BudgetAlert, BudgetAlerts
from bot.services.budgets import BudgetService
from db.budget_alerts import BudgetAlertRepository
from db.database import Database
from db.guilds import GuildRepository
from tests.support.clock import START, ManualClock
from tests.support.factories import GUILD, make_id
from tests.support.ledger import end, hold, make_job_for

BUDGET = 240
LOG_CHANNEL = 900


@dataclass
class Recipient:
    """A notifier with a list of its messages, or one without any."""

    reachable: bool = True
    told: list[tuple[int, int]] = field(default_factory=list)
    closed: list[int] = field(default_factory=list)
    tries: int = 0

    def _take(self, alert: BudgetAlert) -> bool:
        self.tries += 1
        if self.reachable:
            self.told.append((alert.guild_id, alert.percentage))
        return self.reachable

    async def send_budget_alert(self, alert: BudgetAlert) -> bool:
        """Keep the guild and the percentage."""
        await asyncio.sleep(0)  # others run meanwhile, as while Discord answers
        return self._take(alert)

    async def send_closed_log_channel(self, guild_id: int) -> bool:
        """Keep the guild."""
        self.closed.append(guild_id)
        return True


class Channels(Recipient):
    """The only log channel."""

    async def send_budget_alert(  # type: ignore[override]
        self, channel_id: int, locale: str | None, alert: BudgetAlert
    ) -> bool:
        """Keep the guild and the percentage."""
        del locale
        assert channel_id == LOG_CHANNEL
        return self._take(alert)


class Studio:
    """The alerts of processes with one database and the same recipients."""

    def __init__(self, database: Database, *, budget: int = BUDGET, webhook: bool = True) -> None:
        self.database = database
        self.clock = ManualClock()
        self.owner, self.channels, self.hook = Recipient(), Channels(), Recipient()
        self.ledger = Ledger(allowance=100_000, budget=budget, new_id=make_id, alerts=AlertLevels(cheapest=12))
        self.webhook = self.hook if webhook else None

    def process(self, database: Database | None = None, ledger: Ledger | None = None) -> BudgetAlerts:
        """Return the alerts of a fresh process."""
        return BudgetAlerts(
            database=database or self.database,
            ledger=ledger or self.ledger,
            owners=self.owner,
            channels=self.channels,
            webhook=self.webhook,
            clock=self.clock,
        )

    async def spend(self, images: int, *, at_risk: int = 0, now: datetime = START) -> None:
        """Charge a job of 12 credits an image, or put it at risk."""
        job = make_job_for(images, now=now)
        await self.database.write(lambda connection: hold(connection, self.ledger, job, now))
        charge = 0 if at_risk else 12 * images
        await self.database.write(lambda each: end(each, self.ledger, job, charge, now, at_risk=at_risk))

    async def limit(self, amount: int, *, channel: int | None = LOG_CHANNEL) -> None:
        """Set the guild's limit and its log channel."""

        def write(connection: Connection) -> None:
            GuildRepository(connection).change_settings(GUILD, {"log_channel_id": channel})

        await self.database.write(write)
        budgets = BudgetService(database=self.database, ledger=self.ledger, clock=self.clock, new_id=make_id)
        await budgets.set_limit(GUILD, amount, actor_id=1)

    async def wait(self, alerts: BudgetAlerts, seconds: float) -> None:
        """Let time pass, and send the due alerts."""
        self.clock.advance(seconds)
        await alerts.check()


@pytest.fixture
def studio(database: Database) -> Studio:
    return Studio(database)


async def test_each_percentage_is_told_once_to_owner_and_webhook(studio: Studio) -> None:
    with capture_logs() as log:
        for images, at_risk, told in (
            (9, 0, []),
            (1, 12, [50]),
            (6, 0, [50, 80]),
            (2, 0, [50, 80]),
            (1, 0, [50, 80, 95]),
            (1, 0, [50, 80, 95, 100]),
        ):
            await studio.spend(images, at_risk=at_risk)
            for _ in range(2):
                await studio.process().catch_up()
                await studio.process().check()  # a restart each time
            assert studio.owner.told == [(0, each) for each in told]
            assert studio.hook.told == studio.owner.told
    logged = [(each["percentage"], each["log_level"]) for each in log if each["event"] == "budget.reached"]
    assert logged == [(50, "warning"), (80, "warning"), (95, "warning"), (100, "warning")]
    next_month = datetime(2026, 4, 2, tzinfo=UTC)
    studio.clock.advance((next_month - studio.clock.now()).total_seconds())
    await studio.spend(11, now=next_month)
    await studio.process().check()
    assert studio.owner.told[4:] == [(0, 50)]


async def test_percentages_reached_at_one_instant_are_one_alert(studio: Studio) -> None:
    await studio.spend(17)
    await studio.process().check()
    assert studio.owner.told == [(0, 80)]
    assert studio.hook.told == [(0, 80)]


async def test_percentage_that_is_reached_again_after_a_release_is_not_told_again(studio: Studio) -> None:
    for _ in range(2):
        job = make_job_for(10)
        await studio.database.write(lambda each, job=job: hold(each, studio.ledger, job))  # type: ignore[misc]
        await studio.process().check()
        await studio.database.write(lambda each, job=job: end(each, studio.ledger, job, 0))  # type: ignore[misc]
    assert studio.owner.told == [(0, 50)]


async def test_concurrent_jobs_and_processes_send_each_alert_once(database: Database, other: Database) -> None:
    studio = Studio(database)
    await studio.limit(BUDGET)
    processes = [studio.process(), studio.process(other)]

    async def spend(images: int, member: int) -> None:
        job = make_job_for(images, member=member)
        where = database if member % 2 else other
        await where.write(lambda connection: hold(connection, studio.ledger, job))

    for first in (1, 11):
        await asyncio.gather(*(spend(1, first + each) for each in range(10)), *(each.check() for each in processes))
        await asyncio.gather(*(each.check() for each in processes * 3))
    for told in (studio.owner.told, studio.channels.told, studio.hook.told):
        assert len(told) == len(set(told))
    assert {(0, 100), (GUILD, 100)} <= set(studio.owner.told)
    assert (GUILD, 100) in studio.channels.told
    assert (0, 100) in studio.hook.told


async def test_server_alert_goes_to_its_log_channel_and_the_owner(studio: Studio) -> None:
    await studio.limit(24)
    await studio.spend(1)
    await studio.process().check()
    assert studio.channels.told == [(GUILD, 50)]
    assert studio.owner.told == [(GUILD, 50)]
    assert studio.hook.told == []


async def test_server_without_a_log_channel_or_limit_gets_no_message(studio: Studio) -> None:
    await studio.spend(1)
    await studio.limit(24, channel=None)
    await studio.process().check()
    assert studio.channels.told == []
    assert studio.owner.told == [(GUILD, 50)]


async def test_lowered_limit_of_a_server_is_alerted_at_once(studio: Studio) -> None:
    await studio.spend(2)
    await studio.limit(24)
    await studio.process().check()
    assert studio.channels.told == [(GUILD, 100)]


async def test_limit_lowered_in_the_settings_is_alerted_at_the_start(studio: Studio) -> None:
    await studio.spend(2)
    lowered = Ledger(allowance=100, budget=20, guild_budget=24, new_id=make_id)
    for _ in range(2):
        alerts = studio.process(ledger=lowered)
        await alerts.catch_up()
        await alerts.check()
    assert sorted(studio.owner.told) == [(0, 100), (GUILD, 100)]


async def test_closed_log_channel_is_tried_some_times_and_told_to_the_owner_once(studio: Studio) -> None:
    studio.channels.reachable = False
    await studio.limit(120)
    await studio.spend(5)
    alerts = studio.process()
    for _ in range(20):
        await studio.wait(alerts, 120)
    assert studio.channels.tries == 4
    assert studio.owner.closed == [GUILD]
    await studio.spend(3)
    for _ in range(20):
        await studio.wait(alerts, 120)
    assert studio.channels.tries == 8
    assert studio.owner.closed == [GUILD]
    assert studio.owner.told == [(GUILD, 50), (GUILD, 80)]


async def test_unreachable_webhook_is_given_up_and_the_owner_still_told(studio: Studio) -> None:
    studio.hook.reachable = False
    await studio.spend(10)
    alerts = studio.process()
    for _ in range(30):
        await studio.wait(alerts, 3600)
    assert studio.hook.tries == 8
    assert studio.owner.told == [(0, 50)]


async def test_pauses_grow_while_owner_is_out_of_reach_also_over_restarts(studio: Studio) -> None:
    studio.owner.reachable = False
    await studio.spend(10)
    await studio.process().check()
    for pause in (30, 60, 120):
        assert studio.owner.tries == 1
        await studio.wait(studio.process(), pause - 1)
        assert studio.owner.tries == 1
        studio.owner.tries = 0
        await studio.wait(studio.process(), 1)
    studio.owner.reachable = True
    await studio.wait(studio.process(), 240)
    assert studio.owner.told == [(0, 50)]


async def test_alert_replaced_by_a_higher_one_is_not_sent_any_more(studio: Studio) -> None:
    studio.owner.reachable = False
    await studio.spend(10)
    await studio.process().check()
    await studio.spend(7)
    studio.owner.reachable = True
    await studio.process().check()
    await studio.wait(studio.process(), 3600)
    assert studio.owner.told == [(0, 80)]


async def test_alert_of_an_ended_process_is_sent_after_its_lease(studio: Studio) -> None:
    await studio.spend(10)
    month, now = "2026-03", studio.clock.now()

    def claim(connection: Connection) -> int:
        alerts = BudgetAlertRepository(connection)
        return len(alerts.claim(month, now, lease=timedelta(minutes=10), most=10))

    assert await studio.database.write(claim) == 2
    await studio.wait(studio.process(), 599)
    assert studio.owner.told == []
    await studio.wait(studio.process(), 1)
    assert studio.owner.told == studio.hook.told == [(0, 50)]


async def test_alerts_sent_across_midnight_show_the_month_that_reached_them(studio: Studio) -> None:
    last_minute = datetime(2026, 3, 31, 23, 59, 50, tzinfo=UTC)
    studio.clock.advance((last_minute - studio.clock.now()).total_seconds())
    await studio.spend(17, now=last_minute)
    shown: list[Budget] = []

    class SlowRecipient(Recipient):
        async def send_budget_alert(self, alert: BudgetAlert) -> bool:
            shown.append(alert.budget)
            studio.clock.advance(20)
            return True

    studio.owner = SlowRecipient()
    studio.hook = SlowRecipient()
    studio.webhook = studio.hook
    await studio.process().check()
    assert [(each.month, each.used) for each in shown] == [("2026-03", 204)] * 2


async def test_fault_of_one_recipient_leaves_the_others_alone(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(_: BudgetAlert) -> bool:
        raise ZeroDivisionError

    monkeypatch.setattr(studio.owner, "send_budget_alert", broken)
    await studio.spend(10)
    await studio.process().check()
    assert studio.hook.told == [(0, 50)]


@pytest.mark.parametrize(
    ("used", "reached"), [(0, 0), (59, 0), (60, 50), (95, 50), (96, 80), (108, 80), (109, 100), (130, 100)]
)
def test_budget_is_spent_once_it_covers_no_picture(used: int, reached: int) -> None:
    levels = AlertLevels(percentages=(50, 80), cheapest=12)
    assert levels.highest(Budget(month="2026-03", limit=120, captured=used)) == reached
