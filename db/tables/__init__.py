"""The tables. Migrations create them; a test checks that both agree."""

from db.tables.duels import duel_entries, duel_votes, duels
from db.tables.guilds import (
    access_rules,
    allowances,
    audit_log,
    bans,
    communities,
    guild_keys,
    pauses,
    prompt_appeals,
    prompt_blocks,
    prompt_rules,
)
from db.tables.images import fingerprint_keys, inputs, pictures
from db.tables.jobs import attempts, jobs
from db.tables.ledger import accounts, budget_alerts, budgets, holds, movements, postings, risks
from db.tables.members import deletions, drafts, entitlements, exports, forms, preferences, presets, searches
from db.tables.processes import facts, turns, workers
from db.tables.reports import report_cases, reports
from db.tables.sharing import (
    challenge_entries,
    challenge_votes,
    challenges,
    outbox_messages,
    picks,
    sharing_settings,
    submission_pictures,
    submissions,
    votes,
)
from db.tables.takedowns import takedown_jobs, takedown_keys, takedown_pictures, takedowns

__all__ = [
    "access_rules",
    "accounts",
    "allowances",
    "attempts",
    "audit_log",
    "bans",
    "budget_alerts",
    "budgets",
    "challenge_entries",
    "challenge_votes",
    "challenges",
    "communities",
    "deletions",
    "drafts",
    "duel_entries",
    "duel_votes",
    "duels",
    "entitlements",
    "exports",
    "facts",
    "fingerprint_keys",
    "forms",
    "guild_keys",
    "holds",
    "inputs",
    "jobs",
    "movements",
    "outbox_messages",
    "pauses",
    "picks",
    "pictures",
    "postings",
    "preferences",
    "presets",
    "prompt_appeals",
    "prompt_blocks",
    "prompt_rules",
    "report_cases",
    "reports",
    "risks",
    "searches",
    "sharing_settings",
    "submission_pictures",
    "submissions",
    "takedown_jobs",
    "takedown_keys",
    "takedown_pictures",
    "takedowns",
    "turns",
    "votes",
    "workers",
]
