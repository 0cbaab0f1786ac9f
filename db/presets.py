"""Presets, including recently deleted ones."""

from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, and_, bindparam, delete, func, select, update

from bot.domain.presets import Preset, PresetScope, is_name, preset_key, undo_token
from db.dialects import insert
from db.locks import SAVING_PRESETS, advisory_lock
from db.tables import presets

_FIND: Final = select(presets).where(
    presets.c.guild_id == bindparam("the_guild"),
    presets.c.member_id == bindparam("the_member"),
    presets.c.key == bindparam("the_key"),
    presets.c.deleted_at.is_(None),
)


class PresetRepository:
    """Presets within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def lock(self) -> None:
        """Block concurrent changes of presets, so that a count stays valid."""
        advisory_lock(self._connection, SAVING_PRESETS)

    def list_in(self, scope: PresetScope) -> tuple[Preset, ...]:
        """Return the presets of a scope, by name."""
        rows = self._connection.execute(select(presets).where(_kept(scope)).order_by(presets.c.key))
        return tuple(_from_row(row) for row in rows)

    def find_in(self, scope: PresetScope, name: str) -> Preset | None:
        """Return the preset of this name in a scope, in any spelling, or None."""
        if not is_name(name):
            return None
        named = {"the_guild": scope.guild_id, "the_member": scope.member_id, "the_key": preset_key(name)}
        row = self._connection.execute(_FIND, named).first()
        return None if row is None else _from_row(row)

    def find(self, guild_id: int, member_id: int, name: str) -> Preset | None:
        """Return the preset behind a name: the member's own, else the guild's."""
        scopes = (PresetScope(member_id=member_id), PresetScope(guild_id=guild_id))
        return next(filter(None, (self.find_in(scope, name) for scope in scopes)), None)

    def count_in(self, scope: PresetScope) -> int:
        """Return the number of presets in a scope."""
        counted = select(func.count()).select_from(presets).where(_kept(scope))
        return self._connection.execute(counted).scalar_one()

    def count_of(self, member_id: int) -> int:
        """Return the number of a member's own presets, deleted ones included."""
        counted = select(func.count()).select_from(presets)
        return self._connection.execute(
            counted.where(presets.c.guild_id == 0, presets.c.member_id == member_id)
        ).scalar_one()

    def save(self, scope: PresetScope, preset: Preset, at: datetime) -> None:
        """Store a preset in place of one of the same name, deleted or not."""
        values = {
            "name": preset.name,
            "template": preset.template,
            "options": dict(preset.options),
            "saved_by": preset.saved_by,
            "saved_at": at,
            "deleted_at": None,
        }
        key = {"guild_id": scope.guild_id, "member_id": scope.member_id, "key": preset.key}
        self._connection.execute(
            insert(self._connection, presets)
            .values(**key, **values)
            .on_conflict_do_update(index_elements=[presets.c.guild_id, presets.c.member_id, presets.c.key], set_=values)
        )

    def delete(self, scope: PresetScope, preset: Preset, at: datetime) -> None:
        """Mark a preset as deleted; `restore` works until it is purged."""
        taken = update(presets).where(_in_scope(scope), presets.c.key == preset.key)
        self._connection.execute(taken.values(deleted_at=at))

    def find_deleted(self, scope: PresetScope, token: str) -> tuple[Preset, bool] | None:
        """Return the preset behind an undo token, and whether it is deleted now.

        None if the token is unknown.
        """
        for row in self._connection.execute(select(presets).where(_in_scope(scope))):
            if undo_token(scope, row.key) == token:
                return _from_row(row), row.deleted_at is not None
        return None

    def restore(self, scope: PresetScope, preset: Preset) -> None:
        """Restore a deleted preset."""
        self._connection.execute(
            update(presets).where(_in_scope(scope), presets.c.key == preset.key).values(deleted_at=None)
        )

    def purge(self, before: datetime) -> None:
        """Purge the presets deleted before this moment."""
        self._connection.execute(delete(presets).where(presets.c.deleted_at < before))


def _in_scope(scope: PresetScope) -> ColumnElement[bool]:
    return and_(presets.c.guild_id == scope.guild_id, presets.c.member_id == scope.member_id)


def _kept(scope: PresetScope) -> ColumnElement[bool]:
    return and_(_in_scope(scope), presets.c.deleted_at.is_(None))


def _from_row(row: Row[Any]) -> Preset:
    return Preset(
        name=row.name,
        template=row.template,
        options=row.options,
        shared=row.member_id == 0,
        saved_by=row.saved_by,
    )
