"""Presets: a member's own and a server's.

A member's own are usable everywhere; a server's are set by its moderators.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection

from bot.domain.catalogue import Catalogue
from bot.domain.errors import (
    EditOnlyError,
    EmptyPresetError,
    NotAllowedError,
    NotInServerError,
    PresetLimitError,
    PresetNameTakenError,
    PresetNotFoundError,
)
from bot.domain.images import InputImage
from bot.domain.lazy_text import LazyText
from bot.domain.option_resolution import chosen_request
from bot.domain.options import drop_unset, find_effect
from bot.domain.preferences import NO_PREFERENCES, Preferences
from bot.domain.presets import (
    KEPT_FOR_UNDO,
    MAX_PRESETS,
    Preset,
    PresetScope,
    undo_token,
    validate_name,
    validate_template,
)
from bot.services.access import AccessService
from bot.services.jobs import Actor
from bot.services.member_limits import FreeAction, MemberLimits
from db.database import Database
from db.preferences import PreferenceRepository
from db.presets import PresetRepository

# The shortest possible prompt: a template that leaves no room for it is useless.
_SHORTEST_PROMPT: Final = "x"


@dataclass(frozen=True, slots=True, kw_only=True)
class Presets:
    """A member's usable presets, sorted by name.

    `own` are the member's, `shared` the current server's.
    """

    own: tuple[Preset, ...] = ()
    shared: tuple[Preset, ...] = ()

    @property
    def by_name(self) -> tuple[Preset, ...]:
        """The presets behind their names.

        A member's own preset hides a server's of the same name.
        """
        taken = {preset.key for preset in self.own}
        return (*self.own, *(preset for preset in self.shared if preset.key not in taken))


@dataclass(frozen=True, slots=True, kw_only=True)
class Deleted:
    """A deleted preset and its undo token."""

    preset: Preset
    undo_token: str


class PresetService:
    """Store of presets.

    `effects` are those that the operator named.
    """

    def __init__(
        self,
        *,
        database: Database,
        access: AccessService,
        catalogue: Catalogue,
        now: Callable[[], datetime],
        limits: MemberLimits,
        effects: tuple[str, ...] = (),
    ) -> None:
        self._database = database
        self._access = access
        self._catalogue = catalogue
        self._effects = effects
        self._now = now
        self._limits = limits

    async def save(
        self, actor: Actor, *, name: str, template: str | None, options: Mapping[str, Any], shared: bool = False
    ) -> tuple[Preset, bool]:
        """Save chosen options and a prompt template under a name.

        Options that are None were not chosen. Return the preset, and whether it replaced one of the same name.

        Raises:
            NotAllowedError: the preset is for the server and the actor is no moderator.
            NotInServerError: the preset is for the server and the actor is outside one.
            EmptyPresetError: neither an option nor a template is given.
            PresetLimitError: there are as many presets as allowed.
            RequestError: no prompt makes a valid request with these options, or the operator named no such effect.
            StudioClosedError: no provider offers a model for them.
            NotAdmittedError: the server is not admitted.
            TooManyRequestsError: the member changed presets very often within a minute.
        """
        self._limits.count(FreeAction.PRESET, actor.member_id)
        preset = Preset(
            name=validate_name(name),
            template=validate_template(template),
            options=self._with_known_effect(drop_unset(options)),
            shared=shared,
            saved_by=actor.member_id,
        )
        if not preset.template and not preset.options:
            raise EmptyPresetError
        scope = _scope(actor, shared=shared)
        now = self._now()

        def write(connection: Connection) -> bool:
            presets = PresetRepository(connection)
            # A member's own preset takes room too, so servers that are not admitted store none.
            if shared or actor.guild_id:
                self._access.check(connection, actor.guild_id)
            own = NO_PREFERENCES if shared else PreferenceRepository(connection).get(actor.member_id)
            self._check_possible(preset, own)
            presets.lock()
            replaced = presets.find_in(scope, preset.name) is not None
            if not replaced and presets.count_in(scope) >= MAX_PRESETS:
                raise PresetLimitError(MAX_PRESETS, shared=shared)
            presets.save(scope, preset, now)
            return replaced

        return preset, await self._database.write(write)

    def _with_known_effect(self, options: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the options with their effect as the operator named it."""
        effect = options.get("effect")
        return options if effect is None else {**options, "effect": find_effect(effect, self._effects)}

    def _check_possible(self, preset: Preset, preferences: Preferences) -> None:
        """Check that some prompt, with an image if need be, makes a request."""

        def check(inputs: tuple[InputImage, ...]) -> None:
            chosen_request(
                prompt=_SHORTEST_PROMPT,
                options={},
                catalogue=self._catalogue,
                preset=preset,
                preferences=preferences,
                inputs=inputs,
            )

        try:
            check(())
        except EditOnlyError:
            check((InputImage(),))

    async def list(self, actor: Actor) -> Presets:
        """Return a member's usable presets in the current server."""

        def read(connection: Connection) -> Presets:
            presets = PresetRepository(connection)
            return Presets(
                own=presets.list_in(PresetScope(member_id=actor.member_id)),
                shared=presets.list_in(PresetScope(guild_id=actor.guild_id)) if actor.guild_id else (),
            )

        return await self._database.read(read)

    async def delete(self, actor: Actor, name: str, *, shared: bool = False) -> Deleted:
        """Delete the preset behind a name; it can be restored for a day.

        That is the member's own, else the server's; with `shared`, always the server's.

        Raises:
            PresetNotFoundError: no preset has this name.
            NotInServerError: the server's preset is wanted outside a server.
            NotAllowedError: the preset is the server's and the actor is no moderator.
            TooManyRequestsError: the member changed presets very often within a minute.
        """
        self._limits.count(FreeAction.PRESET, actor.member_id)
        now = self._now()

        def write(connection: Connection) -> Deleted:
            presets = PresetRepository(connection)
            if shared:
                found = presets.find_in(_scope(actor, shared=True), name)
            else:
                found = presets.find(actor.guild_id, actor.member_id, name)
            if found is None:
                raise PresetNotFoundError(name)
            scope = _scope(actor, shared=found.shared)
            presets.delete(scope, found, now)
            return Deleted(preset=found, undo_token=undo_token(scope, found.key))

        return await self._database.write(write)

    async def restore(self, actor: Actor, token: str) -> Preset:
        """Undo a deletion and return the preset.

        Raises:
            PresetNotFoundError: the deletion is more than a day old, or the token is not the actor's.
            PresetNameTakenError: its name was given to another preset.
            PresetLimitError: there are as many presets as allowed.
        """
        since = self._now() - KEPT_FOR_UNDO
        own, server = PresetScope(member_id=actor.member_id), PresetScope(guild_id=actor.guild_id)
        scopes = (own, server) if actor.guild_id and actor.moderator else (own,)

        def write(connection: Connection) -> Preset:
            presets = PresetRepository(connection)
            presets.lock()
            presets.purge(since)
            for scope in scopes:
                found = presets.find_deleted(scope, token)
                if found is None:
                    continue
                preset, deleted = found
                if not deleted:
                    raise PresetNameTakenError(preset.name)
                if presets.count_in(scope) >= MAX_PRESETS:
                    raise PresetLimitError(MAX_PRESETS, shared=scope.shared)
                presets.restore(scope, preset)
                return preset
            raise PresetNotFoundError

        return await self._database.write(write)


def _scope(actor: Actor, *, shared: bool) -> PresetScope:
    """Return a scope after checking the actor's permission to change it.

    Raises:
        NotInServerError: the server's scope is wanted outside a server.
        NotAllowedError: the server's scope is wanted and the actor is no moderator.
    """
    if not shared:
        return PresetScope(member_id=actor.member_id)
    if actor.guild_id == 0:
        raise NotInServerError
    if not actor.moderator:
        raise NotAllowedError(LazyText("a moderator"))
    return PresetScope(guild_id=actor.guild_id)
