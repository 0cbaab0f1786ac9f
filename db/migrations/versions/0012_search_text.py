"""Normalized prompts for searches, and indexes for caps on rows."""

import unicodedata

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_OWN_INSTRUCTION = "Keep this picture exactly as it is and change nothing in it."
_AT_ONCE = 1_000


def upgrade() -> None:
    """Add the column, fill it, and create the indexes."""
    op.add_column("jobs", sa.Column("search_text", sa.Text(), nullable=True))
    _fill(op.get_bind())
    for table in ("drafts", "forms", "searches"):
        op.create_index(f"ix_{table}_member_id", table, ["member_id", "id"], unique=False)


def _fill(connection: sa.Connection) -> None:
    jobs = sa.table("jobs", sa.column("id"), sa.column("prompt"), sa.column("deleted_at"), sa.column("search_text"))
    batch = (
        sa.select(jobs.c.id, jobs.c.prompt)
        .where(jobs.c.id > sa.bindparam("after"), jobs.c.deleted_at.is_(None), jobs.c.prompt != _OWN_INSTRUCTION)
        .order_by(jobs.c.id)
        .limit(_AT_ONCE)
    )
    change = sa.update(jobs).where(jobs.c.id == sa.bindparam("the_id")).values(search_text=sa.bindparam("words"))
    after = ""
    while rows := connection.execute(batch, {"after": after}).all():
        connection.execute(change, [{"the_id": row.id, "words": _normalized(row.prompt)} for row in rows])
        after = rows[-1].id


def _normalized(text: str) -> str:
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return " ".join(folded.split())
