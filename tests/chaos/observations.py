"""What the database, the providers, Discord and the bot's log say after a round; it is judged elsewhere."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from bot.domain.jobs import LIVE
from bot.domain.jobs import State as Live
from db.audit import audit
from db.database import Database
from db.tables import accounts, attempts, jobs, pictures
from sandbox.discord import Invocation, Message, buttons, media, text
from sandbox.providers import State, read_mark
from tests.chaos.scenario import Order
from tests.end_to_end.system_harness import REVE2IMG_KEY, SKILLBOSS_KEY, TOKEN, SystemHarness


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """An order that was placed; `reached` tells whether a bot was connected then."""

    order: Order
    invocation: Invocation
    reached: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """An attempt as the database has it."""

    provider: str
    outcome: str
    hooked: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Booked:
    """A job as the database has it. `positions` are those of its pictures."""

    id: str
    interaction_id: int
    prompt: str
    state: str
    price: int
    charged: int | None
    delivered: bool
    delivery: str | None = None
    fault: str | None = None
    attempts: tuple[Sent, ...] = ()
    positions: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """A submit that a provider accepted, and whether its account was billed."""

    provider: str
    state: State
    billed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A message of the bot's. `marks` are read from the pictures that it shows; `attached` counts its files."""

    text: str
    marks: tuple[int, ...] = ()
    attached: int = 0
    ephemeral: bool = False
    deleted: bool = False
    cancellable: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """All that is known of one order; `direct` are the direct messages about it."""

    order: Order
    interaction_id: int
    booked: tuple[Booked, ...]
    accepted: tuple[Accepted, ...]
    card: Card | None = None
    direct: tuple[Card, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """All that is known of a round.

    `hoping` are the credits of all jobs that wait for word of a submit that no provider took, until they are given up.
    `strays` are messages that answer no order; `secrets` and `stacks` are what the log tells.
    """

    cases: tuple[Case, ...]
    problems: tuple[str, ...] = ()
    held: int = 0
    hoping: int = 0
    lowest: int = 0
    unknown_jobs: int = 0
    strays: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    stacks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Books:
    booked: tuple[Booked, ...]
    problems: tuple[str, ...]
    held: int
    lowest: int


def hopes_for_a_webhook(job: Booked, *, accepted: bool) -> bool:
    """Tell whether a job waits for word of a submit that no provider took: it will be given up, in its time."""
    return job.state == Live.UNKNOWN and bool(job.attempts) and job.attempts[-1].hooked and not accepted


class Witness:
    """Sees what a round leaves behind: from `begin` on, and asked by `testify`."""

    def __init__(self, house: SystemHarness) -> None:
        self._house = house
        self._log_from = 0
        self._earlier: set[str] = set()
        self._orders: set[int] = set()

    def begin(self) -> None:
        """Begin a round: what was there before is not its doing."""
        log = self._house.folder / "bot.log"
        self._log_from = log.stat().st_size if log.exists() else 0
        self._earlier = {message.id for message in self._messages()}

    @asynccontextmanager
    async def looking(self) -> AsyncIterator[Callable[[], Awaitable[bool]]]:
        """Give what tells whether the database has a job that has not ended or was not delivered, but will be."""
        database = await Database.open(self._house.database_url)
        try:

            async def unfinished() -> bool:
                waiting = await database.read(_unfinished)
                return any(state != Live.UNKNOWN or self._accepted(prompt) for prompt, state in waiting)

            yield unfinished
        finally:
            await database.close()

    async def testify(self, placed: list[Placed]) -> Evidence:
        """Return everything that is known of these orders."""
        database = await Database.open(self._house.database_url)
        try:
            ledger = await database.read(_books)
        finally:
            await database.close()
        cases = tuple([await self._case(each, ledger) for each in placed])
        self._orders |= {case.interaction_id for case in cases}
        log = self._log()
        return Evidence(
            cases=cases,
            problems=ledger.problems,
            held=ledger.held,
            hoping=sum(
                job.price
                for job in ledger.booked
                if hopes_for_a_webhook(job, accepted=bool(self._accepted(job.prompt)))
            ),
            lowest=ledger.lowest,
            unknown_jobs=sum(each.interaction_id not in self._orders for each in ledger.booked),
            strays=tuple(self._strays(placed)),
            secrets=tuple(sorted(name for name, secret in self._secrets(placed) if secret in log)),
            stacks=tuple(_stack(line) for line in log.splitlines() if "Traceback" in line),
        )

    async def _case(self, placed: Placed, ledger: _Books) -> Case:
        interaction = placed.invocation.interaction
        original = placed.invocation.message
        number = int(interaction.id)
        return Case(
            order=placed.order,
            interaction_id=number,
            booked=tuple(each for each in ledger.booked if each.interaction_id == number),
            accepted=tuple(self._accepted(placed.order.prompt)),
            card=None if original is None else await asyncio.to_thread(_card, original),
            direct=tuple([await asyncio.to_thread(_card, each) for each in self._direct(placed)]),
        )

    def _accepted(self, prompt: str) -> list[Accepted]:
        found = []
        for name, server in (("skillboss", self._house.skillboss), ("reve2img", self._house.reve2img)):
            billed = {charge.job_id for charge in server.billed}
            found += [
                Accepted(provider=name, state=job.state, billed=job.id in billed)
                for job in server.jobs
                if job.order.prompt == prompt
            ]
        return found

    def _messages(self) -> list[Message]:
        world = self._house.discord.world
        return [
            message
            for channel in world.channels.values()
            for message in channel.messages.values()
            if message.author_id == world.bot.id
        ]

    def _new_messages(self) -> list[Message]:
        return [each for each in self._messages() if each.id not in self._earlier]

    def _direct(self, placed: Placed) -> list[Message]:
        """Return the direct messages to the order's member that are about it."""
        channel = self._house.discord.world.direct_message(placed.invocation.interaction.user.id)
        return [
            each for each in self._new_messages() if each.channel_id == channel.id and placed.order.mark in text(each)
        ]

    def _strays(self, placed: list[Placed]) -> list[str]:
        known = {each.invocation.message.id for each in placed if each.invocation.message is not None}
        known |= {message.id for each in placed for message in self._direct(each)}
        return [text(each) for each in self._new_messages() if each.id not in known and not each.ephemeral]

    def _log(self) -> str:
        with (self._house.folder / "bot.log").open("rb") as file:
            file.seek(self._log_from)
            return file.read().decode(errors="replace")

    def _secrets(self, placed: list[Placed]) -> list[tuple[str, str]]:
        return [
            ("the bot's token", TOKEN),
            ("a provider's key", SKILLBOSS_KEY),
            ("a provider's key", REVE2IMG_KEY),
            *(("a prompt", each.order.prompt) for each in placed),
            *(("a prompt's end", each.order.mark) for each in placed),
            *(("an interaction's token", each.invocation.interaction.token) for each in placed),
        ]


def _stack(line: str) -> str:
    """Return what a logged stack is about: the event, and the end of the last exception."""
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


def _books(connection: Connection) -> _Books:
    return _Books(
        booked=tuple(_booked(connection)),
        problems=tuple(audit(connection)),
        held=connection.execute(select(func.coalesce(func.sum(accounts.c.held), 0))).scalar_one(),
        lowest=min(
            (value for row in connection.execute(select(accounts.c.allowance, accounts.c.granted)) for value in row),
            default=0,
        ),
    )


def _booked(connection: Connection) -> list[Booked]:
    of_attempts = {
        job_id: tuple(
            Sent(provider=row.provider, outcome=row.outcome, hooked=row.webhook_hash is not None) for row in rows
        )
        for job_id, rows in itertools.groupby(
            connection.execute(select(attempts).order_by(attempts.c.job_id, attempts.c.number)),
            key=lambda row: str(row.job_id),
        )
    }
    of_pictures = {
        job_id: tuple(row.position for row in rows)
        for job_id, rows in itertools.groupby(
            connection.execute(select(pictures).order_by(pictures.c.job_id, pictures.c.position)),
            key=lambda row: str(row.job_id),
        )
    }
    return [
        Booked(
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
            positions=of_pictures.get(row.id, ()),
        )
        for row in connection.execute(select(jobs))
    ]
