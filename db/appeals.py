"""Appeals against refused prompts."""

from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, bindparam, delete, exists, select, update

from bot.domain.appeals import ALLOWED_FOR, DECISIONS, Appeal, AppealState, text_digest
from db.dialects import insert
from db.prompt_rules import PromptBlock
from db.tables import prompt_appeals

_COLUMNS: Final = [column.label(column.key) for column in prompt_appeals.c if column.key != "digest"]
_BY_ID: Final = select(*_COLUMNS).where(prompt_appeals.c.block_id == bindparam("the_id"))
# Read with each refusal only.
_ALLOWS: Final = select(
    exists().where(
        prompt_appeals.c.guild_id == bindparam("the_guild"),
        prompt_appeals.c.member_id == bindparam("the_member"),
        prompt_appeals.c.digest == bindparam("with_digest"),
        prompt_appeals.c.state == AppealState.ALLOWED.value,
        prompt_appeals.c.decided_at > bindparam("since"),
    )
)


class AppealRepository:
    """Appeals within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def offer(self, block: PromptBlock, text: str) -> None:
        """Keep a refused prompt for an appeal."""
        values = {
            "block_id": block.id,
            "guild_id": block.guild_id,
            "member_id": block.member_id,
            "text": text,
            "digest": text_digest(text),
            "state": AppealState.OFFERED.value,
            "at": block.at,
        }
        statement = insert(self._connection, prompt_appeals).values(values).on_conflict_do_nothing()
        self._connection.execute(statement)

    def find(self, block_id: str, *, lock: bool = False) -> Appeal | None:
        """Return an appeal, or None; `lock` locks its row."""
        statement = _BY_ID.with_for_update() if lock else _BY_ID
        row = self._connection.execute(statement, {"the_id": block_id}).first()
        return None if row is None else _from_row(row)

    def list_waiting(self, guild_id: int) -> list[str]:
        """Return a guild's undecided appeals."""
        waiting = (prompt_appeals.c.guild_id == guild_id) & (prompt_appeals.c.state == AppealState.WAITING.value)
        return list(self._connection.execute(select(prompt_appeals.c.block_id).where(waiting)).scalars())

    def begin(self, appeal: Appeal, at: datetime) -> bool:
        """Record an appeal; return False if there was one before."""
        return self._move(appeal, AppealState.OFFERED, state=AppealState.WAITING, appealed_at=at)

    def decide(self, appeal: Appeal, to: AppealState, by: int, at: datetime) -> bool:
        """Record a decision; return False if there was one before."""
        return self._move(appeal, AppealState.WAITING, state=to, decided_by=by, decided_at=at)

    def allows(self, guild_id: int, member_id: int, text: str, now: datetime) -> bool:
        """Return whether a moderator allowed a prompt of a member lately."""
        keys = {"the_guild": guild_id, "the_member": member_id, "with_digest": text_digest(text)}
        return bool(self._connection.execute(_ALLOWS, keys | {"since": now - ALLOWED_FOR}).scalar_one())

    def purge(self, offered_before: datetime, decided_before: datetime) -> int:
        """Delete refusals without an appeal, and old decisions; return how many."""
        offered = (prompt_appeals.c.state == AppealState.OFFERED.value) & (prompt_appeals.c.at < offered_before)
        is_decided = prompt_appeals.c.state.in_([each.value for each in DECISIONS])
        decided = is_decided & (prompt_appeals.c.decided_at < decided_before)
        return self._connection.execute(delete(prompt_appeals).where(offered | decided)).rowcount

    def erase_text_before(self, moment: datetime) -> int:
        """Erase the prompts of earlier refusals; return how many."""
        old = (prompt_appeals.c.at < moment) & (prompt_appeals.c.text != "")
        return self._connection.execute(update(prompt_appeals).where(old).values(text="")).rowcount

    def _move(self, appeal: Appeal, since: AppealState, *, state: AppealState, **values: Any) -> bool:
        same = (prompt_appeals.c.block_id == appeal.block_id) & (prompt_appeals.c.state == since.value)
        moved = update(prompt_appeals).where(same).values(state=state.value, **values)
        return self._connection.execute(moved).rowcount == 1


def _from_row(row: Row[Any]) -> Appeal:
    return Appeal(**{**row._mapping, "state": AppealState(row.state)})
