"""Decisions for all columns of texts."""

from typing import Final

from sqlalchemy import JSON, Column, String, Text
from sqlalchemy.types import TypeDecorator

from db.backup_columns import ERASED, LEFT_OUT, copied_tables
from db.columns import metadata

KEPT: Final = {
    "access_rules": {"kind", "name"},
    "allowances": {"period"},
    "audit_log": {"action", "detail", "id", "reason"},
    "automod_rules": {"allowed", "exempt_channels", "exempt_roles", "keywords", "name", "patterns"},
    "bans": {"reason", "scope"},
    "communities": {"locale", "moderator_roles", "rules_version", "studio_channels", "time_zone"},
    "challenge_entries": {"challenge_id", "submission_id"},
    "challenge_votes": {"challenge_id"},
    "prompt_appeals": {"block_id", "digest", "state", "text"},
    "challenges": {"id", "state", "theme"},
    "pauses": {"name", "reason", "scope"},
    "accounts": {"period"},
    "attempts": {
        *("cost_currency", "cost_source", "fault", "handle", "job_id", "key_id", "outcome", "provider", "record_id"),
    },
    "budgets": {"month"},
    "budget_alerts": {"month", "target"},
    "duel_entries": {"duel_id", "job_id", "model"},
    "duel_votes": {"duel_id"},
    "duels": {"id"},
    "entitlements": {"period"},
    "facts": {"name", "value"},
    "fingerprint_keys": {"job_id"},
    "guild_keys": {"fault", "id", "provider"},
    "holds": {"job_id", "month", "period"},
    "inputs": {"changes", "job_id", "media_type", "parent_id", "sha256"},
    "jobs": {
        *("action", "delivery", "duel_id", "fault", "id", "locale", "model", "notice", "options", "parent_id"),
        *("prompt", "provider", "search_text", "state"),
    },
    "outbox_messages": {"content", "ended", "id", "kind", "subject_id"},
    "sharing_settings": {"refusal_reasons", "review", "trusted_roles", "voter_roles", "votes"},
    "submission_pictures": {"job_id", "submission_id"},
    "picks": {"submission_id"},
    "votes": {"submission_id"},
    "submissions": {"flags", "id", "job_id", "reason", "state", "title"},
    "movements": {"id", "job_id", "kind", "reason", "settles"},
    "pictures": {"fingerprint", "job_id", "media_type", "sha256"},
    "postings": {"book", "movement_id", "period"},
    "preferences": {"aspect_ratio", "format", "model", "notice"},
    "presets": {"key", "name", "options", "template"},
    "takedown_jobs": {"job_id", "positions", "takedown_id"},
    "takedown_keys": {"takedown_id"},
    "takedown_pictures": {"fingerprint", "sha256", "takedown_id"},
    "takedowns": {"code", "id", "job_id", "kind", "reason"},
    "prompt_blocks": {"field", "id", "rule_id", "rule_name", "source", "words"},
    "prompt_rules": {"id", "kind", "name", "scope", "state", "text"},
    "report_cases": {"id", "job_id", "outcome"},
    "reports": {"case_id", "reason", "words"},
    "risks": {"cause", "job_id", "month", "outcome"},
}
"""Texts of a backup. Neither Discord, a provider nor the web server accepts one of them in place of a key."""


def is_text(column: Column[object]) -> bool:
    """Return whether a column could hold a secret: numbers and times cannot."""
    kind = column.type.impl_instance if isinstance(column.type, TypeDecorator) else column.type
    return isinstance(kind, String | Text | JSON)


def test_every_text_column_is_kept_or_erased_by_decision() -> None:
    """A new one with a secret belongs into `ERASED` of the code.

    Any other belongs into `KEPT` above.
    """
    texts = {
        table.name: {column.key for column in table.columns if is_text(column)}
        for table in metadata.sorted_tables
        if table.name not in LEFT_OUT
    }
    decided = {name: KEPT.get(name, set()) | set(ERASED.get(name, {})) for name in KEPT.keys() | ERASED.keys()}
    assert {name: columns for name, columns in texts.items() if columns} == decided


def test_no_column_is_both_kept_and_erased() -> None:
    assert all(not KEPT.get(name, set()) & set(columns) for name, columns in ERASED.items())


def test_names_of_secrets_are_erased() -> None:
    """Tokens, hashes of tokens, and addresses."""
    kept = [f"{name}.{column}" for name, columns in KEPT.items() for column in columns]
    assert [each for each in kept if any(word in each for word in ("token", "webhook", "url", "secret"))] == []


def test_rows_of_minutes_are_left_out() -> None:
    assert {table.name for table in copied_tables()} | LEFT_OUT == set(metadata.tables)
