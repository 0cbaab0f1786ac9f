"""Warnings about low balances at providers."""

from decimal import Decimal

import pytest
from structlog.testing import capture_logs

from bot.domain.costs import Currency, ProviderBalance
from bot.domain.errors import FaultKind, ProviderError
from bot.services.balance_alerts import BalanceAlerts
from db.database import Database
from tests.support.clock import ManualClock
from tests.support.forwarding import ForwardingProvider

DAY = 86_400


class Account(ForwardingProvider):
    """A provider with a balance; None is a fault."""

    def __init__(self, balance: ProviderBalance | None, *, broken: bool = False) -> None:
        self.left = balance
        self.broken = broken
        self.reads = 0

    async def balance(self) -> ProviderBalance | None:
        """Return the balance, or raise."""
        self.reads += 1
        if self.broken:
            raise ProviderError(FaultKind.SERVER_ERROR, provider="broken", status=500)
        return self.left


class Owner:
    """A notifier that keeps its messages, or reaches nobody."""

    def __init__(self) -> None:
        self.reachable = True
        self.told: list[str] = []

    async def send_low_balance(self, provider: str, balance: ProviderBalance, day: str) -> bool:
        """Keep provider, amount and day."""
        if self.reachable:
            self.told.append(f"{provider} {balance.amount} {day}")
        return self.reachable


def dollars(amount: str) -> ProviderBalance:
    """Return a balance in dollars."""
    return ProviderBalance(amount=Decimal(amount), currency=Currency.USD)


def alerts_of(
    database: Database, owner: Owner, clock: ManualClock, *, low: int = 5, **accounts: Account
) -> BalanceAlerts:
    """Return the alerts of a fresh process."""
    return BalanceAlerts(providers=accounts, database=database, notifier=owner, clock=clock, low=Decimal(low))


async def test_low_balance_is_logged_and_sent_once_a_day(database: Database) -> None:
    clock, owner = ManualClock(), Owner()
    with capture_logs() as log:
        for left in ("5", "4.99", "-1", "3"):
            for _ in range(2):
                await alerts_of(database, owner, clock, bfl=Account(dollars(left))).check()  # a restart each time
        assert owner.told == ["bfl 4.99 2026-03-14"]
        clock.advance(DAY)
        await alerts_of(database, owner, clock, bfl=Account(dollars("3")), fal=Account(dollars("0"))).check()
    assert owner.told == ["bfl 4.99 2026-03-14", "bfl 3 2026-03-15", "fal 0 2026-03-15"]
    assert [(each["log_level"], each["event"], each["provider"], each["usd"]) for each in log] == [
        ("warning", "balance.low", "bfl", "4.99"),
        ("warning", "balance.low", "bfl", "3.00"),
        ("warning", "balance.low", "fal", "0.00"),
    ]


async def test_unsent_low_balance_is_sent_again(sqlite_database: Database) -> None:
    clock, owner = ManualClock(), Owner()
    owner.reachable = False
    alerts = alerts_of(sqlite_database, owner, clock, bfl=Account(dollars("1")))
    with capture_logs() as log:
        await alerts.check()
        await alerts.check()
    assert [each["event"] for each in log] == ["balance.low", "balance.alert_not_sent", "balance.alert_not_sent"]
    owner.reachable = True
    await alerts.check()
    await alerts.check()
    assert owner.told == ["bfl 1 2026-03-14"]


async def test_unreadable_balance_is_no_warning_and_hides_no_other(sqlite_database: Database) -> None:
    owner = Owner()
    unknown, broken, low = Account(None), Account(None, broken=True), Account(dollars("1"))
    counted = Account(ProviderBalance(amount=Decimal(1), currency=Currency.CREDITS))
    alerts = alerts_of(
        sqlite_database, owner, ManualClock(), unknown=unknown, broken=broken, counted=counted, low_one=low
    )
    with capture_logs() as log:
        await alerts.check()
    assert owner.told == ["low_one 1 2026-03-14"]
    assert [(each["log_level"], each["event"]) for each in log] == [
        ("info", "balance.not_read"),
        ("warning", "balance.low"),
    ]


@pytest.mark.parametrize("low", [0])
async def test_limit_of_zero_reads_nothing(sqlite_database: Database, low: int) -> None:
    account = Account(dollars("-5"))
    await alerts_of(sqlite_database, Owner(), ManualClock(), low=low, bfl=account).run()
    assert account.reads == 0
