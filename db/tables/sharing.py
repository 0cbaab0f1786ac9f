"""Sharing: settings of guilds, submissions, and messages about them."""

from sqlalchemy import JSON, Boolean, CheckConstraint, Column, ForeignKey, Index, Integer, String, Table, Text, false

from db.columns import UtcDateTime, guild_id, id_column, metadata, partial_index, snowflake

# A guild without a row has the default settings.
sharing_settings = Table(
    "sharing_settings",
    metadata,
    guild_id(primary_key=True, autoincrement=False),
    Column("review", String(12), nullable=False),
    Column("trusted_roles", JSON, nullable=False),
    Column("allows_anonymous", Boolean, nullable=False),
    Column("refusal_reasons", JSON, nullable=False),
    Column("report_threshold", Integer, nullable=False),
    Column("reminder_hours", Integer, nullable=False),
    Column("votes", String(12), nullable=False),
    Column("voter_roles", JSON, nullable=False),
    CheckConstraint("report_threshold >= 0", name="report_threshold_not_negative"),
    CheckConstraint("reminder_hours >= 0", name="reminder_hours_not_negative"),
)

# Pictures of a job on their way to the showcase. The title is its member's words, erased with them.
submissions = Table(
    "submissions",
    metadata,
    id_column(primary_key=True),
    guild_id(nullable=False),
    snowflake("member_id", nullable=False),
    id_column("job_id", ForeignKey("jobs.id"), nullable=False),
    Column("title", Text, nullable=False),
    Column("show_prompt", Boolean, nullable=False),
    Column("is_anonymous", Boolean, nullable=False),
    Column("is_spoiler", Boolean, nullable=False),
    Column("is_age_restricted", Boolean, nullable=False),
    Column("flags", JSON, nullable=False),
    Column("state", String(12), nullable=False),
    Column("revision", Integer, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("waiting_since", UtcDateTime, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    snowflake("claimed_by"),
    Column("claimed_until", UtcDateTime),
    snowflake("decided_by"),
    Column("reason", Text, nullable=False),
)
Index("ix_submissions_job_id", submissions.c.job_id)
Index("ix_submissions_community_id_member_id", submissions.c.guild_id, submissions.c.member_id, submissions.c.id)
_AWAITS_REVIEW = submissions.c.state.in_(("waiting", "hidden"))
partial_index(
    "ix_submissions_awaiting_review",
    submissions.c.guild_id,
    submissions.c.waiting_since,
    submissions.c.id,
    where=_AWAITS_REVIEW,
)

# The pictures of submissions. A picture is in one live submission at most.
submission_pictures = Table(
    "submission_pictures",
    metadata,
    id_column("submission_id", ForeignKey("submissions.id"), primary_key=True),
    Column("position", Integer, primary_key=True),
    id_column("job_id", nullable=False),
    Column("is_live", Boolean, nullable=False),
)
_IS_LIVE = submission_pictures.c.is_live
partial_index(
    "ix_submission_pictures_live",
    submission_pictures.c.job_id,
    submission_pictures.c.position,
    unique=True,
    where=_IS_LIVE,
)

# Votes for submissions in the showcase: one for each member, by its latest way. Those by reactions end with them.
votes = Table(
    "votes",
    metadata,
    id_column("submission_id", ForeignKey("submissions.id"), primary_key=True),
    snowflake("member_id", primary_key=True, autoincrement=False),
    guild_id(nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("by_reaction", Boolean, nullable=False, server_default=false()),
)
Index("ix_votes_community_id_at", votes.c.guild_id, votes.c.at)
Index("ix_votes_member_id", votes.c.member_id)

# A server's picks of a week. The week is the ordinal of its Monday.
picks = Table(
    "picks",
    metadata,
    guild_id(primary_key=True, autoincrement=False),
    Column("week", Integer, primary_key=True, autoincrement=False),
    Column("place", Integer, primary_key=True, autoincrement=False),
    id_column("submission_id", ForeignKey("submissions.id"), nullable=False),
    Column("votes", Integer, nullable=False),
)
Index("ix_picks_submission_id", picks.c.submission_id)

# Messages that follow rows: each is due while Discord shows an older version than the wanted one.
outbox_messages = Table(
    "outbox_messages",
    metadata,
    id_column(primary_key=True),
    Column("kind", String(12), nullable=False),
    Column("subject_id", String(32), nullable=False),
    Column("number", Integer, nullable=False),
    guild_id(nullable=False),
    snowflake("channel_id"),
    snowflake("message_id"),
    Column("wanted", Integer, nullable=False),
    Column("shown", Integer, nullable=False),
    # The earliest time of the next try. Until `claimed_until` a process is at work on it.
    Column("due_at", UtcDateTime, nullable=False),
    Column("claimed_until", UtcDateTime),
    Column("tries", Integer, nullable=False),
    Column("begun_at", UtcDateTime),
    Column("ended", String(12)),
    # The planned time of a direct message: these keep a distance.
    Column("direct_at", UtcDateTime),
    # A short name of the attached files, so that an edit attaches them only if they differ.
    Column("content", String(100)),
    # The channel of its creation: of a post in a forum, the forum.
    snowflake("home_id"),
)
Index(
    "ix_outbox_messages_subject",
    outbox_messages.c.kind,
    outbox_messages.c.subject_id,
    outbox_messages.c.number,
    unique=True,
)
_IS_DIRECT = outbox_messages.c.direct_at.is_not(None)
partial_index("ix_outbox_messages_direct_at", outbox_messages.c.direct_at, where=_IS_DIRECT)
_IS_DUE = outbox_messages.c.wanted > outbox_messages.c.shown
partial_index("ix_outbox_messages_due_at", outbox_messages.c.due_at, where=_IS_DUE)

# Challenges; the theme is its moderator's words. `due_at` is the end of the present phase, None once it has ended.
challenges = Table(
    "challenges",
    metadata,
    id_column(primary_key=True),
    guild_id(nullable=False),
    snowflake("channel_id", nullable=False),
    Column("theme", Text, nullable=False),
    snowflake("created_by", nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("state", String(12), nullable=False),
    Column("closes_at", UtcDateTime, nullable=False),
    Column("ends_at", UtcDateTime, nullable=False),
    Column("due_at", UtcDateTime),
    Column("prize", Integer, nullable=False),
    # Credits that the winners got, None before.
    Column("paid", Integer),
    Column("is_age_restricted", Boolean, nullable=False),
    CheckConstraint("prize >= 0", name="prize_not_negative"),
)
Index("ix_challenges_due_at", challenges.c.due_at)
Index("ix_challenges_community_id", challenges.c.guild_id, challenges.c.id)

# A member's entry in a challenge: one, in place of an earlier one that was refused or withdrawn. `number` is its place
# in the vote, None before it. `votes` is its count at the end: None before, and for one that was gone by then.
challenge_entries = Table(
    "challenge_entries",
    metadata,
    id_column("challenge_id", ForeignKey("challenges.id"), primary_key=True),
    snowflake("member_id", primary_key=True, autoincrement=False),
    id_column("submission_id", ForeignKey("submissions.id"), nullable=False, unique=True),
    Column("number", Integer),
    Column("votes", Integer),
)

# The votes of running challenges: they are counted at the end, and deleted.
challenge_votes = Table(
    "challenge_votes",
    metadata,
    id_column("challenge_id", ForeignKey("challenges.id"), primary_key=True),
    snowflake("member_id", primary_key=True, autoincrement=False),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("at", UtcDateTime, nullable=False),
)
