"""Everything stored about a member, in the form of an export.

No interaction tokens, secret addresses, provider's ids or other members.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, Table, or_, select

from bot.domain.credits import LedgerAccount, MovementKind
from bot.domain.duels import LETTERS
from db.request_codec import INPUTS
from db.tables import (
    accounts,
    allowances,
    audit_log,
    bans,
    challenge_entries,
    challenge_votes,
    drafts,
    duel_entries,
    duel_votes,
    duels,
    entitlements,
    forms,
    jobs,
    movements,
    postings,
    preferences,
    presets,
    prompt_appeals,
    prompt_blocks,
    reports,
    searches,
    submissions,
    votes,
)

Record = dict[str, Any]
"""A document for JSON."""

_OWN_BOOKS: Final = (LedgerAccount.ALLOWANCE, LedgerAccount.GRANTED, LedgerAccount.HELD)
_WORDS: Final[Mapping[str, str]] = {
    MovementKind.ALLOWANCE: "An allowance began",
    MovementKind.EXPIRE: "The rest of an allowance expired",
    MovementKind.GRANT: "Credits were given to you",
    MovementKind.TAKE: "Granted credits were taken back",
    MovementKind.RESET: "The used part of an allowance was given back",
    MovementKind.PURCHASE: "Credits that you bought",
    MovementKind.REFUND: "Bought credits were taken back after a refund",
    MovementKind.HOLD: "Credits were set aside for a job",
    MovementKind.CAPTURE: "A job was charged; what it did not need came back",
    MovementKind.RELEASE: "A job was not charged; all of its credits came back",
    MovementKind.UNKNOWN_COST: "A job of yours may have cost the studio something; you pay nothing for it",
    MovementKind.RISK_OWED: "A job of yours cost the studio something; you pay nothing for it",
    MovementKind.RISK_DROPPED: "A job of yours cost the studio nothing in the end",
}


class MemberRecords:
    """One member's records within one transaction."""

    def __init__(self, connection: Connection, member_id: int) -> None:
        self._connection = connection
        self._member_id = member_id

    def about(self) -> Record:
        """Return all but the jobs and the movements of credits."""
        member = self._member_id
        return {
            "member": str(member),
            "settings": self._settings(),
            "presets": [
                _plain(row, "name", "template", "options", "saved_at", "deleted_at")
                | {"server": _id(row.guild_id), "shared_with_the_server": row.member_id == 0}
                for row in self._rows(presets, or_(presets.c.member_id == member, presets.c.saved_by == member))
            ],
            "refused_forms": [
                _plain(row, "created_at") | {name: row.content.get(name) for name in ("prompt", "model", "options")}
                for row in self._rows(forms, forms.c.member_id == member)
            ],
            "unanswered_questions": [
                _plain(row, "prompt", "model", "price", "private", "created_at")
                | {"server": _id(row.guild_id), "options": _options(row.options)}
                for row in self._rows(drafts, drafts.c.member_id == member)
            ],
            "searches": [
                _plain(row, "query", "created_at") for row in self._rows(searches, searches.c.member_id == member)
            ],
            "credits": [
                _plain(row, "period", "allowance", "spent", "granted", "held") | {"server": _id(row.guild_id)}
                for row in self._rows(accounts, accounts.c.member_id == member)
            ],
            "allowances_of_your_own": [
                _plain(row, "amount", "period") | {"server": _id(row.guild_id)}
                for row in self._rows(allowances, allowances.c.member_id == member)
            ],
            "purchases": [
                _plain(row, "granted", "is_test", "noted_at", "ends_at", "revoked_at")
                | {"purchase": _id(row.id), "offer": _id(row.sku_id), "server": _id(row.guild_id)}
                for row in self._rows(entitlements, entitlements.c.member_id == member)
            ],
            "reports_of_yours": [
                _plain(row, "reason", "words", "position", "at")
                for row in self._rows(reports, reports.c.member_id == member)
            ],
            "bans": [
                _plain(row, "scope", "until", "reason", "at") | {"server": _id(row.guild_id)}
                for row in self._rows(bans, bans.c.member_id == member)
            ],
            "shared_pictures": [
                _plain(row, "title", "show_prompt", "is_anonymous", "is_spoiler", "state", "created_at", "at", "reason")
                | {"server": _id(row.guild_id), "job": row.job_id}
                for row in self._rows(submissions, submissions.c.member_id == member)
            ],
            "refused_prompts": [
                _plain(row, "rule_name", "field", "words", "is_dry", "at") | {"server": _id(row.guild_id)}
                for row in self._rows(prompt_blocks, prompt_blocks.c.member_id == member)
            ],
            "appeals": [
                _plain(row, "text", "state", "at", "appealed_at", "decided_at") | {"server": _id(row.guild_id)}
                for row in self._rows(prompt_appeals, prompt_appeals.c.member_id == member)
            ],
            "challenge_entries": [
                {"challenge": row.challenge_id, "submission": row.submission_id}
                for row in self._rows(challenge_entries, challenge_entries.c.member_id == member)
            ],
            "challenge_votes": [
                _plain(row, "at") | {"challenge": row.challenge_id, "entry": row.number}
                for row in self._rows(challenge_votes, challenge_votes.c.member_id == member)
            ],
            "votes_of_yours": [
                _plain(row, "at", "by_reaction") | {"server": _id(row.guild_id), "submission": row.submission_id}
                for row in self._rows(votes, votes.c.member_id == member)
            ],
            "duels": [
                _plain(row, "hours", "created_at", "opened_at", "ended_at")
                | {"duel": row.id, "server": _id(row.guild_id), "models": self._models(row.id)}
                for row in self._rows(duels, duels.c.member_id == member)
            ],
            "votes_in_open_duels": [
                _plain(row, "at") | {"duel": row.duel_id, "picture": LETTERS[row.position]}
                for row in self._rows(duel_votes, duel_votes.c.member_id == member)
            ],
            "decisions_about_you": [
                _plain(row, "action", "detail", "reason", "at") | {"server": _id(row.guild_id)}
                for row in self._rows(audit_log, audit_log.c.target_id == member)
            ],
            "decisions_of_yours": [
                _plain(row, "action", "reason", "at") | {"server": _id(row.guild_id)}
                for row in self._rows(audit_log, audit_log.c.actor_id == member)
            ],
        }

    def list_movements(self, after: str, most: int) -> list[tuple[str, Record]]:
        """Return the next movements of credits with their ids, in words."""
        mine = movements.c.member_id == self._member_id, movements.c.id > after
        rows = self._connection.execute(select(movements).where(*mine).order_by(movements.c.id).limit(most)).all()
        amounts: dict[str, dict[str, int]] = defaultdict(dict)
        own = postings.c.movement_id.in_([row.id for row in rows]), postings.c.book.in_(_OWN_BOOKS)
        for row in self._connection.execute(select(postings).where(*own)):
            amounts[row.movement_id][row.book] = row.amount
        return [(row.id, self._movement(row, amounts[row.id])) for row in rows]

    def list_jobs(self, after: str, most: int) -> list[tuple[str, Record]]:
        """Return the next jobs with their ids, oldest first."""
        mine = jobs.c.member_id == self._member_id, jobs.c.id > after
        rows = self._connection.execute(select(jobs).where(*mine).order_by(jobs.c.id).limit(most))
        return [(row.id, _job(row)) for row in rows]

    def _models(self, duel_id: str) -> list[Record]:
        """Return the models of a duel with their votes."""
        rows = self._rows(duel_entries, duel_entries.c.duel_id == duel_id)
        return [_plain(row, "model", "votes") for row in rows]

    def _settings(self) -> Record | None:
        row = next(iter(self._rows(preferences, preferences.c.member_id == self._member_id)), None)
        return None if row is None else {k: _plain_value(v) for k, v in row._mapping.items() if k != "member_id"}

    def _movement(self, row: Row[Any], amounts: Mapping[str, int]) -> Record:
        said = _WORDS.get(row.kind, row.kind.replace("_", " "))
        by = "the studio" if row.actor_id == 0 else "you" if row.actor_id == self._member_id else "somebody else"
        return {
            "at": _plain_value(row.at),
            "what": said,
            "server": _id(row.guild_id),
            "job": row.job_id,
            "by": by,
            "reason": row.reason,
            "changes": dict(amounts),
        }

    def _rows(self, table: Table, condition: ColumnElement[bool]) -> Sequence[Row[Any]]:
        return self._connection.execute(select(table).where(condition)).all()


def _job(row: Row[Any]) -> Record:
    told = (
        "model",
        "prompt",
        "state",
        "price",
        "charged",
        "provider",
        "action",
        "private",
        "delivery",
        "created_at",
        "submitted_at",
        "finished_at",
        "delivered_at",
        "public_at",
        "favourite_at",
        "deleted_at",
        "words_erased_at",
    )
    places = {"server": _id(row.guild_id), "channel": _id(row.channel_id), "message": _id(row.message_id)}
    return {"job": row.id, **_plain(row, *told), "options": _options(row.options), **places}


def _options(stored: Mapping[str, Any]) -> Record:
    """Return stored options without the inputs: their addresses are secret."""
    return {name: value for name, value in stored.items() if name != INPUTS}


def _id(snowflake: int | None) -> str | None:
    """Return one of Discord's ids as text: JSON readers round such numbers."""
    return str(snowflake) if snowflake else None


def _plain(row: Row[Any], *names: str) -> Record:
    return {name: _plain_value(row._mapping[name]) for name in names}


def _plain_value(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value
