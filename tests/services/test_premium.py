"""Purchases as credits: grants, allowances, refunds, ends."""

import asyncio
from collections.abc import AsyncIterator, Collection
from dataclasses import replace
from datetime import timedelta
from typing import Any

import discord
import pytest
from sqlalchemy import Connection, delete, select

from bot.domain.allowances import AllowanceEntry, AllowanceSource, PeriodKind
from bot.domain.bans import Ban, BanScope
from bot.domain.credits import Account, MovementKind
from bot.domain.errors import InsufficientCreditsError
from bot.domain.jobs import Job
from bot.domain.premium import Benefit, Entitlement, PremiumPlan, Sku, SkuKind
from bot.domain.pseudonyms import pseudonym_of
from bot.engine.ledger import Ledger
from bot.engine.member_identity import MemberIdentity
from bot.services.access import AccessService
from bot.services.premium import PremiumService
from bot.services.premium_sync import PremiumSync
from bot.ui.delivery.premium_store import DiscordPremiumStore
from db.allowances import AllowanceRepository
from db.audit import audit
from db.bans import BanRepository
from db.database import Database
from db.deletions import DeletionRepository
from db.member_records import MemberRecords
from db.tables import audit_log, entitlements, movements
from tests.support.clock import START, ManualClock
from tests.support.factories import GUILD, MEMBER, make_context, make_id, make_job, make_request
from tests.support.ledger import end, hold, make_ledger

PACK, PLUS, SERVER_PLUS = 11, 12, 13
OTHER_GUILD, FRIEND = GUILD + 1, MEMBER + 1
BENEFITS = {
    PACK: Benefit(amount=50),
    PLUS: Benefit(amount=3600, period=PeriodKind.MONTH),
    SERVER_PLUS: Benefit(amount=36, period=PeriodKind.DAY),
}
KEY = b"k" * 32
A_PACK = Entitlement(id=1001, sku_id=PACK, user_id=MEMBER)
A_PLUS = Entitlement(id=1002, sku_id=PLUS, user_id=MEMBER)
A_SERVER_PLUS = Entitlement(id=1003, sku_id=SERVER_PLUS, user_id=MEMBER, guild_id=GUILD)


class Studio:
    """The service and the ledger of one process."""

    def __init__(self, database: Database, **changes: Any) -> None:
        plan = PremiumPlan(**{"benefits": BENEFITS, **changes})
        self.clock = ManualClock()
        self.database = database
        self.identity = identity = MemberIdentity(
            pseudonym_of=lambda member: pseudonym_of(member, KEY), now=self.clock.now
        )
        self.ledger: Ledger = make_ledger(allowance=12, premium=plan, identity=identity)
        self.premium = PremiumService(
            database=database,
            ledger=self.ledger,
            access=AccessService(database=database, admitted=frozenset({GUILD, OTHER_GUILD}), now=self.clock.now),
            plan=plan,
            clock=self.clock,
            new_id=make_id,
        )

    async def use(self, *bought: Entitlement, guild: int = GUILD, member: int = MEMBER) -> None:
        """Send a command of a member with entitlements."""
        await self.premium.use(guild, member, bought)

    async def account(self, guild: int = GUILD, member: int = MEMBER, roles: Collection[int] = ()) -> Account:
        """Return an account as it is now."""
        now = self.clock.now()
        return await self.database.read(lambda each: self.ledger.available(each, guild, member, now, roles))

    async def left(self, guild: int = GUILD, member: int = MEMBER) -> int | None:
        """Return the credits to spend."""
        return (await self.account(guild, member)).available

    async def hold(self, images: int = 1, *, guild: int = GUILD, member: int = MEMBER) -> Job:
        """Hold a job of 12 credits an image."""
        place, now = make_context(guild_id=guild, member_id=member), self.clock.now()
        job = make_job(place=place, request=make_request(images=images), created_at=now, due_at=now)
        await self.database.write(lambda each: hold(each, self.ledger, job, now))
        return job

    async def end(self, job: Job, charge: int) -> None:
        """Settle a job."""
        now = self.clock.now()
        await self.database.write(lambda each: end(each, self.ledger, job, charge, now))

    async def movements(self, *kinds: MovementKind) -> int:
        """Return the number of movements of some kinds."""
        wanted = select(movements.c.id).where(movements.c.kind.in_(kinds))
        return await self.database.read(lambda each: len(each.execute(wanted).all()))

    async def logged(self) -> list[tuple[str, dict[str, Any], str]]:
        """Return the actions of the audit log with details and reasons."""
        wanted = select(audit_log.c.action, audit_log.c.detail, audit_log.c.reason).order_by(audit_log.c.id)
        return await self.database.read(lambda each: [tuple(row) for row in each.execute(wanted)])

    async def rows(self) -> list[Any]:
        """Return the stored entitlements."""
        return await self.database.read(lambda each: list(each.execute(select(entitlements)).all()))


@pytest.fixture
async def studio(database: Database) -> AsyncIterator[Studio]:
    """Yield a selling studio; its ledger balances at the end."""
    studio = Studio(database)
    yield studio
    assert await database.read(audit) == []


async def test_pack_counts_once_in_the_server_of_its_first_use(studio: Studio, other: Database) -> None:
    second = Studio(other)
    await asyncio.gather(
        *(
            each.use(A_PACK, guild=guild)
            for each in (studio, second)
            for guild in (GUILD, OTHER_GUILD)
            for _ in range(3)
        )
    )
    found = sorted([await studio.left(GUILD), await studio.left(OTHER_GUILD)], key=str)
    assert found == [12, 62]
    assert await studio.movements(MovementKind.PURCHASE) == 1
    assert [action for action, *_ in await studio.logged()] == ["premium.grant"]
    assert studio.premium.consumable.is_set() or second.premium.consumable.is_set()


async def test_audit_finds_a_pack_without_its_purchase(database: Database) -> None:
    studio = Studio(database)
    await studio.use(A_PACK)
    await database.write(lambda each: each.execute(delete(entitlements)))
    (found,) = await database.read(audit)
    assert found.endswith("the ledger has +50 credits of purchases beyond those that were bought")


async def test_pack_of_a_server_or_somebody_else_gives_nothing(studio: Studio) -> None:
    await studio.use(A_PACK, member=FRIEND)
    await studio.use(replace(A_PACK, guild_id=OTHER_GUILD))
    await studio.use(replace(A_PACK, is_consumed=True))
    await studio.use(A_PACK, guild=GUILD + 9)
    assert await studio.rows() == []
    await studio.use(A_PACK)
    assert await studio.left() == 62


async def test_refund_takes_back_what_is_left_once(studio: Studio) -> None:
    await studio.use(A_PACK)
    await studio.end(await studio.hold(images=3), 36)
    assert await studio.left() == 26
    refunded = replace(A_PACK, is_deleted=True)
    for _ in range(2):
        await studio.premium.note(refunded)
    await studio.use(A_PACK)
    assert await studio.left() == 0
    assert await studio.movements(MovementKind.REFUND) == 1
    action, detail, _ = (await studio.logged())[-1]
    assert (action, detail) == ("premium.refund", {"purchase": "1001", "asked": 50, "amount": 26, "held": 0})


async def test_refund_during_a_job_takes_what_comes_back_later(studio: Studio) -> None:
    await studio.use(A_PACK)
    failing, working = await studio.hold(images=3), await studio.hold(images=2)
    await studio.premium.note(replace(A_PACK, is_deleted=True))
    account = await studio.account()
    assert (account.available, account.held) == (0, 60)
    # A later grant has nothing to do with it.
    await studio.database.write(
        lambda each: studio.ledger.grant(
            each, guild_id=GUILD, member_id=MEMBER, amount=30, actor=1, reason="", now=studio.clock.now()
        )
    )
    studio.clock.advance(1)
    later = await studio.hold()
    await studio.end(later, 0)
    assert (await studio.account()).granted == 30
    await studio.end(working, 24)
    await studio.end(failing, 0)
    account = await studio.account()
    assert (account.granted, account.allowance, account.held) == (30, 12, 0)
    (row,) = await studio.rows()
    assert row.to_take_back == 0


async def test_refund_before_any_use_stays_a_refund(studio: Studio) -> None:
    """Events of different processes come in any order."""
    for bought in (A_PACK, A_PLUS):
        await studio.premium.note(replace(bought, is_deleted=True))
        await studio.premium.note(bought)
        await studio.use(bought)
    assert await studio.left() == 12
    assert await studio.logged() == []


async def test_subscription_begins_with_all_of_its_credits(studio: Studio) -> None:
    await studio.end(await studio.hold(), 12)
    assert await studio.left() == 0
    await studio.premium.note(A_PLUS)
    assert await studio.left() == 3600
    await studio.hold()
    assert await studio.left() == 3588
    terms = await studio.database.read(lambda each: studio.ledger.terms(each, GUILD, MEMBER, studio.clock.now(), ()))
    assert terms.allowance.source is AllowanceSource.PREMIUM
    assert [action for action, *_ in await studio.logged()] == ["premium.begin"]


async def test_job_of_before_the_subscription_gives_nothing_back_twice(studio: Studio) -> None:
    before = await studio.hold()
    await studio.premium.note(A_PLUS)
    await studio.hold()
    await studio.end(before, 0)
    assert await studio.left() == 3588


async def test_subscription_ends_by_the_clock_without_an_event(studio: Studio) -> None:
    await studio.premium.note(A_PLUS)
    await studio.premium.note(replace(A_PLUS, ends_at=START + timedelta(hours=2)))
    await studio.end(await studio.hold(), 12)
    studio.clock.advance(7199)
    assert await studio.left() == 3588
    studio.clock.advance(1)
    # What was spent today stays spent.
    assert await studio.left() == 0
    with pytest.raises(InsufficientCreditsError):
        await studio.hold()
    studio.clock.advance(86400)
    assert await studio.left() == 12


async def test_refunded_subscription_ends_at_once(studio: Studio) -> None:
    await studio.premium.note(A_PLUS)
    job = await studio.hold(images=2)
    await studio.premium.note(replace(A_PLUS, is_deleted=True))
    await studio.premium.note(A_PLUS)
    assert await studio.left() == 0
    await studio.end(job, 0)
    assert await studio.left() == 12


async def test_subscription_is_used_in_one_server_a_month(studio: Studio, other: Database) -> None:
    """Two commands at one instant in two servers."""
    await studio.premium.note(A_PLUS)
    second = Studio(other)
    held = await asyncio.gather(studio.hold(images=2), second.hold(images=2, guild=OTHER_GUILD), return_exceptions=True)
    assert sum(isinstance(each, Job) for each in held) == 1
    assert sum(isinstance(each, InsufficientCreditsError) for each in held) == 1
    used, unused = (GUILD, OTHER_GUILD) if isinstance(held[0], Job) else (OTHER_GUILD, GUILD)
    assert (await studio.left(used), await studio.left(unused)) == (3576, 12)
    studio.clock.advance(40 * 86400)
    await studio.hold(guild=unused)
    assert (await studio.left(used), await studio.left(unused)) == (12, 3588)


async def test_subscription_of_server_is_for_each_member(studio: Studio) -> None:
    await studio.premium.note(A_SERVER_PLUS)
    await studio.hold()
    assert (await studio.left(), await studio.left(member=FRIEND)) == (24, 36)
    assert await studio.left(OTHER_GUILD) == 12
    (row,) = await studio.rows()
    assert row.member_id == 0


@pytest.mark.parametrize(
    "entry",
    [AllowanceEntry(member_id=MEMBER, amount=0), AllowanceEntry(amount=0), AllowanceEntry(member_id=MEMBER, amount=5)],
)
async def test_admins_block_and_override_beat_a_purchase(studio: Studio, entry: AllowanceEntry) -> None:
    await studio.premium.note(A_PLUS)
    await studio.premium.note(A_SERVER_PLUS)
    await studio.database.write(lambda each: AllowanceRepository(each).set(GUILD, entry))
    assert await studio.left() == entry.amount
    with pytest.raises(InsufficientCreditsError):
        await studio.hold()


async def test_test_purchases_count_only_where_they_are_taken(database: Database) -> None:
    tests = [replace(each, is_test=True) for each in (A_PACK, A_PLUS)]
    strict, lenient = Studio(database), Studio(database, takes_tests=True)
    for studio in (strict, lenient):
        await studio.use(*tests)
        await studio.premium.note(tests[1])
        assert await studio.left() == (12 if studio is strict else 3650)
    assert {reason for *_, reason in await lenient.logged()} == {"test"}
    # What was tested is no longer worth anything once tests are off.
    assert await strict.left() == 62


def erase(connection: Connection) -> None:
    """Delete a member's data."""
    deletions = DeletionRepository(connection)
    deletions.add(MEMBER, START)
    (deletion,) = deletions.list_pending()
    assert deletions.finish(deletion, pseudonym_of(MEMBER, KEY), START)


async def test_pack_of_a_deleted_member_joins_the_kept_credits(studio: Studio) -> None:
    await studio.use(A_PACK)
    await studio.database.write(erase)
    await studio.use(replace(A_PACK, id=1005))
    assert await studio.left() == 112
    assert {row.member_id for row in await studio.rows()} == {pseudonym_of(MEMBER, KEY)}
    await studio.database.write(lambda each: studio.identity.welcome(each, MEMBER))
    assert await studio.left() == 112


async def test_pack_waits_where_its_buyer_is_banned(studio: Studio) -> None:
    ban = Ban(guild_id=GUILD, member_id=MEMBER, scope=BanScope.STUDIO, at=START, actor_id=1)
    await studio.database.write(lambda each: BanRepository(each).set(ban))
    await studio.use(A_PACK)
    assert await studio.rows() == []
    await studio.use(A_PACK, guild=OTHER_GUILD)
    assert await studio.left(OTHER_GUILD) == 62


async def test_purchase_counts_between_its_beginning_and_its_end(studio: Studio) -> None:
    begin, end_at = START + timedelta(hours=1), START + timedelta(hours=2)
    bought = [replace(each, starts_at=begin, ends_at=end_at) for each in (A_PACK, A_PLUS)]
    await studio.use(*bought)
    await studio.premium.note(bought[1])
    assert (await studio.left(), await studio.rows()) == (12, [])
    studio.clock.advance(3600)
    await studio.use(bought[1])
    assert await studio.left() == 3600
    studio.clock.advance(3600)
    await studio.use(*bought)
    assert await studio.left() == 12


async def test_deleted_member_is_granted_nothing_again(studio: Studio) -> None:
    await studio.use(A_PACK, A_PLUS)
    record = await studio.database.read(lambda each: MemberRecords(each, MEMBER).about()["purchases"])
    assert [(each["purchase"], each["granted"]) for each in record] == [("1001", 50), ("1002", None)]

    await studio.database.write(erase)
    assert {row.member_id for row in await studio.rows()} == {pseudonym_of(MEMBER, KEY)}
    again = Studio(studio.database)
    await again.use(A_PACK, A_PLUS)
    await again.premium.note(replace(A_PLUS, ends_at=START + timedelta(days=3)))
    assert {row.member_id for row in await studio.rows()} == {pseudonym_of(MEMBER, KEY)}
    assert await again.movements(MovementKind.PURCHASE) == 1
    # Back again: the credits and the subscription of before count.
    await studio.database.write(lambda each: studio.identity.welcome(each, MEMBER))
    assert await again.left() == 3650


class FakeStore:
    """A store with these entitlements.

    `failing` refuses to consume; without `lists`, nothing is listed.
    """

    def __init__(self, *listed: Entitlement) -> None:
        self.listed = listed
        self.consumed: list[int] = []
        self.asked = 0
        self.tries = 0
        self.failing = False
        self.lists = True

    async def list_skus(self) -> Collection[Sku]:
        """Return the pack."""
        self.asked += 1
        if not self.lists:
            raise TimeoutError
        return [Sku(id=PACK, name="Pack", kind=SkuKind.CONSUMABLE), Sku(id=99, name="Other", kind=SkuKind.DURABLE)]

    async def list_entitlements(self, sku_ids: Collection[int]) -> AsyncIterator[Entitlement]:
        """Return the entitlements."""
        for each in self.listed:
            if each.sku_id in sku_ids:
                yield each

    async def consume(self, entitlement_id: int) -> None:
        """Record the request."""
        self.tries += 1
        if self.failing:
            raise TimeoutError
        self.consumed.append(entitlement_id)


async def test_start_catches_up_with_what_was_missed(studio: Studio) -> None:
    second = Entitlement(id=1004, sku_id=PACK, user_id=MEMBER)
    await studio.use(A_PACK, second)
    store = FakeStore(replace(A_PACK, is_deleted=True), second, A_PLUS)
    sync = PremiumSync(premium=studio.premium, store=store, clock=studio.clock)
    await sync.read()
    assert await studio.left() == 3650
    assert [sku.id for sku in studio.premium.skus] == [PACK]
    store.failing = True
    with pytest.raises(TimeoutError):
        await sync.consume()
    store.failing = False
    for _ in range(2):
        await sync.consume()
    assert store.consumed == [1004]


async def test_pack_is_consumed_while_nothing_is_listed(studio: Studio) -> None:
    await studio.use(A_PACK)
    store = FakeStore()
    store.lists = False
    await run_for(studio, store, hours=1)
    assert store.consumed == [A_PACK.id]


async def test_refused_consumption_is_repeated_ever_more_rarely(studio: Studio) -> None:
    await studio.use(A_PACK)
    store = FakeStore()
    store.failing = True
    await run_for(studio, store, hours=24)
    assert 24 <= store.tries <= 32


async def run_for(studio: Studio, store: FakeStore, *, hours: int) -> None:
    """Compare with a store for some hours."""
    task = asyncio.create_task(PremiumSync(premium=studio.premium, store=store, clock=studio.clock).run())
    try:
        end_at = studio.clock.now() + timedelta(hours=hours)
        while studio.clock.now() < end_at:
            async with asyncio.timeout(5):
                while not studio.clock.holds(task):  # noqa: ASYNC110 - the database answers from a thread
                    await asyncio.sleep(0)
            studio.clock.advance(studio.clock.next_alarm or 0)
    finally:
        task.cancel()


async def test_nothing_is_consumed_before_the_login() -> None:
    """Discord would answer 404, as for a refunded pack."""
    with pytest.raises(discord.MissingApplicationID):
        await DiscordPremiumStore(discord.Client(intents=discord.Intents.none())).consume(A_PACK.id)


async def test_nothing_is_asked_without_a_sku(database: Database) -> None:
    studio, store = Studio(database, benefits={}), FakeStore(A_PACK)
    await PremiumSync(premium=studio.premium, store=store, clock=studio.clock).run()
    await studio.use(A_PACK)
    await studio.premium.note(replace(A_PACK, is_deleted=True))
    assert (store.asked, await studio.rows(), await studio.left()) == (0, [], 12)


async def test_full_account_leaves_the_pack_for_later(studio: Studio) -> None:
    def fill(connection: Connection) -> None:
        studio.ledger.grant(
            connection, guild_id=GUILD, member_id=MEMBER, amount=999_999_990, actor=1, reason="", now=START
        )

    await studio.database.write(fill)
    await studio.use(A_PACK)
    assert await studio.rows() == []
    await studio.use(A_PACK, guild=OTHER_GUILD)
    assert await studio.left(OTHER_GUILD) == 62
