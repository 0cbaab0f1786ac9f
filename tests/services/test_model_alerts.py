"""Warnings about retiring models."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from structlog.testing import capture_logs

from bot.domain.models import Model
from bot.services.model_alerts import ModelAlerts
from db.database import Database
from tests.support.catalogue import MODELS, catalogue_of
from tests.support.clock import START, ManualClock

DAY = START.date() + timedelta(days=40)


class Owner:
    """A notifier with a list of its messages; it may reach nobody."""

    def __init__(self, *, reachable: bool = True) -> None:
        self.reachable = reachable
        self.told: list[str] = []

    async def send_retirement(self, model: Model) -> bool:
        """Keep the model and its day."""
        if self.reachable:
            self.told.append(f"{model.id} {model.retires}")
        return self.reachable

    async def send_closed_model(self, model: Model, successor: str | None) -> bool:
        """Keep the model and the new default."""
        if self.reachable:
            self.told.append(f"{model.id} closed, {successor}")
        return self.reachable


def alerts_of(database: Database, owner: Owner, clock: ManualClock, **changes: Any) -> ModelAlerts:
    """Return the alerts of a fresh process; seedream-5 has the changes."""
    values = {"retires": DAY} | changes
    models = tuple(replace(model, **values) if model.id == "seedream-5" else model for model in MODELS)
    catalogue = catalogue_of("reve2img", models=models, today=clock.now().date())
    return ModelAlerts(catalogue=catalogue, database=database, notifier=owner, clock=clock)


def logged(alerts: ModelAlerts) -> dict[str, tuple[str, str]]:
    """Return level and day of each line about a model."""
    with capture_logs() as log:
        alerts.log_models()
    return {each["event"] + " " + each["model"]: (each["log_level"], each["day"]) for each in log}


async def test_owner_is_told_once_thirty_days_ahead(database: Database) -> None:
    clock, owner = ManualClock(), Owner()
    for days, told in ((0, []), (9, []), (1, [f"seedream-5 {DAY}"]), (20, [f"seedream-5 {DAY}"])):
        clock.advance(days * 86_400)
        for _ in range(2):
            await alerts_of(database, owner, clock).check()  # a restart each time
        assert owner.told == told
    later = DAY + timedelta(days=10)
    await alerts_of(database, owner, clock, retires=later).check()
    assert owner.told == [f"seedream-5 {DAY}", f"seedream-5 {later}"]


async def test_unsent_retirement_is_sent_again(sqlite_database: Database) -> None:
    clock, owner = ManualClock(), Owner(reachable=False)
    clock.advance(20 * 86_400)
    alerts = alerts_of(sqlite_database, owner, clock)
    with capture_logs() as log:
        await alerts.check()
    assert [each["event"] for each in log] == ["model.alert_not_sent"]
    owner.reachable = True
    await alerts.check()
    await alerts.check()
    assert owner.told == [f"seedream-5 {DAY}"]


async def test_retired_off_or_forced_model_sends_nothing(sqlite_database: Database) -> None:
    clock, owner = ManualClock(), Owner()
    clock.advance(35 * 86_400)
    for changes in ({"retires": START.date()}, {"enabled": False}, {"forced": True}):
        await alerts_of(sqlite_database, owner, clock, **changes).check()
    assert owner.told == []


async def test_each_start_logs_models_that_end(sqlite_database: Database) -> None:
    clock, owner = ManualClock(), Owner()
    assert logged(alerts_of(sqlite_database, owner, clock)) == {}
    clock.advance(15 * 86_400)
    assert logged(alerts_of(sqlite_database, owner, clock)) == {
        "model.retires_soon seedream-5": ("warning", str(DAY)),
    }
    clock.advance(25 * 86_400)
    assert logged(alerts_of(sqlite_database, owner, clock)) == {"model.retired seedream-5": ("warning", str(DAY))}
    assert logged(alerts_of(sqlite_database, owner, clock, enabled=False)) == {}
    clock.advance(200 * 86_400)
    assert logged(alerts_of(sqlite_database, owner, clock, forced=True)) == {
        "model.retired_upstream reve-2.0": ("info", "2026-08-14"),
        "model.retired_upstream nano-banana": ("info", "2026-10-02"),
    }


async def test_owner_is_told_once_a_day_of_a_closed_model(database: Database) -> None:
    clock, owner, closed = ManualClock(), Owner(), set[str]()

    def process() -> ModelAlerts:
        catalogue = catalogue_of("skillboss", "reve2img")
        return ModelAlerts(
            catalogue=catalogue,
            database=database,
            notifier=owner,
            clock=clock,
            closed_models=lambda: closed,
            default_model=lambda: "nano-banana" if "reve-2.0" in closed else "reve-2.0",
        )

    alerts = process()
    await alerts.check_closed()
    with capture_logs() as log:
        for names in ({"reve-2.0"}, {"reve-2.0"}, set(), {"reve-2.0", "seedream-5"}):
            closed = names
            await alerts.check_closed()
            await process().check_closed()
    assert owner.told == ["reve-2.0 closed, nano-banana", "seedream-5 closed, None"]
    of_alerts = [(each["event"], each["log_level"]) for each in log if each["model"] == "reve-2.0"]
    assert of_alerts.count(("model.open", "info")) == 1
    clock.advance(86_400)
    await process().check_closed()
    assert owner.told[2:] == ["reve-2.0 closed, nano-banana", "seedream-5 closed, None"]


async def test_closed_model_is_logged_once_and_sent_until_it_arrives(sqlite_database: Database) -> None:
    owner = Owner(reachable=False)
    alerts = ModelAlerts(
        catalogue=catalogue_of("reve2img"),
        database=sqlite_database,
        notifier=owner,
        clock=ManualClock(),
        closed_models=lambda: {"seedream-5"},
    )
    with capture_logs() as log:
        await alerts.check_closed()
        owner.reachable = True
        await alerts.check_closed()
        await alerts.check_closed()
    assert [each["event"] for each in log] == ["model.closed", "model.alert_not_sent"]
    assert owner.told == ["seedream-5 closed, None"]
