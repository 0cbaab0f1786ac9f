"""The latest prompts of a guild, for trials of prompt rules."""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, bindparam, select

from bot.domain.requests import ERASED_PROMPT
from db.request_codec import INPUTS, request_of
from db.tables import jobs

_LATEST: Final = (
    select(jobs.c.member_id, jobs.c.private, jobs.c.prompt, jobs.c.options)
    .where(jobs.c.guild_id == bindparam("the_guild"), jobs.c.prompt != ERASED_PROMPT, jobs.c.deleted_at.is_(None))
    .order_by(jobs.c.created_at.desc(), jobs.c.id.desc())
    .limit(bindparam("most"))
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecentPrompt:
    """The words of a job; none if it only processed a picture."""

    member_id: int
    is_private: bool
    is_edit: bool
    prompt: str
    negative: str


def list_recent_prompts(connection: Connection, guild_id: int, most: int) -> tuple[RecentPrompt, ...]:
    """Return a guild's latest prompts, without erased and deleted ones."""
    found = []
    for row in connection.execute(_LATEST, {"the_guild": guild_id, "most": most}):
        request = request_of(row.prompt, "", row.options)
        found.append(
            RecentPrompt(
                member_id=row.member_id,
                is_private=row.private,
                is_edit=bool(row.options.get(INPUTS)),
                prompt="" if request.keeps_picture else row.prompt,
                negative=request.negative,
            )
        )
    return tuple(found)
