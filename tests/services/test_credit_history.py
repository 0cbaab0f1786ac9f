"""Pages of a member's movements, on both kinds of database."""

from datetime import timedelta

from sqlalchemy import Connection

from bot.domain.allowances import Allowance, AllowanceSource
from bot.domain.credits import MovementKind
from bot.domain.ledger_entries import LedgerFilter
from bot.engine.ledger import Ledger
from bot.engine.member_identity import MemberIdentity
from bot.services.access import AccessService
from bot.services.credit_history import CreditHistoryService, DeletedAccount, LedgerPage
from bot.services.history import Direction
from bot.ui.render.credit_history import ledger_page
from db.database import Database
from db.deletions import DeletionRepository
from tests.support.clock import START, ManualClock
from tests.support.factories import GUILD, MEMBER
from tests.support.ledger import end, grant, hold, make_job_for, make_ledger
from tests.ui.view_reader import texts


def service_for(database: Database, ledger: Ledger) -> CreditHistoryService:
    """Return the service with every guild admitted."""
    access = AccessService(database=database, admitted="*", now=lambda: START)
    return CreditHistoryService(database=database, ledger=ledger, access=access, clock=ManualClock())


def changes(page: LedgerPage) -> list[int]:
    """Return the changes of a page's movements."""
    return [line.entry.change for line in page.lines]


async def test_pages_lead_there_and_back(database: Database) -> None:
    ledger = make_ledger()
    history = service_for(database, ledger)

    def write(connection: Connection) -> None:
        for amount in range(1, 21):
            # Several at one instant: their ids tell them apart.
            grant(connection, ledger, amount, START + timedelta(seconds=amount // 7))
        grant(connection, ledger, 99, member=MEMBER + 1)

    await database.write(write)
    first = await history.open(GUILD, MEMBER)
    assert (changes(first), first.newer, first.older) == ([20, 19, 18, 17, 16, 15, 14, 13], False, True)

    async def turn(page: LedgerPage, direction: Direction) -> LedgerPage:
        line = page.lines[-1 if direction is Direction.OLDER else 0]
        return await history.turn(GUILD, MEMBER, LedgerFilter.ALL, line.entry.id, direction)

    second = await turn(first, Direction.OLDER)
    last = await turn(second, Direction.OLDER)
    assert (changes(second), second.newer, second.older) == ([12, 11, 10, 9, 8, 7, 6, 5], True, True)
    assert (changes(last), last.newer, last.older) == ([4, 3, 2, 1], True, False)
    assert await turn(last, Direction.NEWER) == second
    assert changes(await turn(second, Direction.NEWER)) == changes(first)


async def test_history_of_a_deleted_member_says_what_still_counts(database: Database) -> None:
    identity = MemberIdentity(pseudonym_of=lambda member: -member, now=lambda: START)
    ledger = make_ledger(identity=identity)
    history = service_for(database, ledger)

    def write(connection: Connection) -> None:
        hold(connection, ledger, make_job_for(2, member=-MEMBER))
        DeletionRepository(connection).add_finished(-MEMBER, START, START)

    assert (await history.open(GUILD, MEMBER)).deleted is None
    await database.write(write)
    page = await history.open(GUILD, MEMBER, LedgerFilter.SPENT)
    assert (page.lines, page.deleted) == (
        (),
        DeletedAccount(allowance=Allowance(amount=100, source=AllowanceSource.LAST), used=24),
    )
    assert texts(ledger_page(page, own=True)) == [
        "## Your credits\nEarlier entries were deleted with your data.\n██░░░░░░░░ 24 of 100 used today"
    ]


async def test_settled_hold_is_told_once_and_possible_costs_are_hidden(database: Database) -> None:
    ledger = make_ledger()
    history = service_for(database, ledger)
    running, done, failed, lost = (make_job_for(2) for _ in range(4))

    def write(connection: Connection) -> None:
        for job in (running, done, failed, lost):
            hold(connection, ledger, job)
        end(connection, ledger, done, 12)
        end(connection, ledger, failed, 0)
        end(connection, ledger, lost, 0, at_risk=24)

    await database.write(write)
    page = await history.open(GUILD, MEMBER)
    assert [(line.entry.kind, line.entry.held, line.entry.charged) for line in page.lines] == [
        (MovementKind.RELEASE, -24, 0),
        (MovementKind.RELEASE, -24, 0),
        (MovementKind.CAPTURE, -24, 12),
        (MovementKind.HOLD, 24, 0),
        (MovementKind.ALLOWANCE, 0, 0),
    ]
    assert [line.job.id for line in page.lines if line.job] == [lost.id, failed.id, done.id, running.id]
    spent = await history.open(GUILD, MEMBER, LedgerFilter.SPENT)
    assert [line.entry.kind for line in spent.lines] == [MovementKind.CAPTURE, MovementKind.HOLD]
    received = await history.open(GUILD, MEMBER, LedgerFilter.RECEIVED)
    assert [line.entry.kind for line in received.lines] == [MovementKind.ALLOWANCE]
