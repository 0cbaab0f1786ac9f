"""Requests awaiting confirmation by their member."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, bindparam, delete, insert, select, update

from bot.domain.confirmations import Confirmation, DuelPlan
from bot.domain.errors import ConfirmationGoneError
from bot.domain.jobs import Origin
from db.job_rows import origin_columns, origin_of
from db.latest_rows import keep_latest
from db.request_codec import INPUTS, inputs_of, options_of, plain_inputs, request_of
from db.tables import drafts

# The key of a duel's plan among the stored options; requests ignore unknown keys.
_DUEL: Final = "duel"
# The key of the origin's post in the showcase among them.
_POST: Final = "post"
_INSERT: Final = insert(drafts)
_GET: Final = select(drafts).where(drafts.c.id == bindparam("the_id"))
_SINCE: Final = select(drafts).where(
    drafts.c.guild_id == bindparam("the_guild"),
    drafts.c.member_id == bindparam("the_member"),
    drafts.c.created_at >= bindparam("since"),
)
_TAKE: Final = delete(drafts).where(drafts.c.id == bindparam("the_id"))
_SET_PRICE: Final = update(drafts).where(drafts.c.id == bindparam("the_id"))
_PURGE: Final = delete(drafts).where(drafts.c.created_at < bindparam("moment"))


class ConfirmationRepository:
    """Confirmations within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, confirmation: Confirmation, *, most: int) -> None:
        """Insert a confirmation; keep at most `most` of its member."""
        request = confirmation.request
        # Inputs have no rows before the job exists, so the list replaces the count that a job's options hold.
        inputs = {INPUTS: plain_inputs(request.inputs)} if request.inputs else {}
        self._connection.execute(
            _INSERT,
            {
                "id": confirmation.id,
                "guild_id": confirmation.guild_id,
                "member_id": confirmation.member_id,
                "prompt": request.prompt,
                "model": request.model,
                "options": options_of(request)
                | inputs
                | _plan_options(confirmation.duel)
                | _post_options(confirmation.origin),
                "price": confirmation.price,
                "private": confirmation.private,
                "created_at": confirmation.created_at,
                **origin_columns(confirmation.origin),
            },
        )
        keep_latest(self._connection, drafts, confirmation.member_id, most)

    def get(self, confirmation_id: str) -> Confirmation:
        """Return a confirmation; raises `ConfirmationGoneError` if there is none."""
        row = self._connection.execute(_GET, {"the_id": confirmation_id}).first()
        if row is None:
            raise ConfirmationGoneError
        return _from_row(row)

    def find(self, confirmation_id: str) -> Confirmation | None:
        """Return a confirmation; None if there is none."""
        row = self._connection.execute(_GET, {"the_id": confirmation_id}).first()
        return None if row is None else _from_row(row)

    def list_since(self, guild_id: int, member_id: int, since: datetime) -> tuple[Confirmation, ...]:
        """Return a member's unanswered confirmations created since then."""
        keys = {"the_guild": guild_id, "the_member": member_id, "since": since}
        return tuple(map(_from_row, self._connection.execute(_SINCE, keys)))

    def take(self, confirmation_id: str) -> None:
        """Delete a confirmation; of two concurrent callers one succeeds.

        Raises:
            ConfirmationGoneError: there is none, or the other caller was first.
        """
        if self._connection.execute(_TAKE, {"the_id": confirmation_id}).rowcount != 1:
            raise ConfirmationGoneError

    def set_price(self, confirmation_id: str, price: int) -> None:
        """Store the current price of a confirmation."""
        self._connection.execute(_SET_PRICE, {"the_id": confirmation_id, "price": price})

    def purge_before(self, moment: datetime) -> int:
        """Delete older confirmations; return how many."""
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
        origin=_origin(values, options.get(_POST)),
        duel=_plan(values["prompt"], options.get(_DUEL)),
    )


def _post_options(origin: Origin | None) -> dict[str, str]:
    """Return the stored form of an origin's post; nothing without one."""
    return {} if origin is None or origin.submission_id is None else {_POST: origin.submission_id}


def _origin(values: Mapping[Any, Any], submission_id: str | None) -> Origin | None:
    origin = origin_of(values)
    return None if origin is None else replace(origin, submission_id=submission_id)


def _plan_options(plan: DuelPlan | None) -> dict[str, Any]:
    """Return the stored form of a duel's plan; nothing without one."""
    if plan is None:
        return {}
    others = [{"model": each.model, "options": options_of(each)} for each in plan.others]
    return {_DUEL: {"hours": plan.hours, "others": others}}


def _plan(prompt: str, stored: Mapping[str, Any] | None) -> DuelPlan | None:
    if stored is None:
        return None
    others = tuple(request_of(prompt, each["model"], each["options"]) for each in stored["others"])
    return DuelPlan(others=others, hours=stored["hours"])
