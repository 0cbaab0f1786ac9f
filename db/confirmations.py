"""Requests that wait for their member's word."""

from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, bindparam, delete, insert, select, update

from bot.domain.confirmations import Confirmation
from bot.domain.errors import ConfirmationGoneError
from db.jobs import origin_columns, origin_of
from db.request_codec import INPUTS, inputs_of, options_of, plain_inputs, request_of
from db.tables import drafts

_INSERT: Final = insert(drafts)
_GET: Final = select(drafts).where(drafts.c.id == bindparam("the_id"))
_LATELY: Final = select(drafts).where(
    drafts.c.guild_id == bindparam("the_guild"),
    drafts.c.member_id == bindparam("the_member"),
    drafts.c.created_at >= bindparam("since"),
)
_TAKE: Final = delete(drafts).where(drafts.c.id == bindparam("the_id"))
_REPRICE: Final = update(drafts).where(drafts.c.id == bindparam("the_id"))
_PURGE: Final = delete(drafts).where(drafts.c.created_at < bindparam("moment"))


class ConfirmationRepository:
    """Drafts within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, draft: Confirmation) -> None:
        """Insert a draft."""
        request = draft.request
        # Its inputs have no rows of their own yet, so the list stands where a job has their number.
        inputs = {INPUTS: plain_inputs(request.inputs)} if request.inputs else {}
        self._connection.execute(
            _INSERT,
            {
                "id": draft.id,
                "guild_id": draft.guild_id,
                "member_id": draft.member_id,
                "prompt": request.prompt,
                "model": request.model,
                "options": options_of(request) | inputs,
                "price": draft.price,
                "private": draft.private,
                "created_at": draft.created_at,
                **origin_columns(draft.origin),
            },
        )

    def get(self, draft_id: str) -> Confirmation:
        """Return a draft, or raise `ConfirmationGoneError`."""
        row = self._connection.execute(_GET, {"the_id": draft_id}).first()
        if row is None:
            raise ConfirmationGoneError
        return _from_row(row)

    def list_since(self, guild_id: int, member_id: int, since: datetime) -> tuple[Confirmation, ...]:
        """Return what a member has been asked about since then, and has not answered."""
        whose = {"the_guild": guild_id, "the_member": member_id, "since": since}
        return tuple(map(_from_row, self._connection.execute(_LATELY, whose)))

    def take(self, draft_id: str) -> None:
        """Remove a draft, or raise `ConfirmationGoneError`: of two who take it, one gets it."""
        if self._connection.execute(_TAKE, {"the_id": draft_id}).rowcount != 1:
            raise ConfirmationGoneError

    def set_price(self, draft_id: str, price: int) -> None:
        """Note a price that has changed since it was asked about."""
        self._connection.execute(_REPRICE, {"the_id": draft_id, "price": price})

    def purge_before(self, moment: datetime) -> int:
        """Remove older drafts; return how many."""
        return self._connection.execute(_PURGE, {"moment": moment}).rowcount


def _from_row(row: Row[Any]) -> Confirmation:
    values = row._mapping
    options = values["options"]
    return Confirmation(
        id=values["id"],
        guild_id=row.guild_id,
        member_id=values["member_id"],
        request=request_of(values["prompt"], values["model"], options, inputs_of(options.get(INPUTS, ()))),
        price=values["price"],
        private=values["private"],
        created_at=values["created_at"],
        origin=origin_of(values),
    )
