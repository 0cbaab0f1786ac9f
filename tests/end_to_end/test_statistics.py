"""`/studio stats` with the real bot: pictures, words, file and names."""

import csv
import io
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
import pytest_asyncio
from PIL import Image, ImageColor
from sqlalchemy import Connection

from bot.charts.style import BACKGROUND
from bot.domain.costs import CostSource, usd
from bot.domain.jobs import Job, Outcome, State
from db.attempts import AttemptRepository
from db.database import Database
from db.guilds import GuildRepository
from sandbox.discord import Actor, Message, media, text
from sandbox.discord.message_reader import files
from sandbox.discord.permissions import Permission
from tests.end_to_end.system_harness import SystemHarness, says
from tests.support.factories import make_attempt, make_context, make_job
from tests.support.ledger import hold, make_ledger

pytestmark = pytest.mark.asyncio(loop_scope="module")

DEPARTED = 999


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def system(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[SystemHarness]:
    """Yield a running bot."""
    system = SystemHarness(tmp_path_factory.mktemp("system"))
    try:
        await system.start()
        yield system
    finally:
        await system.close()


def job_of(member_id: int, guild_id: int, at: datetime) -> Job:
    """Return a done job with 12 credits captured after 30 s."""
    ended = at + timedelta(seconds=30)
    times: dict[str, Any] = {
        "created_at": at,
        "due_at": at,
        "acknowledged_at": at,
        "finished_at": ended,
        "delivered_at": ended,
    }
    place = make_context(member_id=member_id, guild_id=guild_id, token=None)
    return replace(make_job(place=place), state=State.DONE, charged=12, **times)


def write_jobs(connection: Connection, guild_id: int, members: list[int]) -> None:
    """Insert a job of each member an hour ago, at SkillBoss for 2 cents."""
    ledger, at = make_ledger(), datetime.now(UTC) - timedelta(hours=1)
    for member_id in members:
        job = job_of(member_id, guild_id, at)
        hold(connection, ledger, job, at)
        attempts, attempt = AttemptRepository(connection), make_attempt(job)
        attempts.add_all([attempt])
        attempts.end_call(attempt, Outcome.COMPLETED, at, cost=usd(Decimal("0.02"), CostSource.REPORTED))
    GuildRepository(connection).change_settings(guild_id, {"time_zone": "Europe/Berlin"})


def descriptions(message: Message) -> list[str]:
    """Return the alternative texts of a message's pictures."""
    galleries = [each for each in message.components[0]["components"] if each["type"] == 12]
    assert all(len(gallery["items"]) == 1 for gallery in galleries)
    return [item["description"] for gallery in galleries for item in gallery["items"]]


async def lines_of(system: SystemHarness, message: Message) -> list[dict[str, str]]:
    """Return the lines of a message's file."""
    (file,) = files(message)
    assert file["url"].partition("?")[0].endswith("statistics.csv")
    status, content = await system.status(file["url"])
    assert status == 200
    return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"))))


async def stats(who: Actor, words: str, **options: Any) -> Message:
    """Use the command and return its private answer with these words."""
    answer = await (await who.slash("studio stats", **options)).wait_until(says(words))
    assert answer.ephemeral
    return answer


async def test_statistics_are_drawn_described_and_filed(system: SystemHarness) -> None:
    """An empty server first, then jobs of members, one of them gone."""
    discord, owner = system.discord, system.discord.actor("owner")
    guild = next(each for each in discord.world.guilds.values() if each.name == "Community")
    members = [discord.world.user(name) for name in ("member", "member-two")]
    empty = await stats(owner, "No jobs in this time yet.")
    assert media(empty) == files(empty) == []

    database = await Database.open(system.database_url)
    ids = [int(each.id) for each in members]
    await database.write(partial(write_jobs, guild_id=int(guild.id), members=[*ids, ids[0], DEPARTED]))
    await database.close()

    answer = await stats(owner, "Statistics of the last 7 days", period=7)
    assert "**4 jobs** · 48 credits · 100\u00a0% successful · half done within 30\u00a0s" in text(answer)
    assert "time zone \u2068Europe\\/Berlin\u2069" in text(answer)
    said = descriptions(answer)
    assert [each.partition(",")[0] for each in said] == [
        "Jobs a day by model",
        "Credits by member",
        "Jobs that made their pictures",
        "Waiting time",
        "Credits and cost",
    ]
    assert said[1].endswith(". Member 24 credits, member 2 12 credits, Member Two 12 credits.")
    assert said[4].endswith("SkillBoss · reve-2.0: $0.08 for 48 credits.")
    drawn = [Image.open(io.BytesIO(each)) for each in await system.pictures(answer)]
    assert {each.width for each in drawn} == {1600}
    assert {each.convert("RGB").getpixel((0, 0)) for each in drawn} == {ImageColor.getrgb(BACKGROUND)}
    lines = await lines_of(system, answer)
    of_members = [each for each in lines if each["table"] == "member" and each["measure"] == "credits"]
    captured = [(each["name"], each["value"]) for each in of_members]
    assert captured == [("Member", "24"), ("member 2", "12"), ("Member Two", "12")]
    assert [each["value"] for each in lines if each["measure"] == "usd"] == ["0.08"]


async def test_admin_sees_no_money_of_the_operator(system: SystemHarness) -> None:
    """And one chart alone if chosen."""
    discord = system.discord
    guild = next(each for each in discord.world.guilds.values() if each.name == "Community")
    role = discord.world.add_role(guild, "Admins", int(Permission.MANAGE_GUILD))
    guild.members[discord.world.user("moderator").id].role_ids.append(role.id)
    admin = discord.actor("moderator")
    overview = await stats(admin, "Statistics of the last 30 days")
    assert not [each for each in descriptions(overview) if "$" in each or "cost" in each]
    assert not [each for each in await lines_of(system, overview) if each["table"] == "offer"]
    (said,) = descriptions(await stats(admin, "**4 jobs**", chart="waiting"))
    assert said.startswith("Waiting time, ")
    refused = await stats(admin, "the bot's owner", chart="cost")
    assert media(refused) == []


async def test_statistics_for_members_are_refused(system: SystemHarness) -> None:
    """Also if a server lets everybody use the command."""
    call = await system.discord.actor("member").slash("studio stats", unchecked=True)
    answer = await call.wait_until(lambda message: bool(text(message)))
    assert answer.ephemeral
    assert "a moderator" in text(answer)


async def test_statistics_asked_for_all_the_time_are_refused(system: SystemHarness) -> None:
    owner = system.discord.actor("owner")
    for _ in range(6):
        answer = await (await owner.slash("studio stats", chart="success")).wait_until(
            lambda message: bool(text(message))
        )
        if "very often" in text(answer):
            return
    pytest.fail("not refused")
