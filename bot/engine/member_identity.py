"""Pending deletions of members, and their return."""

from collections.abc import Callable, Collection
from datetime import datetime

from sqlalchemy import Connection

from bot.domain.errors import DeletionRunningError
from db.deletions import DeletionRepository


class MemberIdentity:
    """Finds credits and bans kept under a member's pseudonym."""

    def __init__(self, *, pseudonym_of: Callable[[int], int], now: Callable[[], datetime]) -> None:
        self._pseudonym_of = pseudonym_of
        self._now = now

    def welcome(self, connection: Connection, member_id: int) -> None:
        """Let a member use the studio, and restore a returning one.

        Call it before credits, allowances or bans of the member are read.

        Raises:
            DeletionRunningError: everything about the member is being deleted.
        """
        deletions = DeletionRepository(connection)
        if not deletions.has_any(member_id, self._pseudonym_of(member_id)):
            return  # nearly always: one statement in the transaction of a job
        if deletions.is_pending(member_id):
            raise DeletionRunningError
        self.restore(connection, member_id)

    def list_known(self, connection: Connection, members: Collection[int]) -> frozenset[int]:
        """Return the members with something for `welcome` to do."""
        pseudonyms = {member: self._pseudonym_of(member) for member in members}
        known = DeletionRepository(connection).list_known([*members, *pseudonyms.values()])
        if not known:
            return frozenset()
        return frozenset(member for member, pseudonym in pseudonyms.items() if {member, pseudonym} & known)

    def is_gone(self, connection: Connection, member_id: int) -> bool:
        """Return whether a member deleted their data and has not returned."""
        deletions, pseudonym = DeletionRepository(connection), self._pseudonym_of(member_id)
        if not deletions.has_any(member_id, pseudonym):
            return False
        return deletions.is_pending(member_id) or deletions.is_away(pseudonym)

    def restore(self, connection: Connection, member_id: int) -> None:
        """Give a returning member the kept credits and bans."""
        DeletionRepository(connection).restore_member(member_id, self._pseudonym_of(member_id), self._now())

    def kept_as(self, connection: Connection, member_id: int) -> int:
        """Return the id of a member's kept credits and bans."""
        pseudonym = self._pseudonym_of(member_id)
        return pseudonym if DeletionRepository(connection).is_away(pseudonym) else member_id
