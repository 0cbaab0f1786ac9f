"""Reads database, providers, Discord and the bot's log after a round."""

import asyncio
import itertools
import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from sqlalchemy import Connection, func, select

from bot.domain.jobs import LIVE
from bot.domain.jobs import State as JobState
from db.audit import audit
from db.database import Database
from db.tables import accounts, attempts, jobs, pictures, risks
from sandbox.discord import Invocation, Message, buttons, media, text
from sandbox.providers import ComfyServer, ImageApiServer, Job, State, read_mark
from tests.chaos.scenario import PlannedRequest
from tests.chaos.studios import KEY, Studio, digests
from tests.end_to_end.system_harness import REVE2IMG_KEY, SKILLBOSS_KEY, TOKEN, SystemHarness


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedRequest:
    """A request sent to Discord.

    `reached` is whether a bot was connected then.
    """

    planned: PlannedRequest
    invocation: Invocation
    reached: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptRecord:
    """An attempt in the database."""

    provider: str
    outcome: str
    has_webhook: bool = False
    part: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRecord:
    """A job in the database.

    `positions` are those of its images, `digests` their SHA-256. `at_risk` is the operator's possible cost.
    """

    id: str
    interaction_id: int
    prompt: str
    state: str
    price: int
    charged: int | None
    delivered: bool
    delivery: str | None = None
    fault: str | None = None
    attempts: tuple[AttemptRecord, ...] = ()
    positions: tuple[int, ...] = ()
    digests: tuple[str, ...] = ()
    at_risk: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptedSubmit:
    """A submit accepted by a provider; `billed` is whether it was charged.

    `digests` are the SHA-256 of its pictures; empty if the bot changes them.
    """

    provider: str
    state: State
    billed: bool
    images: int = 1
    is_free: bool = False
    digests: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A message of the bot.

    `marks` identify its images, `attached` counts files.
    """

    text: str
    marks: tuple[int, ...] = ()
    attached: int = 0
    ephemeral: bool = False
    deleted: bool = False
    cancellable: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestRecord:
    """All observations of one request; `direct` are its direct messages."""

    planned: PlannedRequest
    interaction_id: int
    jobs: tuple[JobRecord, ...]
    accepted: tuple[AcceptedSubmit, ...]
    card: Card | None = None
    direct: tuple[Card, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Observations:
    """All observations of a round.

    `awaiting_webhook` sums the prices of jobs that wait for a webhook although no provider accepted them: they will be
    given up. `stray_messages` answer no request. `secrets` and `stacks` were found in the log.
    `kept_files` are files of answers left over although nothing killed the bot.
    """

    records: tuple[RequestRecord, ...]
    problems: tuple[str, ...] = ()
    held: int = 0
    awaiting_webhook: int = 0
    lowest: int = 0
    unknown_jobs: int = 0
    stray_messages: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    stacks: tuple[str, ...] = ()
    kept_files: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class _DatabaseState:
    jobs: tuple[JobRecord, ...]
    problems: tuple[str, ...]
    held: int
    lowest: int


def awaits_news(job: JobRecord, *, accepted: bool) -> bool:
    """Return whether a job waits for news of a call that nobody took.

    A webhook may come, or fal's history may name it later.
    """
    if job.state != JobState.UNKNOWN or not job.attempts or accepted:
        return False
    return job.attempts[-1].has_webhook or job.attempts[-1].provider == "fal"


class RoundObserver:
    """Collects the observations of a round between `begin` and `collect`."""

    def __init__(
        self, system: SystemHarness, servers: Mapping[str, ImageApiServer] | None = None, studio: Studio | None = None
    ) -> None:
        self._system = system
        self._servers = servers or {"skillboss": system.skillboss, "reve2img": system.reve2img}
        self._studio = studio
        self._log_from = 0
        self._earlier: set[str] = set()
        self._orders: set[int] = set()

    def begin(self) -> None:
        """Begin a round; ignore all earlier messages and log lines."""
        log = self._system.folder / "bot.log"
        self._log_from = log.stat().st_size if log.exists() else 0
        self._earlier = {message.id for message in self._messages()}

    @asynccontextmanager
    async def watch_unfinished(self) -> AsyncIterator[Callable[[], Awaitable[bool]]]:
        """Yield a check for unfinished or undelivered jobs."""
        database = await Database.open(self._system.database_url)
        try:

            async def unfinished() -> bool:
                waiting = await database.read(_unfinished)
                return any(state != JobState.UNKNOWN or self._accepted(prompt) for prompt, state in waiting)

            yield unfinished
        finally:
            await database.close()

    async def collect(self, placed: list[PlacedRequest]) -> Observations:
        """Return the observations of these requests."""
        database = await Database.open(self._system.database_url)
        try:
            state = await database.read(_database_state)
        finally:
            await database.close()
        records = tuple([await self._record(each, state) for each in placed])
        self._orders |= {record.interaction_id for record in records}
        log = self._log()
        return Observations(
            records=records,
            problems=state.problems,
            held=state.held,
            awaiting_webhook=sum(
                job.price for job in state.jobs if awaits_news(job, accepted=bool(self._accepted(job.prompt)))
            ),
            lowest=state.lowest,
            unknown_jobs=sum(each.interaction_id not in self._orders for each in state.jobs),
            stray_messages=tuple(self._stray_messages(placed)),
            secrets=tuple(sorted(name for name, secret in self._secrets(placed) if secret in log)),
            stacks=tuple(_stack_summary(line) for line in log.splitlines() if "Traceback" in line),
        )

    async def _record(self, placed: PlacedRequest, state: _DatabaseState) -> RequestRecord:
        interaction = placed.invocation.interaction
        original = placed.invocation.message
        number = int(interaction.id)
        return RequestRecord(
            planned=placed.planned,
            interaction_id=number,
            jobs=tuple(each for each in state.jobs if each.interaction_id == number),
            accepted=await self._with_digests(placed.planned.prompt),
            card=None if original is None else await asyncio.to_thread(_card, original),
            direct=tuple([await asyncio.to_thread(_card, each) for each in self._direct(placed)]),
        )

    def _accepted(self, prompt: str) -> list[AcceptedSubmit]:
        return [
            AcceptedSubmit(
                provider=name,
                state=job.state,
                billed=_is_billed(self._servers[name], job),
                images=job.request.images,
                is_free=self._studio is not None and self._studio.is_free,
            )
            for name, job in self._jobs(prompt)
        ]

    async def _with_digests(self, prompt: str) -> tuple[AcceptedSubmit, ...]:
        """Return the accepted submits, with the pictures of a studio's rounds."""
        accepted = self._accepted(prompt)
        if self._studio is None or not self._studio.keeps_bytes:
            return tuple(accepted)
        pairs = zip(accepted, self._jobs(prompt), strict=True)
        return tuple([replace(each, digests=await digests(self._servers[name], job)) for each, (name, job) in pairs])

    def _jobs(self, prompt: str) -> list[tuple[str, Job]]:
        return [
            (name, job) for name, server in self._servers.items() for job in server.jobs if job.request.prompt == prompt
        ]

    def _messages(self) -> list[Message]:
        world = self._system.discord.world
        return [
            message
            for channel in world.channels.values()
            for message in channel.messages.values()
            if message.author_id == world.bot.id
        ]

    def _new_messages(self) -> list[Message]:
        return [each for each in self._messages() if each.id not in self._earlier]

    def _direct(self, placed: PlacedRequest) -> list[Message]:
        """Return the direct messages about the request."""
        channel = self._system.discord.world.direct_message(placed.invocation.interaction.user.id)
        return [
            each for each in self._new_messages() if each.channel_id == channel.id and placed.planned.mark in text(each)
        ]

    def _stray_messages(self, placed: list[PlacedRequest]) -> list[str]:
        known = {each.invocation.message.id for each in placed if each.invocation.message is not None}
        known |= {message.id for each in placed for message in self._direct(each)}
        return [text(each) for each in self._new_messages() if each.id not in known and not each.ephemeral]

    def _log(self) -> str:
        with (self._system.folder / "bot.log").open("rb") as file:
            file.seek(self._log_from)
            return file.read().decode(errors="replace")

    def _secrets(self, placed: list[PlacedRequest]) -> list[tuple[str, str]]:
        return [
            ("the bot's token", TOKEN),
            ("a provider's key", SKILLBOSS_KEY),
            ("a provider's key", REVE2IMG_KEY),
            ("a provider's key", KEY),
            *(("a prompt", each.planned.prompt) for each in placed),
            *(("a prompt's end", each.planned.mark) for each in placed),
            *(("an interaction's token", each.invocation.interaction.token) for each in placed),
        ]


def _is_billed(server: ImageApiServer, job: Job) -> bool:
    """Return whether a job has a charge; a program's restart forgets it."""
    if isinstance(server, ComfyServer) and job.id not in server.prompts:
        return False
    return any(charge.job_id == job.id for charge in server.billed)


def _stack_summary(line: str) -> str:
    """Return the event and the last line of a logged exception."""
    try:
        entry = json.loads(line)
    except ValueError:
        return line
    return f"{str(entry.get('event')).splitlines()[0]}: {str(entry.get('exception')).splitlines()[-1]}"


def _card(message: Message) -> Card:
    shown = [message.attachments[each["attachment_id"]].data for each in media(message)]
    return Card(
        text=text(message),
        marks=tuple(read_mark(each) for each in shown),
        attached=len(message.attachments),
        ephemeral=message.ephemeral,
        deleted=message.deleted,
        cancellable=any(button.get("label") == "Cancel" for button in buttons(message)),
    )


def _unfinished(connection: Connection) -> list[tuple[str, str]]:
    waiting = jobs.c.state.in_(LIVE) | jobs.c.delivered_at.is_(None)
    return [(row.prompt, row.state) for row in connection.execute(select(jobs.c.prompt, jobs.c.state).where(waiting))]


def _database_state(connection: Connection) -> _DatabaseState:
    return _DatabaseState(
        jobs=tuple(_job_records(connection)),
        problems=tuple(audit(connection)),
        held=connection.execute(select(func.coalesce(func.sum(accounts.c.held), 0))).scalar_one(),
        lowest=min(
            (value for row in connection.execute(select(accounts.c.allowance, accounts.c.granted)) for value in row),
            default=0,
        ),
    )


def _job_records(connection: Connection) -> list[JobRecord]:
    of_attempts = {
        job_id: tuple(
            AttemptRecord(
                provider=row.provider, outcome=row.outcome, has_webhook=row.webhook_hash is not None, part=row.part
            )
            for row in rows
        )
        for job_id, rows in itertools.groupby(
            connection.execute(select(attempts).order_by(attempts.c.job_id, attempts.c.number)),
            key=lambda row: str(row.job_id),
        )
    }
    of_pictures = {
        job_id: tuple((row.position, row.sha256) for row in rows)
        for job_id, rows in itertools.groupby(
            connection.execute(select(pictures).order_by(pictures.c.job_id, pictures.c.position)),
            key=lambda row: str(row.job_id),
        )
    }
    at_risk: Counter[str] = Counter()
    for row in connection.execute(select(risks.c.job_id, risks.c.amount)):
        at_risk[row.job_id] += row.amount
    return [
        JobRecord(
            id=row.id,
            interaction_id=row.interaction_id,
            prompt=row.prompt,
            state=row.state,
            price=row.price,
            charged=row.charged,
            delivered=row.delivered_at is not None,
            delivery=row.delivery,
            fault=row.fault,
            attempts=of_attempts.get(row.id, ()),
            positions=tuple(position for position, _ in of_pictures.get(row.id, ())),
            digests=tuple(digest for _, digest in of_pictures.get(row.id, ())),
            at_risk=at_risk[row.id],
        )
        for row in connection.execute(select(jobs))
    ]
