"""Presets: a member's own, which go with them everywhere, and a server's, which its moderators set."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection

from bot.domain.errors import (
    EmptyPresetError,
    NotAllowedError,
    NotInServerError,
    PresetLimitError,
    PresetNameTakenError,
    PresetNotFoundError,
)
from bot.domain.lazy_text import LazyText
from bot.domain.option_resolution import chosen_request, drop_unset
from bot.domain.preferences import NO_PREFERENCES
from bot.domain.presets import (
    KEPT_FOR_UNDO,
    MAX_PRESETS,
    Preset,
    PresetScope,
    checked_name,
    checked_template,
    undo_token,
)
from bot.services.access import AccessService
from bot.services.jobs import Actor
from db.database import Database
from db.preferences import PreferenceRepository
from db.presets import PresetRepository

# The shortest prompt that there is, to see what a preset leaves room for.
_SOME_PROMPT: Final = "x"


@dataclass(frozen=True, slots=True, kw_only=True)
class Presets:
    """The presets that someone can use: their own, and the server's where they are in one; each by their names."""

    own: tuple[Preset, ...] = ()
    shared: tuple[Preset, ...] = ()

    @property
    def by_name(self) -> tuple[Preset, ...]:
        """What names stand for: a server's preset is hidden by one's own of the same name."""
        taken = {preset.key for preset in self.own}
        return (*self.own, *(preset for preset in self.shared if preset.key not in taken))


@dataclass(frozen=True, slots=True, kw_only=True)
class Deleted:
    """A preset that was deleted, and the mark by which it can be restored."""

    preset: Preset
    mark: str


class PresetService:
    """Keeps presets. `providers` are those that the studio has, in the operator's order."""

    def __init__(
        self, *, database: Database, access: AccessService, providers: Sequence[str], now: Callable[[], datetime]
    ) -> None:
        self._database = database
        self._access = access
        self._providers = providers
        self._now = now

    async def save(
        self, actor: Actor, *, name: str, template: str | None, options: Mapping[str, Any], shared: bool = False
    ) -> tuple[Preset, bool]:
        """Keep the options that were chosen (not None) and a prompt's frame under a name.

        Return the preset, and whether another one of this name made way for it. Raises `NotAllowedError` where it is
        for the server and not by a moderator, `NotInServerError`, `EmptyPresetError`, `PresetLimitError`, a
        `RequestError` where no prompt would make this a request, or `StudioClosedError`.
        """
        preset = Preset(
            name=checked_name(name),
            template=checked_template(template),
            options=drop_unset(options),
            shared=shared,
            saved_by=actor.member_id,
        )
        if not preset.template and not preset.options:
            raise EmptyPresetError
        shelf = _shelf(actor, shared=shared)
        now = self._now()

        def write(connection: Connection) -> bool:
            presets = PresetRepository(connection)
            if shared:
                self._access.check(connection, actor.guild_id)
            own = NO_PREFERENCES if shared else PreferenceRepository(connection).get(actor.member_id)
            chosen_request(prompt=_SOME_PROMPT, options={}, providers=self._providers, preset=preset, preferences=own)
            presets.lock()
            replaced = presets.find_on(shelf, preset.name) is not None
            if not replaced and presets.count_on(shelf) >= MAX_PRESETS:
                raise PresetLimitError(MAX_PRESETS, shared=shared)
            presets.save(shelf, preset, now)
            return replaced

        return preset, await self._database.write(write)

    async def list(self, actor: Actor) -> Presets:
        """Return what somebody can use where they are."""

        def read(connection: Connection) -> Presets:
            presets = PresetRepository(connection)
            return Presets(
                own=presets.list_on(PresetScope(member_id=actor.member_id)),
                shared=presets.list_on(PresetScope(guild_id=actor.guild_id)) if actor.guild_id else (),
            )

        return await self._database.read(read)

    async def delete(self, actor: Actor, name: str, *, shared: bool = False) -> Deleted:
        """Delete what a name stands for: one's own preset, else the server's; with `shared`, the server's.

        It can be restored for a day. Raises `PresetNotFoundError`, `NotInServerError`, or `NotAllowedError` where it
        is the server's and this is no moderator.
        """
        now = self._now()

        def write(connection: Connection) -> Deleted:
            presets = PresetRepository(connection)
            if shared:
                found = presets.find_on(_shelf(actor, shared=True), name)
            else:
                found = presets.find(actor.guild_id, actor.member_id, name)
            if found is None:
                raise PresetNotFoundError(name)
            shelf = _shelf(actor, shared=found.shared)
            presets.delete(shelf, found, now)
            return Deleted(preset=found, mark=undo_token(shelf, found.key))

        return await self._database.write(write)

    async def restore(self, actor: Actor, mark: str) -> Preset:
        """Undo a deletion.

        Raises `PresetNotFoundError` after a day, `PresetNameTakenError` where its name has a preset again, and
        `PresetLimitError`.
        """
        since = self._now() - KEPT_FOR_UNDO
        own, theirs = PresetScope(member_id=actor.member_id), PresetScope(guild_id=actor.guild_id)
        shelves = (own, theirs) if actor.guild_id and actor.moderator else (own,)

        def write(connection: Connection) -> Preset:
            presets = PresetRepository(connection)
            presets.lock()
            presets.purge(since)
            for shelf in shelves:
                found = presets.find_deleted(shelf, mark)
                if found is None:
                    continue
                preset, deleted = found
                if not deleted:
                    raise PresetNameTakenError(preset.name)
                if presets.count_on(shelf) >= MAX_PRESETS:
                    raise PresetLimitError(MAX_PRESETS, shared=shelf.shared)
                presets.restore(shelf, preset)
                return preset
            raise PresetNotFoundError

        return await self._database.write(write)


def _shelf(actor: Actor, *, shared: bool) -> PresetScope:
    """Return the shelf that somebody may put things on and take them off."""
    if not shared:
        return PresetScope(member_id=actor.member_id)
    if actor.guild_id == 0:
        raise NotInServerError
    if not actor.moderator:
        raise NotAllowedError(LazyText("a moderator"))
    return PresetScope(guild_id=actor.guild_id)
