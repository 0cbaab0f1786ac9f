"""Members' stored words, settings, purchases, requests about their data."""

from sqlalchemy import JSON, Boolean, CheckConstraint, Column, Index, Integer, String, Table, Text

from db.columns import UtcDateTime, guild_id, id_column, metadata, snowflake

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
    # Messages about decisions of moderators; NULL is yes.
    Column("decisions", Boolean),
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

# Purchases at Discord, by its own ids. Kept for good: what gave credits once must not give them again.
entitlements = Table(
    "entitlements",
    metadata,
    snowflake("id", primary_key=True, autoincrement=False),
    snowflake("sku_id", nullable=False),
    # The buyer; 0 if it belongs to a guild.
    snowflake("member_id", nullable=False),
    # The guild that it belongs to. Of a member's own: where its credits were granted, or its allowance was last used.
    guild_id(nullable=False, server_default="0"),
    # The period of that last use.
    Column("period", String(10), nullable=False),
    # The granted credits; None for an allowance.
    Column("granted", Integer),
    # Nobody paid for it.
    Column("is_test", Boolean, nullable=False),
    Column("noted_at", UtcDateTime, nullable=False),
    Column("ends_at", UtcDateTime),
    # When Discord was told that a grant is used up.
    Column("consumed_at", UtcDateTime),
    # When it was refunded or deleted, and the credits to be taken back from jobs that held them then.
    Column("revoked_at", UtcDateTime),
    Column("to_take_back", Integer, nullable=False, server_default="0"),
    CheckConstraint("granted > 0", name="granted_positive"),
    CheckConstraint("to_take_back >= 0", name="to_take_back_not_negative"),
)
Index("ix_entitlements_member_id", entitlements.c.member_id)
Index("ix_entitlements_community_id", entitlements.c.guild_id)
