"""Guilds: settings, allowances, rules, bans, pauses, keys, their log."""

from sqlalchemy import JSON, Boolean, CheckConstraint, Column, Index, Integer, String, Table, Text

from db.columns import UtcDateTime, guild_id, id_column, metadata, partial_index, snowflake

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
    # When the bot came to the guild, and when its settings and jobs were erased, some time after the bot left.
    Column("arrived_at", UtcDateTime),
    Column("erased_at", UtcDateTime),
    # Refused prompts in so many hours that ban a member for a time; None is the default, 0 refusals is never.
    Column("block_limit", Integer),
    Column("block_hours", Integer),
    Column("block_ban_hours", Integer),
    # Another text after each change of the prompt rules; None without any.
    Column("rules_version", String(32)),
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

# Provider keys of guilds, encrypted. A replaced or removed one is kept until the last job with it has ended.
guild_keys = Table(
    "guild_keys",
    metadata,
    id_column(primary_key=True),
    guild_id(nullable=False),
    Column("provider", String(32), nullable=False),
    Column("ciphertext", Text, nullable=False),
    snowflake("set_by", nullable=False),
    Column("set_at", UtcDateTime, nullable=False),
    Column("retired_at", UtcDateTime),
    # Why no new job may use it. `report_at` is the time to report that to the admins; None once it is done.
    Column("fault", String(32)),
    Column("report_at", UtcDateTime),
)
_IN_USE = guild_keys.c.retired_at.is_(None)
partial_index(
    "ix_guild_keys_community_id_provider", guild_keys.c.guild_id, guild_keys.c.provider, unique=True, where=_IN_USE
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

# Rules for prompts. The operator's are in files. Processes keep them compiled, by `communities.rules_version`.
prompt_rules = Table(
    "prompt_rules",
    metadata,
    id_column(primary_key=True),
    guild_id(nullable=False),
    Column("kind", String(16), nullable=False),
    Column("text", Text, nullable=False),
    Column("state", String(8), nullable=False),
    Column("scope", String(8), nullable=False),
    Column("name", Text, nullable=False),
    snowflake("set_by", nullable=False),
    Column("set_at", UtcDateTime, nullable=False),
)
Index("ix_prompt_rules_community_id", prompt_rules.c.guild_id, prompt_rules.c.id)

# Matches of rules: refused requests, and those of rules in a dry run. `words` are the matched ones, as typed.
prompt_blocks = Table(
    "prompt_blocks",
    metadata,
    id_column(primary_key=True),
    guild_id(nullable=False),
    snowflake("member_id", nullable=False),
    # A stored rule's id, or the name of one in a file.
    Column("rule_id", Text, nullable=False),
    Column("rule_name", Text, nullable=False),
    Column("source", String(16), nullable=False),
    Column("field", String(16), nullable=False),
    Column("words", Text, nullable=False),
    Column("is_dry", Boolean, nullable=False),
    # Set once the refusal has counted for a ban.
    Column("counted_at", UtcDateTime),
    # The time to report the ban to the moderators; None once it is done.
    Column("report_at", UtcDateTime),
    Column("at", UtcDateTime, nullable=False),
)
Index("ix_prompt_blocks_member", prompt_blocks.c.guild_id, prompt_blocks.c.member_id, prompt_blocks.c.at)
Index("ix_prompt_blocks_at", prompt_blocks.c.at)

# Refusals by a guild's rules with their prompts, for a day, and appeals against them. `digest` finds an allowed prompt.
prompt_appeals = Table(
    "prompt_appeals",
    metadata,
    id_column("block_id", primary_key=True),
    guild_id(nullable=False),
    snowflake("member_id", nullable=False),
    Column("text", Text, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("state", String(12), nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("appealed_at", UtcDateTime),
    snowflake("decided_by"),
    Column("decided_at", UtcDateTime),
)
Index(
    "ix_prompt_appeals_member",
    prompt_appeals.c.guild_id,
    prompt_appeals.c.member_id,
    prompt_appeals.c.digest,
)
Index("ix_prompt_appeals_at", prompt_appeals.c.at)

# Guilds with AutoMod's rules for prompts. `tried_at` is the last answer of Discord, `read_at` the last one with rules.
# Without the right to read them since `lost_at`, none is stored. `report_at` is the time to report that.
automod_guilds = Table(
    "automod_guilds",
    metadata,
    guild_id(primary_key=True, autoincrement=False),
    Column("read_at", UtcDateTime),
    Column("tried_at", UtcDateTime, nullable=False),
    Column("lost_at", UtcDateTime),
    Column("report_at", UtcDateTime),
)

# AutoMod's rules as last read: those that block messages by words.
automod_rules = Table(
    "automod_rules",
    metadata,
    guild_id(primary_key=True, autoincrement=False),
    snowflake("id", primary_key=True, autoincrement=False),
    Column("name", Text, nullable=False),
    Column("keywords", JSON, nullable=False),
    Column("patterns", JSON, nullable=False),
    Column("allowed", JSON, nullable=False),
    Column("exempt_roles", JSON, nullable=False),
    Column("exempt_channels", JSON, nullable=False),
)
