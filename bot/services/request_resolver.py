"""What a member's command asks for, once their preset and their own defaults are taken into account."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from bot.domain.errors import PresetNotFoundError
from bot.domain.option_resolution import chosen_request
from bot.domain.preferences import Preferences
from bot.domain.presets import Preset
from bot.domain.quotes import Quote, quotes
from bot.domain.requests import GenerationRequest, InputImage
from db.database import Database
from db.preferences import PreferenceRepository
from db.presets import PresetRepository


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A checked request, and how its member wants it: for their eyes alone, and asked about above how many credits."""

    request: GenerationRequest
    private: bool
    confirm_over: int


Choose = Callable[[Connection], Choice]
"""What tells the choice within somebody's transaction, so that what it depends on costs no transaction of its own."""


class ChoiceService:
    """Merges what is chosen with what is kept. `providers` are those that the studio has, in the operator's order."""

    def __init__(self, *, database: Database, providers: Sequence[str]) -> None:
        self._database = database
        self._providers = providers

    def choosing(
        self,
        *,
        guild_id: int,
        member_id: int,
        prompt: str,
        options: Mapping[str, Any],
        preset: str | None = None,
        private: bool | None = None,
        inputs: tuple[InputImage, ...] = (),
        shape: str | None = None,
    ) -> Choose:
        """Return what tells what a command asks for; None in `options` and for `private` is not chosen.

        `shape` is the ratio of a picture to start from: it counts more than the one that the member prefers.
        Where it is called it raises `PresetNotFoundError`, a `RequestError`, or `StudioClosedError`.
        """

        def choose(connection: Connection) -> Choice:
            preferences, kept = _read(connection, guild_id, member_id, preset)
            if preset is not None and kept is None:
                raise PresetNotFoundError(preset)
            request = chosen_request(
                prompt=prompt,
                options=options,
                providers=self._providers,
                preset=kept,
                preferences=preferences,
                inputs=inputs,
                shape=shape,
            )
            return _choice(request, preferences, private)

        return choose

    def choosing_again(self, member_id: int, request: GenerationRequest, *, private: bool | None = None) -> Choose:
        """Return what tells how a member wants what is there already, as when they make something of a card."""
        return lambda connection: _choice(request, PreferenceRepository(connection).get(member_id), private)

    async def usual(self, *, guild_id: int, member_id: int, inputs: tuple[InputImage, ...]) -> GenerationRequest:
        """Return what a member would get who chooses nothing; raises a `RequestError` or `StudioClosedError`."""
        choose = self.choosing(guild_id=guild_id, member_id=member_id, prompt="-", options={}, inputs=inputs)
        return (await self._database.read(choose)).request

    async def quotes(
        self,
        chosen: Mapping[str, Any],
        *,
        guild_id: int,
        member_id: int,
        preset: object = None,
        inputs: tuple[InputImage, ...] = (),
    ) -> tuple[Quote, ...]:
        """Return a quote for each model, for a command that is still being written; see `bot.domain.quotes`."""
        name = preset if isinstance(preset, str) else None
        preferences, kept = await self._database.read(lambda connection: _read(connection, guild_id, member_id, name))
        return quotes(chosen, self._providers, preset=kept, preferences=preferences, inputs=inputs)


def _read(
    connection: Connection, guild_id: int, member_id: int, preset: str | None
) -> tuple[Preferences, Preset | None]:
    kept = None if preset is None else PresetRepository(connection).find(guild_id, member_id, preset)
    return PreferenceRepository(connection).get(member_id), kept


def _choice(request: GenerationRequest, preferences: Preferences, private: bool | None) -> Choice:  # noqa: FBT001
    return Choice(
        request=request,
        private=preferences.private if private is None else private,
        confirm_over=preferences.confirm_over,
    )
