"""Duels: the models of each, and the votes of the open ones."""

from sqlalchemy import Boolean, CheckConstraint, Column, ForeignKey, Index, Integer, String, Table, false

from db.columns import UtcDateTime, guild_id, id_column, metadata, partial_index, snowflake

# The message of a duel is the place of its jobs.
duels = Table(
    "duels",
    metadata,
    id_column(primary_key=True),
    guild_id(nullable=False),
    snowflake("member_id", nullable=False),
    Column("hours", Integer, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    # The vote. None without one.
    Column("opened_at", UtcDateTime),
    Column("ends_at", UtcDateTime),
    Column("ended_at", UtcDateTime),
    # When the message showed the end, or was out of reach.
    Column("shown_at", UtcDateTime),
    Column("counts", Boolean, nullable=False, server_default=false()),
    CheckConstraint("hours > 0", name="hours_positive"),
)
_UNSHOWN = duels.c.shown_at.is_(None)
partial_index("ix_duels_unshown", duels.c.ends_at, where=_UNSHOWN)
Index("ix_duels_community_id", duels.c.guild_id, duels.c.id)
Index("ix_duels_member_id", duels.c.member_id)

duel_entries = Table(
    "duel_entries",
    metadata,
    id_column("duel_id", ForeignKey("duels.id"), primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    # No foreign key: the job is inserted after its duel.
    id_column("job_id", nullable=False),
    Column("model", String(64), nullable=False),
    # The count at the end. None before, and without a picture.
    Column("votes", Integer),
    CheckConstraint("votes >= 0", name="votes_not_negative"),
)

# The votes of open duels: they are counted at the end, and deleted.
duel_votes = Table(
    "duel_votes",
    metadata,
    id_column("duel_id", ForeignKey("duels.id"), primary_key=True),
    snowflake("member_id", primary_key=True, autoincrement=False),
    Column("position", Integer, nullable=False),
    Column("at", UtcDateTime, nullable=False),
)
Index("ix_duel_votes_member_id", duel_votes.c.member_id)
