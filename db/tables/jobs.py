"""Jobs and their attempts."""

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
from db.columns import UtcDateTime, guild_id, id_column, metadata, partial_index, snowflake

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
    # Whether it uses its guild's own provider keys alone, as decided at its hold.
    Column("own_key", Boolean, nullable=False, server_default=false()),
    # Made in an age-restricted channel, or from a picture of such a job. Never cleared.
    Column("age_restricted", Boolean, nullable=False, server_default=false()),
    # The duel that it was made for. No foreign key: the duels of a guild are erased before its jobs.
    id_column("duel_id"),
    UniqueConstraint("interaction_id"),
    CheckConstraint("price > 0", name="price_positive"),
    CheckConstraint("charged >= 0 AND charged <= price", name="charged_within_price"),
)
# Partial indexes, because nearly all lookups want the few live jobs among the many old ones.
partial_index(
    "ix_jobs_live",
    jobs.c.state,
    jobs.c.guild_id,
    jobs.c.member_id,
    jobs.c.created_at,
    jobs.c.id,
    where=jobs.c.finished_at.is_(None),
)
partial_index("ix_jobs_undelivered", jobs.c.created_at, where=jobs.c.delivered_at.is_(None))
partial_index("ix_jobs_token", jobs.c.created_at, where=jobs.c.token.is_not(None))
partial_index("ix_jobs_reconcile_at", jobs.c.reconcile_at, where=jobs.c.reconcile_at.is_not(None))
partial_index("ix_jobs_direct_at", jobs.c.direct_at, where=jobs.c.direct_at.is_not(None))
partial_index("ix_jobs_notice_at", jobs.c.notice_at, where=jobs.c.notice_at.is_not(None))
_IS_LISTED = jobs.c.finished_at.is_not(None) & jobs.c.deleted_at.is_(None)
# The jobs of a member's history: counting them reads this index alone.
partial_index("ix_jobs_listed", jobs.c.member_id, jobs.c.guild_id, jobs.c.id, where=_IS_LISTED)
_IS_FAVOURITE = jobs.c.favourite_at.is_not(None)
partial_index("ix_jobs_favourite", jobs.c.member_id, jobs.c.id, where=_IS_FAVOURITE)
Index("ix_jobs_member", jobs.c.guild_id, jobs.c.member_id, jobs.c.id)
# The jobs of a server's period, for its statistics.
Index("ix_jobs_community_id_created_at", jobs.c.guild_id, jobs.c.created_at)
Index("ix_jobs_anywhere", jobs.c.member_id, jobs.c.id)
partial_index("ix_jobs_parent", jobs.c.parent_id, jobs.c.id, where=jobs.c.parent_id.is_not(None))
# The jobs with words to erase: `db/prompts.py`.
_HAS_WORDS = jobs.c.words_erased_at.is_(None)
partial_index("ix_jobs_worded", jobs.c.finished_at, where=_HAS_WORDS & jobs.c.delivered_at.is_not(None))
partial_index("ix_jobs_deleted_words", jobs.c.deleted_at, where=_HAS_WORDS & jobs.c.deleted_at.is_not(None))
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
    # The guild's key of the call; None is the operator's. No foreign key: a key is deleted before its calls.
    id_column("key_id"),
)
partial_index(
    "ix_attempts_webhook_hash", attempts.c.webhook_hash, unique=True, where=attempts.c.webhook_hash.is_not(None)
)
