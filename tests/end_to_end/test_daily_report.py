"""The daily report, as the owner receives it from a real bot."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import Connection, select, update

from db.database import Database
from db.key_value import KeyValueRepository
from db.tables import attempts, jobs, pictures
from sandbox.discord import Message, text
from tests.end_to_end.system_harness import PATIENCE, SystemHarness, has_images, wait_for_provider_job


def owner_messages(system: SystemHarness) -> list[Message]:
    """Return the direct messages to the application's owner."""
    owner = system.discord.world.application.owner_id
    return list(system.discord.world.direct_message(owner).messages.values())


async def let_a_day_pass(system: SystemHarness) -> None:
    """Move all that the stopped bot did to the day before."""
    database = await Database.open(system.database_url)

    def write(connection: Connection) -> None:
        for table in (jobs, attempts, pictures):
            for row in connection.execute(select(table)).all():
                key = [column == row._mapping[column.name] for column in table.primary_key]
                times = {name: at - timedelta(days=1) for name, at in row._mapping.items() if isinstance(at, datetime)}
                connection.execute(update(table).where(*key).values(**times))
        values = KeyValueRepository(connection)
        assert values.find("daily report") == f"{datetime.now(UTC).date()} sent"  # the first day has none
        values.save("daily report", f"{datetime.now(UTC).date() - timedelta(days=1)} sent")

    await database.write(write)
    await database.close()


async def test_owner_gets_one_card_about_yesterday_after_restarts(tmp_path: Path) -> None:
    system = SystemHarness(tmp_path)
    try:
        await system.start(DAILY_REPORT_HOUR="0")
        member = system.discord.actor("member")
        invocation = await member.slash("imagine", prompt="a heron")
        system.skillboss.finish(await wait_for_provider_job(system.skillboss, "a heron"))
        await invocation.wait_until(has_images)
        for server in (system.skillboss, system.reve2img):
            server.faults.add("submit", "status", status=400)
        failed = await member.slash("imagine", prompt="a crane")
        await failed.wait_until(lambda message: "Nothing was charged" in text(message))
        await system.stop_bot()
        assert owner_messages(system) == []
        await let_a_day_pass(system)
        world = system.discord.world
        owner = next(user for user in world.users.values() if user.id == world.application.owner_id)
        owner.takes_direct_messages = False
        await system.start_bot(DAILY_REPORT_HOUR="0")
        async with asyncio.timeout(PATIENCE):
            while "report.not_sent" not in system.log():
                await system.ledger()
        await system.stop_bot()
        owner.takes_direct_messages = True
        await _make_next_try_due(system)
        for _ in range(2):
            await system.start_bot(DAILY_REPORT_HOUR="0")
            async with asyncio.timeout(PATIENCE):
                while not owner_messages(system):
                    await system.ledger()
            await system.stop_bot()
        (message,) = owner_messages(system)
    finally:
        await system.close()
    shown = text(message)
    assert "· 2 jobs" in shown
    assert "50 % succeeded · 1 picture · 1 failed" in shown
    assert "**Spent** 12 credits" in shown
    assert "Disk: " in shown
    assert not message.content


async def _make_next_try_due(system: SystemHarness) -> None:
    database = await Database.open(system.database_url)

    def write(connection: Connection) -> None:
        values = KeyValueRepository(connection)
        day, tries, next_at = (values.find("daily report") or "").split(" ")
        assert datetime.fromisoformat(next_at) > datetime.now(UTC)
        values.save("daily report", f"{day} {tries} {datetime.now(UTC).isoformat()}")

    await database.write(write)
    await database.close()
