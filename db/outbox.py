"""The outbox: messages about rows of the database."""

from collections.abc import Collection
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, bindparam, case, func, literal, or_, select, update

from bot.domain.outbox import MessageKind, OutboxEnd, OutboxLane, OutboxMessage
from db.dialects import insert
from db.tables import outbox_messages

_COLUMNS: Final = [column.label(column.key) for column in outbox_messages.c]
_IS_DUE: Final = outbox_messages.c.wanted > outbox_messages.c.shown
_KEY: Final = (outbox_messages.c.kind, outbox_messages.c.subject_id, outbox_messages.c.number)
_IS_POSTED: Final = outbox_messages.c.message_id.is_not(None)
# A newer version beside this one may have others.
_IS_KNOWN: Final = outbox_messages.c.kind.in_([each.value for each in MessageKind])
_LANE: Final = (outbox_messages.c.guild_id, outbox_messages.c.kind, _IS_POSTED.label("is_posted"))
# A thousand cards of one server must not keep another server's message out of the answer.
_RANKED: Final = (
    select(
        outbox_messages.c.id,
        outbox_messages.c.due_at,
        *_LANE,
        func.row_number()
        .over(
            partition_by=(outbox_messages.c.guild_id, outbox_messages.c.kind, _IS_POSTED),
            order_by=(outbox_messages.c.due_at, outbox_messages.c.id),
        )
        .label("place"),
    )
    .where(_IS_DUE, _IS_KNOWN, outbox_messages.c.due_at <= bindparam("until"))
    .subquery()
)
_DUE: Final = (
    select(_RANKED)
    .where(_RANKED.c.place <= bindparam("of_lane"))
    .order_by(_RANKED.c.place, _RANKED.c.due_at)
    .limit(bindparam("most"))
)
_LANES: Final = select(outbox_messages.c.id, *_LANE).where(
    outbox_messages.c.id.in_(bindparam("the_ids", expanding=True))
)
_BY_ID: Final = select(*_COLUMNS).where(outbox_messages.c.id == bindparam("the_id"))
_DIRECT_SINCE: Final = select(func.count(), func.max(outbox_messages.c.direct_at)).where(
    outbox_messages.c.direct_at > bindparam("since")
)


class OutboxRepository:
    """Messages of the outbox within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def request(
        self, kind: MessageKind, subject_id: str, *, new_id: str, guild_id: int, at: datetime, number: int = 0
    ) -> str:
        """Make a message due for its subject at a time; return the message's id.

        One that is due before then stays so, unless it waits after a failed try. An ended one begins again. Call it in
        the transaction that changes the subject, and wake the publisher after that.
        """
        key = {"kind": kind.value, "subject_id": subject_id, "number": number}
        values = key | {"id": new_id, "guild_id": guild_id, "wanted": 1, "shown": 0, "due_at": at, "tries": 0}
        again = {"wanted": outbox_messages.c.wanted + 1, "due_at": _due_by(at), "tries": 0, "ended": None}
        statement = insert(self._connection, outbox_messages).values(values)
        upsert = statement.on_conflict_do_update(index_elements=_KEY, set_=again)
        stored: str = self._connection.execute(upsert.returning(outbox_messages.c.id)).scalar_one()
        return stored

    def request_edit(
        self,
        kind: MessageKind,
        subject_id: str,
        *,
        new_id: str,
        guild_id: int,
        at: datetime,
        channel_id: int,
        message_id: int,
    ) -> str:
        """Make an edit of a message due, created elsewhere.

        As `request` otherwise.
        """
        stored = self.request(kind, subject_id, new_id=new_id, guild_id=guild_id, at=at)
        self._set(stored, channel_id=channel_id, message_id=message_id)
        return stored

    def postpone(
        self, kind: MessageKind, subject_id: str, *, at: datetime, old_at: datetime, old_before: int, now: datetime
    ) -> str | None:
        """Make an existing message due later; return its id, or None.

        It is due at `at`, or at `old_at` if its id on Discord is below `old_before`. One that is due already keeps
        its time.
        """
        message = self.find(kind, subject_id)
        if message is None or message.message_id is None:
            return None
        due = old_at if message.message_id < old_before else at
        values = {"wanted": outbox_messages.c.wanted + 1, "due_at": due}
        mine = outbox_messages.c.id == message.id
        is_free = or_(outbox_messages.c.claimed_until.is_(None), outbox_messages.c.claimed_until <= now)
        waits = update(outbox_messages).where(mine, _IS_DUE, is_free).values(wanted=outbox_messages.c.wanted + 1)
        if self._connection.execute(waits).rowcount != 1:
            self._connection.execute(update(outbox_messages).where(mine).values(values))
        return message.id

    def reopen(self, kind: MessageKind, guild_id: int, at: datetime) -> None:
        """Make a guild's messages of a kind due again that could not be posted."""
        closed = (outbox_messages.c.kind == kind.value) & (outbox_messages.c.ended == OutboxEnd.CLOSED.value)
        again = {"wanted": outbox_messages.c.wanted + 1, "due_at": at, "tries": 0, "ended": None}
        of_guild = outbox_messages.c.guild_id == guild_id
        self._connection.execute(update(outbox_messages).where(closed, of_guild).values(again))

    def list_closed_groups(self, kinds: Collection[MessageKind], before: datetime) -> set[tuple[int, MessageKind]]:
        """Return guilds and kinds of messages closed before a time."""
        statement = (
            select(outbox_messages.c.guild_id, outbox_messages.c.kind)
            .where(
                outbox_messages.c.ended == OutboxEnd.CLOSED.value,
                outbox_messages.c.kind.in_([each.value for each in kinds]),
            )
            .group_by(outbox_messages.c.guild_id, outbox_messages.c.kind)
            .having(func.max(outbox_messages.c.due_at) <= before)
        )
        return {(row.guild_id, MessageKind(row.kind)) for row in self._connection.execute(statement)}

    def try_closed(self, kind: MessageKind, guild_id: int, *, before: datetime, at: datetime) -> str | None:
        """Make the longest closed message of a kind due; return its id.

        None if one was tried since `before`, or another message is due: its outcome tells as much.
        """
        of_group = (outbox_messages.c.guild_id == guild_id) & (outbox_messages.c.kind == kind.value)
        is_due = self._connection.execute(select(outbox_messages.c.id).where(of_group, _IS_DUE).limit(1)).first()
        if is_due is not None or (guild_id, kind) not in self.list_closed_groups((kind,), before):
            return None
        closed = of_group & (outbox_messages.c.ended == OutboxEnd.CLOSED.value)
        oldest = select(outbox_messages.c.id).where(closed).order_by(outbox_messages.c.due_at, outbox_messages.c.id)
        message_id: str = self._connection.execute(oldest.limit(1)).scalar_one()
        again = {"wanted": outbox_messages.c.wanted + 1, "due_at": at, "tries": 0, "ended": None}
        mine = closed & (outbox_messages.c.id == message_id)
        tried = self._connection.execute(update(outbox_messages).where(mine).values(again)).rowcount == 1
        return message_id if tried else None

    def get(self, message_id: str) -> OutboxMessage | None:
        """Return a message, or None."""
        row = self._connection.execute(_BY_ID, {"the_id": message_id}).first()
        return None if row is None else _from_row(row)

    def find(self, kind: MessageKind, subject_id: str, number: int = 0) -> OutboxMessage | None:
        """Return the message about a subject."""
        key = (outbox_messages.c.kind == kind.value) & (outbox_messages.c.subject_id == subject_id)
        statement = select(*_COLUMNS).where(key, outbox_messages.c.number == number)
        row = self._connection.execute(statement).first()
        return None if row is None else _from_row(row)

    def find_by_message(self, message_id: int) -> OutboxMessage | None:
        """Return the message with an id of Discord."""
        row = self._connection.execute(select(*_COLUMNS).where(outbox_messages.c.message_id == message_id)).first()
        return None if row is None else _from_row(row)

    def request_once(
        self, kind: MessageKind, subject_id: str, *, new_id: str, guild_id: int, at: datetime, number: int
    ) -> bool:
        """Make a message due unless it exists; return False if it does."""
        values = {"kind": kind.value, "subject_id": subject_id, "number": number, "id": new_id, "guild_id": guild_id}
        statement = insert(self._connection, outbox_messages).values(
            values | {"wanted": 1, "shown": 0, "due_at": at, "tries": 0}
        )
        return self._connection.execute(statement.on_conflict_do_nothing(index_elements=_KEY)).rowcount == 1

    def list_numbers(self, kind: MessageKind, subject_id: str) -> list[OutboxMessage]:
        """Return the messages of a kind about a subject, by number."""
        key = (outbox_messages.c.kind == kind.value) & (outbox_messages.c.subject_id == subject_id)
        rows = self._connection.execute(select(*_COLUMNS).where(key).order_by(outbox_messages.c.number))
        return [_from_row(row) for row in rows]

    def list_closed(self, kind: MessageKind, guild_id: int, *, before: datetime, limit: int) -> list[str]:
        """Return subjects of a guild's messages without an open channel.

        The last request of each is older than `before`.
        """
        statement = select(outbox_messages.c.subject_id).where(
            outbox_messages.c.guild_id == guild_id,
            outbox_messages.c.kind == kind.value,
            outbox_messages.c.ended == OutboxEnd.CLOSED.value,
            outbox_messages.c.due_at <= before,
        )
        return list(self._connection.execute(statement.order_by(outbox_messages.c.due_at).limit(limit)).scalars())

    def remove_ended(self, kind: MessageKind, subject_id: str, end: OutboxEnd) -> None:
        """Delete the ended messages about a subject from the outbox."""
        key = (outbox_messages.c.kind == kind.value) & (outbox_messages.c.subject_id == subject_id)
        self._connection.execute(outbox_messages.delete().where(key, outbox_messages.c.ended == end.value))

    def list_due(self, until: datetime, *, most: int, of_lane: int) -> list[tuple[str, OutboxLane, datetime]]:
        """Return the ids, lanes and times of messages due by then.

        The longest due of each lane come first, then the second ones, and so on; at most `of_lane` of each.
        """
        rows = self._connection.execute(_DUE, {"until": until, "most": most, "of_lane": of_lane})
        return [(row.id, _lane(row), row.due_at) for row in rows]

    def lanes(self, message_ids: Collection[str]) -> dict[str, OutboxLane]:
        """Return the lanes of messages."""
        rows = self._connection.execute(_LANES, {"the_ids": list(message_ids)})
        return {row.id: _lane(row) for row in rows}

    def claim(self, message_id: str, now: datetime, lease_until: datetime) -> OutboxMessage | None:
        """Take a due message; nobody else gets it before the lease ends.

        Return None if it is not due, or another process has it.
        """
        due = (outbox_messages.c.id == message_id) & _IS_DUE & (outbox_messages.c.due_at <= now)
        free = or_(outbox_messages.c.claimed_until.is_(None), outbox_messages.c.claimed_until <= now)
        values = {"claimed_until": lease_until, "tries": outbox_messages.c.tries + 1}
        taken = update(outbox_messages).where(due, free).values(values)
        if self._connection.execute(taken).rowcount != 1:
            return None
        row = self._connection.execute(_BY_ID, {"the_id": message_id}).one()
        return _from_row(row)

    def renew(self, message_id: str, lease: datetime, until: datetime) -> bool:
        """Extend a lease; return False if it was lost."""
        return self._set(message_id, lease, claimed_until=until)

    def begin(self, message_id: str, channel_id: int, at: datetime, *, lease: datetime | None = None) -> bool:
        """Record the intent to create the message in a channel.

        Return False if the lease was lost.
        """
        return self._set(message_id, lease, channel_id=channel_id, home_id=channel_id, begun_at=at)

    def set_message(
        self, message_id: str, channel_id: int, discord_id: int, content: str = ""
    ) -> tuple[int, int] | None:
        """Record a created message; it is looked up no more.

        Return the recorded channel and message: another process may have been faster. None if the row is gone.
        """
        mine = outbox_messages.c.id == message_id
        first = or_(outbox_messages.c.message_id.is_(None), outbox_messages.c.message_id == discord_id)
        values = {"channel_id": channel_id, "message_id": discord_id, "begun_at": None, "content": content}
        self._connection.execute(update(outbox_messages).where(mine, first).values(values))
        row = self._connection.execute(_BY_ID, {"the_id": message_id}).first()
        return None if row is None else (row.channel_id, row.message_id)

    def set_content(self, message_id: str, content: str) -> None:
        """Record the digest of the attached files."""
        self._set(message_id, content=content)

    def forget_message(self, message_id: str, discord_id: int) -> None:
        """Forget a deleted message, so that it can be created again."""
        mine = (outbox_messages.c.id == message_id) & (outbox_messages.c.message_id == discord_id)
        values = {"channel_id": None, "message_id": None, "home_id": None, "begun_at": None, "content": None}
        self._connection.execute(update(outbox_messages).where(mine).values(values))

    def list_recorded(self, discord_ids: Collection[int], *, besides: str) -> set[int]:
        """Return the ids of Discord in other rows."""
        of_others = outbox_messages.c.message_id.in_(list(discord_ids)), outbox_messages.c.id != besides
        return set(self._connection.execute(select(outbox_messages.c.message_id).where(*of_others)).scalars())

    def finish(
        self,
        message_id: str,
        shown: int,
        end: OutboxEnd | None = None,
        *,
        at: datetime | None = None,
        again_at: datetime | None = None,
        lease: datetime | None = None,
    ) -> datetime | None:
        """Record the shown version; return when the message is due again.

        That is as requested meanwhile, else `again_at`. After the loss of the lease it is `at`: this process may have
        replaced a newer version.
        """
        ended = None if end is None else end.value
        if not self._set(message_id, lease, shown=shown, claimed_until=None, tries=0, ended=ended):
            again = {"wanted": outbox_messages.c.wanted + 1, "due_at": at}
            self._connection.execute(update(outbox_messages).where(outbox_messages.c.id == message_id).values(again))
            return at
        row = self._connection.execute(_BY_ID, {"the_id": message_id}).first()
        if row is None:
            return None
        if row.wanted > row.shown:
            due: datetime = row.due_at
            return due
        if again_at is not None:
            self._set(message_id, wanted=row.wanted + 1, due_at=again_at)
        return again_at

    def release(self, message_id: str, now: datetime, *, lease: datetime | None = None) -> None:
        """Give a claimed message back, due at once."""
        self._set(message_id, lease, due_at=now, claimed_until=None)

    def retry(
        self, message_id: str, at: datetime, *, wanted: int | None = None, lease: datetime | None = None
    ) -> datetime:
        """Make a claimed message due again at a time; return it.

        One with a request newer than the version `wanted` is due as requested.
        """
        due: Any = at
        if wanted is not None:
            is_sooner = (outbox_messages.c.wanted > wanted) & (outbox_messages.c.due_at < at)
            due = case((is_sooner, outbox_messages.c.due_at), else_=literal(at, outbox_messages.c.due_at.type))
        self._set(message_id, lease, due_at=due, claimed_until=None)
        row = self._connection.execute(_BY_ID, {"the_id": message_id}).first()
        return at if row is None else row.due_at

    def set_direct(self, message_id: str, at: datetime) -> None:
        """Record the planned time of a direct message."""
        self._set(message_id, direct_at=at)

    def direct_messages_since(self, since: datetime) -> tuple[int, datetime | None]:
        """Return the number of direct messages since then, and the last time.

        Planned ones count.
        """
        number, last = self._connection.execute(_DIRECT_SINCE, {"since": since}).one()
        return number, last

    def refresh(self, kinds: Collection[MessageKind], subject_ids: Collection[str], at: datetime) -> list[str]:
        """Make the existing messages about subjects due again; return their ids."""
        of_subjects = outbox_messages.c.subject_id.in_(list(subject_ids))
        of_kinds = outbox_messages.c.kind.in_([kind.value for kind in kinds])
        again = {"wanted": outbox_messages.c.wanted + 1, "due_at": _due_by(at), "tries": 0, "ended": None}
        refreshed = update(outbox_messages).where(of_subjects, of_kinds).values(again)
        return list(self._connection.execute(refreshed.returning(outbox_messages.c.id)).scalars())

    def remove(self, kinds: Collection[MessageKind], subject_ids: Collection[str]) -> None:
        """Delete messages of subjects from the outbox; Discord keeps them."""
        of_kinds = outbox_messages.c.kind.in_([kind.value for kind in kinds])
        self._connection.execute(
            outbox_messages.delete().where(of_kinds, outbox_messages.c.subject_id.in_(list(subject_ids)))
        )

    def _set(self, outbox_id: str, lease: datetime | None = None, **values: Any) -> bool:
        """Change a row, with a lease only while that holds; return False if lost."""
        changed = update(outbox_messages).where(outbox_messages.c.id == outbox_id).values(values)
        if lease is not None:
            # Each claim has its own end: this one's is later than that of any claim before.
            changed = changed.where(outbox_messages.c.claimed_until == lease)
        return self._connection.execute(changed).rowcount == 1


def _due_by(at: datetime) -> Any:
    """Return the due time of a message requested for `at`."""
    is_sooner = _IS_DUE & (outbox_messages.c.tries == 0) & (outbox_messages.c.due_at < at)
    return case((is_sooner, outbox_messages.c.due_at), else_=literal(at, outbox_messages.c.due_at.type))


def _lane(row: Row[Any]) -> OutboxLane:
    return OutboxLane(guild_id=row.guild_id, kind=MessageKind(row.kind), is_posted=bool(row.is_posted))


def _from_row(row: Row[Any]) -> OutboxMessage:
    return OutboxMessage(
        id=row.id,
        kind=MessageKind(row.kind),
        subject_id=row.subject_id,
        number=row.number,
        guild_id=row.guild_id,
        wanted=row.wanted,
        shown=row.shown,
        tries=row.tries,
        due_at=row.due_at,
        channel_id=row.channel_id,
        message_id=row.message_id,
        home_id=row.home_id,
        begun_at=row.begun_at,
        direct_at=row.direct_at,
        end=None if row.ended is None else OutboxEnd(row.ended),
        content=row.content or "",
    )
