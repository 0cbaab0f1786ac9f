"""`atelier takedown`: links of posts, and single pictures of a job."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest
from sqlalchemy import Connection
from typer.testing import CliRunner, Result

from bot.command_line import app
from bot.domain.jobs import Job, State
from bot.domain.outbox import MessageKind
from bot.domain.sharing.submissions import Submission, SubmissionOptions, SubmissionState
from bot.settings import Settings
from db.database import Database
from db.migrate import migrate
from db.outbox import OutboxRepository
from db.pictures import ResultImageRepository
from db.submissions import SubmissionRepository
from tests.support.clock import START
from tests.support.factories import GUILD, MEMBER, make_context, make_id, make_image, make_job, make_request
from tests.support.ledger import adding

CARD, POST, OTHER_POST = 5, 6, 7
CHANNEL, SHOWCASE = 800, 802


@pytest.fixture(autouse=True)
def _bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Start in an empty folder, without variables and `.env`."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)


def takedown(*arguments: str) -> Result:
    """Run the command; a traceback fails the test."""
    result = CliRunner().invoke(app, ["takedown", *arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), repr(result.exception)
    return result


def link(channel: int, message: int) -> str:
    """Return the link of a message."""
    return f"https://discord.com/channels/{GUILD}/{channel}/{message}"


async def open_database() -> Database:
    """Open the database of the default settings, in the present folder."""
    return await Database.open("sqlite+aiosqlite:///data/atelier.db")


def post(connection: Connection, job: Job, positions: Sequence[int], message_id: int, kind: MessageKind) -> None:
    """Insert a submission with a message."""
    submission = Submission(
        id=make_id(),
        guild_id=GUILD,
        member_id=MEMBER,
        job_id=job.id,
        positions=tuple(positions),
        options=SubmissionOptions(),
        is_age_restricted=False,
        flags=(),
        state=SubmissionState.APPROVED,
        revision=1,
        created_at=START,
        waiting_since=START,
        at=START,
    )
    SubmissionRepository(connection).add(submission)
    outbox = OutboxRepository(connection)
    row = outbox.request(kind, submission.id, new_id=make_id(), guild_id=GUILD, at=START)
    outbox.set_message(row, SHOWCASE, message_id, "")


@pytest.fixture
def job(tmp_path: Path) -> Job:
    """Return a job with four pictures, three of them in the showcase."""
    (tmp_path / "data").mkdir()
    made = make_job(
        place=make_context(channel_id=CHANNEL, message_id=CARD),
        request=make_request(images=4),
        state=State.DONE,
        finished_at=START,
        delivered_at=START,
        charged=48,
    )

    def write(connection: Connection) -> None:
        pictures = [make_image(made, position=at) for at in range(4)]
        ResultImageRepository(connection).add_all(pictures, START)
        post(connection, made, [0, 2], POST, MessageKind.SHOWCASE)
        post(connection, made, [3], OTHER_POST, MessageKind.REVIEW)

    async def fill() -> None:
        database = await open_database()
        await migrate(database)
        await database.write(adding(made))
        await database.write(write)
        await database.close()

    asyncio.run(fill())
    return made


def kept(job: Job) -> list[int]:
    """Return the positions of the kept pictures."""

    async def read() -> list[int]:
        database = await open_database()
        found = await database.read(lambda connection: ResultImageRepository(connection).list_for(job.id))
        await database.close()
        return [each.position for each in found]

    return asyncio.run(read())


def test_link_of_a_post_takes_its_pictures_down(job: Job) -> None:
    shown = takedown(link(SHOWCASE, POST), "--dry-run")
    assert (shown.exit_code, kept(job)) == (0, [0, 1, 2, 3])
    assert "Refused everywhere from then on: 2 pictures." in shown.output
    assert "1 job more without the picture: the others stay." in shown.output
    done = takedown(link(SHOWCASE, POST), "--yes", "--reason", "a letter")
    assert done.exit_code == 0
    assert kept(job) == [1, 3]
    assert "a letter" in takedown("list").output


def test_link_of_a_card_names_all_pictures(job: Job) -> None:
    shown = takedown(link(CHANNEL, CARD), "--dry-run")
    assert "Refused everywhere from then on: 4 pictures." in shown.output
    assert "1 job with all pictures and messages." in shown.output
    assert job.id in shown.output


def test_link_of_another_message_names_nothing(job: Job) -> None:
    """The moderators' card of a submission is no post."""
    for message_id in (OTHER_POST, 99):
        refused = takedown(link(SHOWCASE, message_id), "--yes")
        assert refused.exit_code == 1
        assert "No job's card or post is at this link." in refused.output
    assert kept(job) == [0, 1, 2, 3]


def test_single_pictures_of_a_job_are_taken_down(job: Job) -> None:
    done = takedown(job.id, "--picture", "2", "--picture", "4", "--yes")
    assert done.exit_code == 0
    assert "1 job named by you" in done.output
    assert kept(job) == [0, 2]
    assert takedown(link(SHOWCASE, POST), "--picture", "1", "--yes").exit_code == 0
    assert kept(job) == [2]


def test_wrong_picture_is_refused(job: Job) -> None:
    for what, numbers, said in (
        (job.id, ["0"], "--picture counts from 1."),
        (job.id, ["5"], "The job has no such picture."),
        (job.id, ["1", "5"], "The job has no such picture."),
        ("a" * 64, ["1"], "a file or a hash is one picture"),
    ):
        refused = takedown(what, *(word for each in numbers for word in ("--picture", each)), "--yes")
        assert refused.exit_code == 1
        assert said in refused.output
    assert kept(job) == [0, 1, 2, 3]


def test_lifted_takedown_is_named_in_the_list(job: Job) -> None:
    done = takedown(job.id, "--picture", "1", "--yes")
    code = done.output.partition("Receipt ")[2][:9]
    assert takedown("lift", code.lower()).exit_code == 0
    assert f"{code} " in takedown("list").output
    assert ", lifted " in takedown("list").output
    again = takedown("lift", code)
    assert again.exit_code == 1
    assert "No takedown in force has the code" in again.output
    assert kept(job) == [1, 2, 3]


def test_file_out_of_reach_is_named(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """The picture itself is removed: nobody sees it any more."""
    monkeypatch.setenv("PICTURE_STORE_URL", "s3://bucket")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "id")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "key")
    done = takedown(job.id, "--picture", "2", "--yes")
    assert done.exit_code == 0
    assert "The pictures are removed. The same picture is refused from now on." in done.output
    assert "1 file not deleted: the picture store failed. A running bot tries again." in done.output
    assert kept(job) == [0, 2, 3]
