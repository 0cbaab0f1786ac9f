"""Search for result images by hashes and fingerprints."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import BigInteger, Connection, bindparam, delete, or_, select

from bot.domain.images import ResultImage
from bot.domain.jobs import Delivery
from bot.domain.provenance import MAX_DISTANCE, distance, index_keys, search_keys
from bot.domain.sharing.challenges import ChallengeState
from db.many_rows import ManyInserts
from db.tables import challenge_entries, challenges, duels, fingerprint_keys, jobs, pictures, submissions

# Members can ask for any number of pictures that look the same.
_MOST_CANDIDATES: Final = 20_000
_MOST_IN_STATEMENT: Final = 2_000
_MOST_FOUND: Final = 20

_INSERT: Final = ManyInserts(fingerprint_keys)
_DELETE: Final = delete(fingerprint_keys).where(fingerprint_keys.c.job_id == bindparam("of_job"))
# While a challenge is voted on, nobody may learn the makers of its entries.
_BLIND_ENTRIES: Final = (
    select(submissions.c.job_id)
    .join(challenge_entries, challenge_entries.c.submission_id == submissions.c.id)
    .join(challenges, challenges.c.id == challenge_entries.c.challenge_id)
    .where(challenges.c.state == ChallengeState.VOTING.value)
)
# Until its end, nobody but its organizer may learn the models of a duel.
_IS_TOLD: Final = jobs.c.id.not_in(_BLIND_ENTRIES) & (
    jobs.c.duel_id.is_(None) | jobs.c.duel_id.in_(select(duels.c.id).where(duels.c.ended_at.is_not(None)))
)
# What the member may see: their own jobs, and those with a public card in their server. 0 is no server.
_IS_VISIBLE: Final = jobs.c.deleted_at.is_(None) & or_(
    jobs.c.member_id == bindparam("for_member", type_=BigInteger),
    (jobs.c.guild_id == bindparam("in_guild", type_=BigInteger))
    & (bindparam("in_guild", type_=BigInteger) != 0)
    & _IS_TOLD
    & or_(jobs.c.private.is_(False) & (jobs.c.delivery == Delivery.CARD.value), jobs.c.public_message_id.is_not(None)),
)
_COLUMNS: Final = (pictures.c.job_id, pictures.c.position, pictures.c.fingerprint)
_EXACT: Final = (
    select(*_COLUMNS)
    .join(jobs, jobs.c.id == pictures.c.job_id)
    .where(pictures.c.sha256 == bindparam("with_hash"), _IS_VISIBLE)
    .order_by(pictures.c.job_id.desc())
    .limit(_MOST_FOUND)
)
# Two statements: as one, SQLite would begin with the jobs of the server.
_CANDIDATES: Final = (
    select(fingerprint_keys.c.job_id)
    .distinct()
    .where(fingerprint_keys.c.key.in_(bindparam("with_keys", expanding=True)))
    .order_by(fingerprint_keys.c.job_id.desc())
    .limit(_MOST_CANDIDATES)
)
_VISIBLE: Final = (
    select(*_COLUMNS)
    .join(jobs, jobs.c.id == pictures.c.job_id)
    .where(pictures.c.job_id.in_(bindparam("the_ids", expanding=True)), pictures.c.fingerprint.is_not(None))
    .where(_IS_VISIBLE)
    .order_by(pictures.c.job_id.desc())
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Viewer:
    """A member and their server; 0 outside servers."""

    member_id: int
    guild_id: int


class FingerprintRepository:
    """Fingerprints of result images within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add_all(self, new: Sequence[ResultImage]) -> None:
        """Index the fingerprints of images."""
        rows = [
            {"key": key, "job_id": picture.job_id, "position": picture.position}
            for picture in new
            if picture.file.fingerprint is not None
            for key in index_keys(picture.file.fingerprint)
        ]
        if rows:
            _INSERT.execute(self._connection, rows)

    def remove_for(self, job_id: str, positions: Collection[int] | None = None) -> None:
        """Remove a job's images from the index, or those at positions."""
        removed = _DELETE if positions is None else _DELETE.where(fingerprint_keys.c.position.in_(list(positions)))
        self._connection.execute(removed, {"of_job": job_id})

    def find_exact(self, sha256: str, viewer: Viewer) -> list[str]:
        """Return the visible jobs with these bytes, latest first."""
        rows = self._connection.execute(_EXACT, {"with_hash": sha256, **_as_parameters(viewer)})
        return list(dict.fromkeys(row.job_id for row in rows))

    def find_alike(self, fingerprint: str, viewer: Viewer) -> list[str]:
        """Return the visible jobs with a similar image, most similar first."""
        ids = self._connection.execute(_CANDIDATES, {"with_keys": search_keys(fingerprint)}).scalars().all()
        visible = _as_parameters(viewer)
        rows = [
            row
            for some in (ids[at : at + _MOST_IN_STATEMENT] for at in range(0, len(ids), _MOST_IN_STATEMENT))
            for row in self._connection.execute(_VISIBLE, {"the_ids": some, **visible})
        ]
        found = [(distance(fingerprint, row.fingerprint), row.job_id) for row in rows]
        alike = sorted((each for each in found if each[0] <= MAX_DISTANCE), key=lambda each: each[0])
        return list(dict.fromkeys(job_id for _, job_id in alike))[:_MOST_FOUND]


def _as_parameters(viewer: Viewer) -> dict[str, int]:
    return {"for_member": viewer.member_id, "in_guild": viewer.guild_id}
