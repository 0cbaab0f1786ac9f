"""`/privacy`: a member's data by direct message, and its deletion."""

import io
import json
import operator
import zipfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from signal import SIGKILL
from typing import Any, Literal

import pytest
from sqlalchemy import Connection, select, text

from db.columns import metadata
from db.database import Database
from db.tables import accounts, deletions, exports, jobs, workers
from sandbox.clock import StudioClock
from sandbox.discord import Actor, Message
from sandbox.discord import text as words
from sandbox.providers import expected_mark, read_mark
from tests.end_to_end.editing_member import png
from tests.end_to_end.system_harness import SystemHarness, has_images
from tests.support.image_server import drawn
from tests.support.polling import poll

PROMPT = "a wren over Zanzibar"


@pytest.fixture(params=["sqlite", "postgresql"])
async def system(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[SystemHarness]:
    """Yield a running bot; its ledger must balance in the end."""
    url = None
    if request.param == "postgresql":
        url = await request.getfixturevalue("postgresql_databases").create(migrated=True)
    system = SystemHarness(tmp_path, database_url=url, clock=StudioClock(tmp_path / "clock-offset"))
    try:
        await system.start()
        yield system
        ledger = await system.ledger()
        assert (ledger.problems, ledger.held) == ([], 0)
    finally:
        await system.close()


async def make_picture(system: SystemHarness, member: Actor, prompt: str = PROMPT) -> Message:
    """Make a picture and return its card."""
    invocation = await member.slash("imagine", prompt=prompt)
    await invocation.response()
    await system.skillboss.wait_for(lambda: any(not job.terminal for job in system.skillboss.jobs))
    system.skillboss.finish()
    return await invocation.wait_until(has_images)


async def read(system: SystemHarness, function: Callable[[Connection], Any]) -> Any:
    """Return the result of a read of the bot's database."""
    database = await Database.open(system.database_url)
    try:
        return await database.read(function)
    finally:
        await database.close()


async def write(system: SystemHarness, statement: Any) -> None:
    """Run a statement in the bot's database."""
    database = await Database.open(system.database_url)
    try:
        await database.write(lambda connection: connection.execute(statement))
    finally:
        await database.close()


async def none_left(system: SystemHarness, table: Any) -> None:
    """Wait until no export or deletion is open."""
    await nothing_of(system, select(table.c.member_id).where(table.c.finished_at.is_(None)))


async def nothing_of(system: SystemHarness, rows: Any) -> None:
    """Wait until a query finds no row."""
    await poll(lambda: read(system, lambda connection: connection.execute(rows).first()), until=operator.not_)


def archives(system: SystemHarness, member: Actor) -> list[tuple[str, zipfile.ZipFile]]:
    """Return the words and ZIP files of a member's direct messages."""
    channel = system.discord.direct_message(member.user.name)
    return [
        (message.content, zipfile.ZipFile(io.BytesIO(file.data)))
        for message in member.sees(channel)
        for file in message.attachments.values()
    ]


def document(archive: zipfile.ZipFile, name: str) -> Any:
    """Return a JSON document of a ZIP file."""
    return json.loads(archive.read(name))


async def test_export_has_words_pictures_and_credits_of_the_member_alone(system: SystemHarness) -> None:
    member, other = system.discord.actor("member"), system.discord.actor("moderator")
    card = await make_picture(system, member)
    await make_picture(system, other, "somebody else's words")
    await (await member.slash("settings set", ask_over=70)).response()
    assert "comes by direct message" in words(await (await member.slash("privacy export")).response())
    await none_left(system, exports)
    ((said, archive),) = archives(system, member)
    assert said == "Everything stored about you.\n-# It has 1 job and 1 picture."
    (job,) = document(archive, "jobs.json")
    assert (job["prompt"], job["model"], job["charged"]) == (PROMPT, "reve-2.0", 12)
    (name,) = [each for each in archive.namelist() if each.startswith("pictures/")]
    assert archive.read(name) == (await system.pictures(card))[0]
    assert read_mark(archive.read(name)) == expected_mark(PROMPT, 0)
    assert [each["changes"] for each in document(archive, "credits.json")] == [
        {"allowance": 200},
        {"allowance": -12, "held": 12},
        {"held": -12},
    ]
    assert document(archive, "about.json")[0]["settings"]["confirm_over"] == 70
    everything = b"".join(archive.read(each) for each in archive.namelist())
    assert b"somebody else's words" not in everything
    assert other.user.id.encode() not in everything


async def test_second_export_within_a_day_is_refused_with_its_time(system: SystemHarness) -> None:
    member = system.discord.actor("member")
    await (await member.slash("privacy export")).response()
    await none_left(system, exports)
    refused = words(await (await member.slash("privacy export")).response())
    assert refused.startswith("You had your data a short while ago; once a day is possible.\nYou can ask again <t:")
    assert len(archives(system, member)) == 1


async def test_export_is_attached_to_the_answer_where_direct_messages_are_closed(system: SystemHarness) -> None:
    member = system.discord.actor("member")
    system.discord.world.users[member.user.id].takes_direct_messages = False
    await make_picture(system, member)
    await (await member.slash("privacy export")).response()
    await none_left(system, exports)
    (file,) = [
        file
        for message in member.sees()
        for file in message.attachments.values()
        if file.filename.endswith("-part-1.zip")
    ]
    assert document(zipfile.ZipFile(io.BytesIO(file.data)), "jobs.json")[0]["prompt"] == PROMPT


@pytest.mark.parametrize(("when", "sent"), [("before", 0), ("after", 1)])
async def test_export_is_sent_once_by_a_bot_killed_meanwhile(
    system: SystemHarness, when: Literal["before", "after"], sent: int
) -> None:
    member = system.discord.actor("member")
    await make_picture(system, member)
    gate = system.discord.faults.hold("POST", r"/channels/\d+/messages$", when=when)
    await (await member.slash("privacy export")).response()
    await gate.wait_held()
    killed = await read(system, lambda connection: connection.execute(select(workers.c.id)).scalar_one())
    await system.stop_bot(SIGKILL)
    assert len(archives(system, member)) == sent
    await system.start_bot()
    system.clock.advance(seconds=120)  # on PostgreSQL the killed bot holds the export until its lease ends
    await nothing_of(system, select(workers.c.id).where(workers.c.id == killed))
    system.clock.advance(seconds=120)
    await none_left(system, exports)
    gate.release()
    ((_, archive),) = archives(system, member)
    assert document(archive, "jobs.json")[0]["prompt"] == PROMPT


async def erase(member: Actor) -> str:
    """Delete everything about a member, and return the question's words."""
    question = await (await member.slash("privacy delete")).response()
    asked = words(question)
    pressed = await member.click(question, label="Delete everything")
    await pressed.wait_until(lambda message: "being deleted" in words(message) or "is deleted" in words(message))
    return asked


def places_of(system: SystemHarness, secrets: tuple[str, ...]) -> Iterator[str]:
    """Yield the files of the bot's data with one of these texts."""
    for file in (system.folder / "data").rglob("*"):
        if file.is_file() and any(secret.encode() in file.read_bytes().lower() for secret in secrets):
            yield str(file.relative_to(system.folder))


async def tables_with(system: SystemHarness, secrets: tuple[str, ...]) -> list[str]:
    """Return the tables with one of these texts."""

    def search(connection: Connection) -> list[str]:
        found = []
        for table in metadata.tables:
            everything = repr(connection.execute(text(f'SELECT * FROM "{table}"')).all())  # noqa: S608 - our tables
            found += [table] if any(secret in everything.lower() for secret in secrets) else []
        return found

    found: list[str] = await read(system, search)
    return found


async def test_delete_leaves_neither_id_nor_words_in_any_table_or_file(system: SystemHarness) -> None:
    member = system.discord.actor("member")
    card = await make_picture(system, member)
    edited = await member.slash("edit", prompt=PROMPT, image=png(drawn()))
    await edited.response()
    await system.reve2img.wait_for(lambda: any(not job.terminal for job in system.reve2img.jobs))
    system.reve2img.finish()
    second = await edited.wait_until(has_images)
    await (await member.slash("settings set", ask_over=70)).response()
    preset = {"name": "Noir", "prompt": f"{PROMPT}, {{prompt}}"}
    await (await member.slash("preset save", options=preset)).response()
    searched = await member.slash("history", search="Zanzibar")
    await searched.wait_until(lambda message: "Your pictures" in words(message))
    secrets = (member.user.id, "zanzibar")
    assert {"jobs", "presets", "preferences", "accounts"} <= set(await tables_with(system, secrets))
    asked = await erase(member)
    assert "**Goes:** 2 jobs with their prompts and messages · 2 pictures · 1 preset · settings" in asked
    await none_left(system, deletions)
    assert {card.id, second.id}.isdisjoint(message.id for message in member.sees())
    assert await tables_with(system, secrets) == []
    assert await system.stop_bot() == 0
    assert list(places_of(system, secrets)) == []
    await system.start_bot()


async def balance(member: Actor) -> str:
    """Return the first line of a member's balance."""
    return words(await (await member.slash("credits balance")).response()).splitlines()[0]


async def test_returning_member_has_what_was_left_and_no_refill(system: SystemHarness) -> None:
    member = system.discord.actor("member")
    await make_picture(system, member)
    assert "188 credits" in await balance(member)
    await erase(member)
    await none_left(system, deletions)
    assert "188 credits" in await balance(member)
    await make_picture(system, member)
    assert "176 credits" in await balance(member)
    kept = await read(system, lambda connection: connection.execute(select(accounts.c.member_id)).scalars().all())
    assert kept == [int(member.user.id)]
    assert "Nothing here yet" not in words(await (await member.slash("history")).response())


async def test_running_job_is_cancelled_before_the_deletion(system: SystemHarness) -> None:
    member = system.discord.actor("member")
    await (await member.slash("imagine", prompt=PROMPT)).response()
    await system.skillboss.wait_for(lambda: any(not job.terminal for job in system.skillboss.jobs))
    await erase(member)
    refused = await (await member.slash("imagine", prompt="another one")).response()
    assert "Everything about you is being deleted, so nothing new can be made now." in words(refused)
    system.skillboss.finish()
    await nothing_of(system, select(jobs.c.id).where(jobs.c.delivered_at.is_(None)))
    system.clock.advance(seconds=20)  # the deletion looks again after 15
    await none_left(system, deletions)
    assert await tables_with(system, (member.user.id, "zanzibar")) == []


async def test_deletion_is_finished_by_the_next_process_after_a_kill(system: SystemHarness) -> None:
    member = system.discord.actor("member")
    card = await make_picture(system, member)
    gate = system.discord.faults.hold("DELETE", r"/messages/", when="before")
    await erase(member)
    await gate.wait_held()
    await system.stop_bot(SIGKILL)
    assert card.id in {message.id for message in member.sees()}
    await system.start_bot()
    await none_left(system, deletions)
    assert card.id not in {message.id for message in member.sees()}
    assert await tables_with(system, (member.user.id, "zanzibar")) == []


async def run_command(system: SystemHarness, *arguments: str) -> str:
    """Return the output of a command that succeeds."""
    code, output = await system.command(*arguments)
    assert code == 0, output
    return output


async def test_member_deleted_since_the_backup_is_deleted_again_after_its_restore(system: SystemHarness) -> None:
    member, copy = system.discord.actor("member"), str(system.folder / "copy.zip")
    await make_picture(system, member)
    secrets = (member.user.id, "zanzibar")
    await run_command(system, "backup", copy, "--pictures")
    await erase(member)
    await none_left(system, deletions)
    await system.stop_bot()
    said = await run_command(system, "restore", copy, "--force")
    assert "1 deletion by members since then: the next start carries out again what is in the backup." in said
    assert "jobs" in await tables_with(system, secrets)
    await system.start_bot()
    await none_left(system, deletions)
    assert await tables_with(system, secrets) == []
