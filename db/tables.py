"""The tables. Migrations create them; a test checks that both agree."""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
    true,
)

from bot.domain.jobs import DEFAULT_LOCALE
from db.columns import UtcDateTime, guild_id, id_column, metadata, snowflake

# Guilds that were admitted or set up. None in a setting means that nobody has set it.
communities = Table(
    "communities",
    metadata,
    snowflake("id", primary_key=True, autoincrement=False),
    Column("admitted_at", UtcDateTime),
    snowflake("admitted_by"),
    # When the bot left the guild, or was removed from it.
    Column("left_at", UtcDateTime),
    Column("time_zone", String(64)),
    Column("locale", String(16)),
    Column("private_results", Boolean),
    Column("studio_channels", JSON),
    Column("moderator_roles", JSON),
    snowflake("review_channel_id"),
    snowflake("showcase_channel_id"),
    snowflake("log_channel_id"),
    # Credits a month: the admins' limit, and the operator's for this guild.
    Column("monthly_budget", Integer),
    Column("budget_cap", Integer),
    CheckConstraint("monthly_budget >= 0", name="monthly_budget_not_negative"),
    CheckConstraint("budget_cap >= 0", name="budget_cap_not_negative"),
)

# Allowances that admins set: for a role, for a member, or with neither (0) for the whole guild.
allowances = Table(
    "allowances",
    metadata,
    guild_id(primary_key=True, autoincrement=False),
    snowflake("role_id", primary_key=True, autoincrement=False),
    snowflake("member_id", primary_key=True, autoincrement=False),
    # None is unlimited.
    Column("amount", Integer),
    Column("period", String(8), nullable=False),
    CheckConstraint("amount >= 0", name="amount_not_negative"),
    CheckConstraint("role_id = 0 OR member_id = 0", name="role_or_member"),
)

# If a model or an option is named here, only members with one of its roles may use it.
access_rules = Table(
    "access_rules",
    metadata,
    guild_id(primary_key=True, autoincrement=False),
    Column("kind", String(8), primary_key=True),
    Column("name", String(64), primary_key=True),
    snowflake("role_id", primary_key=True, autoincrement=False),
)

# Members who may not use the studio, or not share. Guild 0 is every guild. Without `until` there is no end.
bans = Table(
    "bans",
    metadata,
    guild_id(primary_key=True, autoincrement=False),
    snowflake("member_id", primary_key=True, autoincrement=False),
    Column("scope", String(8), primary_key=True),
    Column("until", UtcDateTime),
    Column("reason", Text, nullable=False),
    snowflake("actor_id", nullable=False),
    Column("at", UtcDateTime, nullable=False),
)

# Stops of new jobs: of everything, of a guild, a provider or a model.
pauses = Table(
    "pauses",
    metadata,
    Column("scope", String(8), primary_key=True),
    Column("name", String(64), primary_key=True),
    Column("reason", Text, nullable=False),
    snowflake("actor_id", nullable=False),
    Column("at", UtcDateTime, nullable=False),
)

# Changes and decisions of admins, moderators and owners. Guild 0 is the operator's. Details hold no prompts.
audit_log = Table(
    "audit_log",
    metadata,
    id_column(primary_key=True),
    guild_id(nullable=False),
    snowflake("actor_id", nullable=False),
    Column("action", String(32), nullable=False),
    # The member, role or channel concerned.
    snowflake("target_id"),
    Column("detail", JSON, nullable=False),
    Column("reason", Text, nullable=False),
    Column("at", UtcDateTime, nullable=False),
)
Index("ix_audit_log_community_id_at", audit_log.c.guild_id, audit_log.c.at, audit_log.c.id)

# Small values that survive a restart, by name.
facts = Table(
    "facts",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("value", Text, nullable=False),
)

# The running processes. If `expires_at` stops moving, the process is dead or hangs: its jobs may be taken over.
workers = Table(
    "workers",
    metadata,
    id_column(primary_key=True),
    Column("started_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
)

accounts = Table(
    "accounts",
    metadata,
    guild_id(primary_key=True, autoincrement=False),
    snowflake("member_id", primary_key=True, autoincrement=False),
    Column("period", String(10), nullable=False),
    Column("allowance", Integer, nullable=False),
    Column("granted", Integer, nullable=False),
    Column("held", Integer, nullable=False),
    # The allowance used in the period, holds included, and the whole one in force: None is unlimited.
    Column("spent", Integer, nullable=False, server_default="0"),
    Column("issued", Integer, server_default="0"),
    # How often an admin gave the used allowance back. Holds have that of their time: older ones no longer count.
    Column("resets", Integer, nullable=False, server_default="0"),
    CheckConstraint("allowance >= 0", name="allowance_not_negative"),
    CheckConstraint("granted >= 0", name="granted_not_negative"),
    CheckConstraint("held >= 0", name="held_not_negative"),
)

# Guild 0 is all guilds together: the operator's budget.
budgets = Table(
    "budgets",
    metadata,
    guild_id(primary_key=True, autoincrement=False, server_default="0"),
    Column("month", String(7), primary_key=True),
    Column("held", Integer, nullable=False),
    Column("captured", Integer, nullable=False),
    Column("at_risk", Integer, nullable=False, server_default="0"),
    # The highest percentage in the log, and the highest that reached the owner.
    Column("alert_logged", Integer, nullable=False, server_default="0"),
    Column("alert_sent", Integer, nullable=False, server_default="0"),
    CheckConstraint("held >= 0", name="held_not_negative"),
    CheckConstraint("captured >= 0", name="captured_not_negative"),
)

# When a member, and a guild (as its member 0), last got a slot. Only claims write it, one at a time.
turns = Table(
    "turns",
    metadata,
    guild_id(primary_key=True, autoincrement=False),
    snowflake("member_id", primary_key=True, autoincrement=False),
    Column("served_at", UtcDateTime, nullable=False),
)

jobs = Table(
    "jobs",
    metadata,
    id_column(primary_key=True),
    snowflake("interaction_id", nullable=False),
    snowflake("application_id", nullable=False),
    guild_id(nullable=False),
    snowflake("channel_id", nullable=False),
    snowflake("member_id", nullable=False),
    snowflake("message_id"),
    Column("token", Text),
    Column("upload_limit", Integer, nullable=False),
    Column("model", String(64), nullable=False),
    Column("prompt", Text, nullable=False),
    Column("options", JSON, nullable=False),
    Column("price", Integer, nullable=False),
    Column("state", String(12), nullable=False),
    Column("fence", Integer, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("provider", String(32)),
    Column("fault", String(32)),
    Column("charged", Integer),
    Column("cancel_refused", Boolean, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("due_at", UtcDateTime, nullable=False),
    Column("acknowledged_at", UtcDateTime),
    Column("cancel_requested_at", UtcDateTime),
    Column("submitted_at", UtcDateTime),
    Column("finished_at", UtcDateTime),
    Column("delivered_at", UtcDateTime),
    # The worker in charge. No foreign key: a worker's row is deleted when the worker ends.
    id_column("owner"),
    Column("delivery", String(12)),
    Column("direct_at", UtcDateTime),
    Column("reconcile_at", UtcDateTime),
    Column("private", Boolean, nullable=False, server_default=false()),
    Column("locale", String(16), nullable=False, server_default=DEFAULT_LOCALE),
    Column("prepared", Boolean, nullable=False, server_default=true()),
    # The job it was made from. No foreign key: a parent can be deleted while its children stay.
    Column("action", String(12)),
    id_column("parent_id"),
    Column("parent_picture", Integer),
    Column("deleted_at", UtcDateTime),
    Column("decode_tries", Integer, nullable=False, server_default=text("0")),
    # The prompt as searches compare it. None if it is the bot's own instruction, or was deleted.
    Column("search_text", Text),
    # The message that tells its member that it is done, and the planned time of that message.
    Column("notice", String(8)),
    Column("notice_at", UtcDateTime),
    # A private job that its member made public: the intent, and the message once it is known.
    Column("public_at", UtcDateTime),
    snowflake("public_message_id"),
    # When its member chose it as a favourite. None if not, and once deleted.
    Column("favourite_at", UtcDateTime),
    # When the words that its member typed were erased: `db/prompts.py`.
    Column("words_erased_at", UtcDateTime),
    UniqueConstraint("interaction_id"),
    CheckConstraint("price > 0", name="price_positive"),
    CheckConstraint("charged >= 0 AND charged <= price", name="charged_within_price"),
)
# Partial indexes, because nearly all lookups want the few live jobs among the many old ones.
Index(
    "ix_jobs_live",
    jobs.c.state,
    jobs.c.guild_id,
    jobs.c.member_id,
    jobs.c.created_at,
    jobs.c.id,
    sqlite_where=jobs.c.finished_at.is_(None),
    postgresql_where=jobs.c.finished_at.is_(None),
)
Index(
    "ix_jobs_undelivered",
    jobs.c.created_at,
    sqlite_where=jobs.c.delivered_at.is_(None),
    postgresql_where=jobs.c.delivered_at.is_(None),
)
Index(
    "ix_jobs_token",
    jobs.c.created_at,
    sqlite_where=jobs.c.token.is_not(None),
    postgresql_where=jobs.c.token.is_not(None),
)
Index(
    "ix_jobs_reconcile_at",
    jobs.c.reconcile_at,
    sqlite_where=jobs.c.reconcile_at.is_not(None),
    postgresql_where=jobs.c.reconcile_at.is_not(None),
)
Index(
    "ix_jobs_direct_at",
    jobs.c.direct_at,
    sqlite_where=jobs.c.direct_at.is_not(None),
    postgresql_where=jobs.c.direct_at.is_not(None),
)
Index(
    "ix_jobs_notice_at",
    jobs.c.notice_at,
    sqlite_where=jobs.c.notice_at.is_not(None),
    postgresql_where=jobs.c.notice_at.is_not(None),
)
_IS_LISTED = jobs.c.finished_at.is_not(None) & jobs.c.deleted_at.is_(None)
# The jobs of a member's history: counting them reads this index alone.
Index(
    "ix_jobs_listed",
    jobs.c.member_id,
    jobs.c.guild_id,
    jobs.c.id,
    sqlite_where=_IS_LISTED,
    postgresql_where=_IS_LISTED,
)
_IS_FAVOURITE = jobs.c.favourite_at.is_not(None)
Index(
    "ix_jobs_favourite",
    jobs.c.member_id,
    jobs.c.id,
    sqlite_where=_IS_FAVOURITE,
    postgresql_where=_IS_FAVOURITE,
)
Index("ix_jobs_member", jobs.c.guild_id, jobs.c.member_id, jobs.c.id)
# The jobs of a server's period, for its statistics.
Index("ix_jobs_community_id_created_at", jobs.c.guild_id, jobs.c.created_at)
Index("ix_jobs_anywhere", jobs.c.member_id, jobs.c.id)
Index(
    "ix_jobs_parent",
    jobs.c.parent_id,
    jobs.c.id,
    sqlite_where=jobs.c.parent_id.is_not(None),
    postgresql_where=jobs.c.parent_id.is_not(None),
)
# The jobs with words to erase: `db/prompts.py`.
_HAS_WORDS = jobs.c.words_erased_at.is_(None)
Index(
    "ix_jobs_worded",
    jobs.c.finished_at,
    sqlite_where=_HAS_WORDS & jobs.c.delivered_at.is_not(None),
    postgresql_where=_HAS_WORDS & jobs.c.delivered_at.is_not(None),
)
Index(
    "ix_jobs_deleted_words",
    jobs.c.deleted_at,
    sqlite_where=_HAS_WORDS & jobs.c.deleted_at.is_not(None),
    postgresql_where=_HAS_WORDS & jobs.c.deleted_at.is_not(None),
)
Index("ix_jobs_model_finished_at", jobs.c.model, jobs.c.state, jobs.c.finished_at)

attempts = Table(
    "attempts",
    metadata,
    id_column("job_id", ForeignKey("jobs.id"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("provider", String(32), nullable=False),
    Column("outcome", String(12), nullable=False),
    Column("fault", String(32)),
    Column("handle", Text),
    Column("record_id", Text),
    Column("result", JSON, nullable=False),
    Column("started_at", UtcDateTime, nullable=False),
    Column("ended_at", UtcDateTime),
    Column("webhook_hash", String(64)),
    Column("retry_at", UtcDateTime),
    # Calls sent together have a batch, the number of the first of them, and count their parts from 0.
    Column("batch", Integer, nullable=False, server_default="1"),
    Column("part", Integer, nullable=False, server_default="0"),
    Column("images", Integer),
    # Billionths of a dollar or of one of the provider's credits.
    Column("cost_nanos", BigInteger),
    Column("cost_currency", String(8)),
    Column("cost_source", String(12)),
)
Index(
    "ix_attempts_webhook_hash",
    attempts.c.webhook_hash,
    unique=True,
    sqlite_where=attempts.c.webhook_hash.is_not(None),
    postgresql_where=attempts.c.webhook_hash.is_not(None),
)

pictures = Table(
    "pictures",
    metadata,
    id_column("job_id", ForeignKey("jobs.id"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("sha256", String(64), nullable=False),
    Column("media_type", String(32), nullable=False),
    Column("width", Integer, nullable=False),
    Column("height", Integer, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("stored_at", UtcDateTime, nullable=False),
    Column("removed_at", UtcDateTime),
    # Hexadecimal. None for older images and for plain ones, and once the job is deleted.
    Column("fingerprint", String(64)),
)
Index("ix_pictures_sha256", pictures.c.sha256)
Index(
    "ix_pictures_stored_at",
    pictures.c.stored_at,
    sqlite_where=pictures.c.removed_at.is_(None),
    postgresql_where=pictures.c.removed_at.is_(None),
)

# An index of the fingerprints by each of their parts: copies share at least one, but for one bit.
fingerprint_keys = Table(
    "fingerprint_keys",
    metadata,
    Column("key", Integer, primary_key=True, autoincrement=False),
    id_column("job_id", ForeignKey("jobs.id"), primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
)
Index("ix_fingerprint_keys_job_id", fingerprint_keys.c.job_id)

# Input images. `url` is a secret and erased when the job ends; so is the address from which a provider may fetch an
# image: `provider_url` if the image is published, else one of ours, of whose token only the hash is stored.
inputs = Table(
    "inputs",
    metadata,
    id_column("job_id", ForeignKey("jobs.id"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("url", Text),
    id_column("parent_id"),
    Column("parent_picture", Integer),
    Column("sha256", String(64)),
    Column("media_type", String(32)),
    Column("width", Integer),
    Column("height", Integer),
    Column("size", BigInteger),
    Column("token_hash", String(64)),
    Column("stored_at", UtcDateTime),
    Column("removed_at", UtcDateTime),
    Column("changes", String(64)),
    Column("provider_url", Text),
)
Index("ix_inputs_sha256", inputs.c.sha256)
Index(
    "ix_inputs_token_hash",
    inputs.c.token_hash,
    unique=True,
    sqlite_where=inputs.c.token_hash.is_not(None),
    postgresql_where=inputs.c.token_hash.is_not(None),
)
Index(
    "ix_inputs_url",
    inputs.c.job_id,
    sqlite_where=inputs.c.url.is_not(None),
    postgresql_where=inputs.c.url.is_not(None),
)
Index(
    "ix_inputs_provider_url",
    inputs.c.job_id,
    sqlite_where=inputs.c.provider_url.is_not(None),
    postgresql_where=inputs.c.provider_url.is_not(None),
)
Index(
    "ix_inputs_stored_at",
    inputs.c.stored_at,
    sqlite_where=inputs.c.removed_at.is_(None),
    postgresql_where=inputs.c.removed_at.is_(None),
)

# Confirmations: requests above the price that their member wants to be asked about.
drafts = Table(
    "drafts",
    metadata,
    id_column(primary_key=True),
    guild_id(nullable=False),
    snowflake("member_id", nullable=False),
    Column("prompt", Text, nullable=False),
    Column("model", String(64), nullable=False),
    Column("options", JSON, nullable=False),
    Column("price", Integer, nullable=False),
    Column("action", String(12)),
    id_column("parent_id"),
    Column("parent_picture", Integer),
    Column("private", Boolean, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
)
Index("ix_drafts_created_at", drafts.c.created_at)
Index("ix_drafts_member_id", drafts.c.member_id, drafts.c.id)

# Rejected modal input, kept for a day.
forms = Table(
    "forms",
    metadata,
    id_column(primary_key=True),
    snowflake("member_id", nullable=False),
    Column("content", JSON, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
)
Index("ix_forms_created_at", forms.c.created_at)
Index("ix_forms_member_id", forms.c.member_id, forms.c.id)

# Searches of `/history`, for as long as their paging buttons work. `query` is private like a prompt.
searches = Table(
    "searches",
    metadata,
    id_column(primary_key=True),
    snowflake("member_id", nullable=False),
    Column("query", Text, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
)
Index("ix_searches_created_at", searches.c.created_at)
Index("ix_searches_member_id", searches.c.member_id, searches.c.id)

# Members' default options, the same in every guild; None means the bot's default.
preferences = Table(
    "preferences",
    metadata,
    snowflake("member_id", primary_key=True, autoincrement=False),
    Column("model", String(64)),
    Column("aspect_ratio", String(8)),
    Column("format", String(8)),
    Column("private", Boolean),
    Column("confirm_over", Integer),
    Column("updated_at", UtcDateTime, nullable=False),
    Column("notice", String(8)),
    # The time of the first-use hint, which nobody gets twice.
    Column("hinted_at", UtcDateTime),
    Column("remix", Boolean),
)

# Options with a prompt template, by name: a member's own (guild 0), or a guild's (member 0).
presets = Table(
    "presets",
    metadata,
    guild_id(primary_key=True, autoincrement=False),
    snowflake("member_id", primary_key=True, autoincrement=False),
    # The name as it is looked up: lower case, composed Unicode.
    Column("key", String(64), primary_key=True),
    Column("name", String(64), nullable=False),
    Column("template", Text, nullable=False),
    Column("options", JSON, nullable=False),
    snowflake("saved_by", nullable=False),
    Column("saved_at", UtcDateTime, nullable=False),
    # Deleted rows stay for a while, so that deleting can be undone.
    Column("deleted_at", UtcDateTime),
)

holds = Table(
    "holds",
    metadata,
    id_column("job_id", ForeignKey("jobs.id"), primary_key=True),
    guild_id(nullable=False),
    snowflake("member_id", nullable=False),
    Column("allowance", Integer, nullable=False),
    Column("granted", Integer, nullable=False),
    Column("period", String(10), nullable=False),
    Column("month", String(7), nullable=False),
    # The role of the allowance: 0 if from the guild or the operator, None if it was the member's own.
    snowflake("role_id", server_default="0"),
    Column("resets", Integer, nullable=False, server_default="0"),
    CheckConstraint("allowance >= 0 AND granted >= 0 AND allowance + granted > 0", name="amount_positive"),
)
Index("ix_holds_community_id_member_id", holds.c.guild_id, holds.c.member_id, holds.c.job_id)

movements = Table(
    "movements",
    metadata,
    id_column(primary_key=True),
    guild_id(nullable=False),
    snowflake("member_id", nullable=False),
    Column("kind", String(16), nullable=False),
    id_column("job_id", ForeignKey("jobs.id")),
    # The hold that this movement ends. Unique: at most one capture or release per hold.
    id_column("settles", ForeignKey("holds.job_id")),
    snowflake("actor_id", nullable=False),
    Column("reason", Text, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    UniqueConstraint("settles"),
    CheckConstraint("(kind IN ('capture', 'release')) = (settles IS NOT NULL)", name="settles_when_ending_a_hold"),
)
Index("ix_movements_community_id_member_id_at", movements.c.guild_id, movements.c.member_id, movements.c.at)

postings = Table(
    "postings",
    metadata,
    id_column("movement_id", ForeignKey("movements.id"), primary_key=True),
    Column("book", String(12), primary_key=True),
    Column("period", String(10), nullable=False),
    Column("amount", Integer, nullable=False),
    CheckConstraint("amount <> 0", name="amount_not_zero"),
)

# Requests of members for all of their data, the latest of each. Sent by direct message in numbered parts.
exports = Table(
    "exports",
    metadata,
    snowflake("member_id", primary_key=True, autoincrement=False),
    Column("requested_at", UtcDateTime, nullable=False),
    Column("locale", String(16), nullable=False),
    # The parts sent so far, and where the next one begins.
    Column("parts", Integer, nullable=False),
    Column("cursor", Text),
    # Where the part after the one that is being sent begins. Set before the message, so that none is sent twice.
    Column("sending", Text),
    Column("finished_at", UtcDateTime),
    # The worker in charge, as in `jobs`.
    id_column("owner"),
)

# Requests of members to delete everything about them. Afterwards `member_id` is their pseudonym, until they return.
deletions = Table(
    "deletions",
    metadata,
    snowflake("member_id", primary_key=True, autoincrement=False),
    Column("requested_at", UtcDateTime, nullable=False),
    Column("finished_at", UtcDateTime),
    Column("returned_at", UtcDateTime),
)

# What attempts that no member pays for may have cost the operator. `month` is that of the job's hold.
risks = Table(
    "risks",
    metadata,
    id_column("job_id", ForeignKey("jobs.id"), primary_key=True),
    Column("number", Integer, primary_key=True),
    snowflake("member_id", nullable=False),
    Column("month", String(7), nullable=False),
    Column("amount", Integer, nullable=False),
    Column("cause", String(32), nullable=False),
    Column("booked_at", UtcDateTime, nullable=False),
    # The provider's later word: owed or dropped; NULL while it is open.
    Column("outcome", String(12)),
    Column("decided_at", UtcDateTime),
    CheckConstraint("amount > 0", name="amount_positive"),
)
Index("ix_risks_member_id_booked_at", risks.c.member_id, risks.c.booked_at)
