"""Resolution of a command's options into a checked request.

Unchosen options come from the preset, then from the member's defaults.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, TypedDict, Unpack

from sqlalchemy import Connection

from bot.domain.access_rules import AccessRule
from bot.domain.catalogue import Catalogue
from bot.domain.errors import PresetNotFoundError, RequestError, StudioClosedError
from bot.domain.images import InputImage
from bot.domain.option_resolution import chosen_request
from bot.domain.options import find_effect
from bot.domain.preferences import Preferences
from bot.domain.presets import Preset
from bot.domain.quotes import Quote, quotes
from bot.domain.requests import GenerationRequest
from bot.services.access_rules import AccessRules
from bot.services.guild_key_policy import GuildKeyPolicy
from db.access_rules import AccessRuleRepository
from db.database import Database
from db.preferences import PreferenceRepository
from db.presets import PresetRepository


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedRequest:
    """A checked request with its member's preferences for it.

    `private` shows the job to its member alone. Above `confirm_over` credits the member is asked first.
    """

    request: GenerationRequest
    private: bool
    confirm_over: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolverFacts:
    """A member's preferences as they apply in a guild, and its access rules."""

    preferences: Preferences
    access_rules: tuple[AccessRule, ...]


@dataclass(frozen=True, slots=True)
class RequestResolver:
    """Resolves a member's request inside the caller's transaction.

    That saves a transaction per command. `resolve` gets the facts of the guild and the member.
    """

    guild_id: int
    member_id: int
    resolve: Callable[[Connection, ResolverFacts], ResolvedRequest]

    def __call__(self, connection: Connection) -> ResolvedRequest:
        """Return the request; raises as `resolve` does."""
        (facts,) = read_resolver_facts(connection, [self])
        return self.resolve(connection, facts)

    def then(self, change: Callable[[ResolvedRequest], ResolvedRequest]) -> "RequestResolver":
        """Return a resolver of the changed request."""
        return replace(self, resolve=lambda connection, facts: change(self.resolve(connection, facts)))


def read_resolver_facts(connection: Connection, resolvers: Sequence[RequestResolver]) -> list[ResolverFacts]:
    """Return the facts of each resolver."""
    if not resolvers:
        return []
    preferences = PreferenceRepository(connection).list_in_guilds(
        [(each.guild_id, each.member_id) for each in resolvers]
    )
    rules = AccessRuleRepository(connection).list_all({each.guild_id for each in resolvers})
    return [
        ResolverFacts(preferences=preferences[each.guild_id, each.member_id], access_rules=rules.get(each.guild_id, ()))
        for each in resolvers
    ]


class TypedRequest(TypedDict):
    """A command as its member sent it; see `ResolverService.resolver_for`."""

    guild_id: int
    member_id: int
    prompt: str
    options: Mapping[str, Any]
    preset: str | None
    private: bool | None
    inputs: tuple[InputImage, ...]
    input_ratio: str | None
    roles: tuple[int, ...]


class ResolverService:
    """Builder of request resolvers.

    `effects` are those that the operator named. `default_models` returns the models for members who choose none, best
    first, without reserved ones; without it, that is the catalogue's default.
    """

    def __init__(
        self,
        *,
        database: Database,
        catalogue: Catalogue,
        effects: tuple[str, ...] = (),
        default_models: Callable[[Collection[str]], Sequence[str]] | None = None,
        keys: GuildKeyPolicy | None = None,
    ) -> None:
        self._database = database
        self._catalogue = catalogue
        self.effects = effects
        self._default_models = default_models or (lambda _: (catalogue.default_model,))
        self._rules = AccessRules(catalogue)
        self._keys = keys or GuildKeyPolicy(enabled=False, catalogue=catalogue)

    def resolver_for(
        self,
        *,
        guild_id: int,
        member_id: int,
        prompt: str,
        options: Mapping[str, Any],
        preset: str | None = None,
        private: bool | None = None,
        inputs: tuple[InputImage, ...] = (),
        input_ratio: str | None = None,
        roles: Collection[int] | None = None,
    ) -> RequestResolver:
        """Return the resolver of a command's request.

        None in `options` or for `private` means not chosen; see `_resolved`. `input_ratio` is that of an input image:
        it takes precedence over the member's preferred one. Without a chosen model it is the first default model that
        can do the request and that the member may use with their `roles`, if known. The resolver itself raises:

        Raises:
            PresetNotFoundError: no preset has this name.
            RequestError: an option is not possible.
            StudioClosedError: no provider offers a model for it.
        """

        def resolve(connection: Connection, facts: ResolverFacts) -> ResolvedRequest:
            preferences = facts.preferences
            stored = None if preset is None else PresetRepository(connection).find(guild_id, member_id, preset)
            if preset is not None and stored is None:
                raise PresetNotFoundError(preset)
            refused: RequestError | None = None
            # Only a default model moves on to the next: a chosen one is refused before the hold.
            by_default = roles is not None and options.get("model") is None
            reserved = self._rules.reserved_among(facts.access_rules, roles or ()) if by_default else frozenset()
            reserved |= self._keys.closed_models(connection, guild_id)
            for catalogue in self._catalogues(reserved):
                try:
                    request = chosen_request(
                        prompt=prompt,
                        options=options,
                        catalogue=catalogue,
                        preset=stored,
                        preferences=preferences,
                        inputs=inputs,
                        input_ratio=input_ratio,
                    )
                except RequestError as error:
                    refused = refused or error
                else:
                    return self._resolved(request, preferences, private)
            raise refused or StudioClosedError

        return RequestResolver(guild_id, member_id, resolve)

    async def resolve_at(self, models: Sequence[str], **asked: Unpack[TypedRequest]) -> tuple[ResolvedRequest, ...]:
        """Return a command's request at each able one of the models.

        Raises:
            PresetNotFoundError: no preset has this name.
        """

        def at(model: str) -> RequestResolver:
            moved = asked.copy()
            moved["options"] = {**asked["options"], "model": model}
            return self.resolver_for(**moved)

        resolvers = [at(model) for model in models]

        def read(connection: Connection) -> tuple[ResolvedRequest, ...]:
            found = []
            for resolver in resolvers:
                with suppress(RequestError, StudioClosedError):
                    found.append(resolver(connection))
            return tuple(found)

        return await self._database.read(read)

    async def confirm_over(self, member_id: int) -> int:
        """Return the price above which a member is asked first."""
        preferences = await self._database.read(lambda connection: PreferenceRepository(connection).get(member_id))
        return preferences.confirm_over

    def resolver_for_request(
        self, guild_id: int, member_id: int, request: GenerationRequest, *, private: bool | None = None
    ) -> RequestResolver:
        """Return a resolver of a finished request, such as a card action's.

        It adds the preferences of member and guild for privacy, and the member's for confirmation.
        """
        return RequestResolver(
            guild_id, member_id, lambda _, facts: self._resolved(request, facts.preferences, private)
        )

    async def resolve(self, resolver: RequestResolver) -> ResolvedRequest:
        """Return a resolver's request; raises as the resolver does."""
        return await self._database.read(resolver)

    async def default_request(
        self, *, guild_id: int, member_id: int, inputs: tuple[InputImage, ...]
    ) -> GenerationRequest:
        """Return a member's request without any chosen option.

        Raises:
            RequestError: the member's defaults are not possible with these inputs.
            StudioClosedError: no provider offers a model for it.
        """
        resolve = self.resolver_for(guild_id=guild_id, member_id=member_id, prompt="-", options={}, inputs=inputs)
        return (await self._database.read(resolve)).request

    async def quotes(
        self,
        chosen: Mapping[str, Any],
        *,
        guild_id: int,
        member_id: int,
        preset: object = None,
        inputs: tuple[InputImage, ...] = (),
    ) -> tuple[Quote, ...]:
        """Return a quote for each model while a command is being typed.

        See `bot.domain.quotes`. Models that the server's own keys do not serve are left out.
        """
        name = preset if isinstance(preset, str) else None

        def read(connection: Connection) -> tuple[tuple[Preferences, Preset | None], frozenset[str]]:
            return _read(connection, guild_id, member_id, name), self._keys.closed_models(connection, guild_id)

        (preferences, stored), closed = await self._database.read(read)
        found = quotes(chosen, next(self._catalogues(closed)), preset=stored, preferences=preferences, inputs=inputs)
        return tuple(each for each in found if each.model.id not in closed)

    def _catalogues(self, reserved: Collection[str]) -> Iterator[Catalogue]:
        """Yield the catalogue with each of the present default models."""
        for model in self._default_models(reserved):
            is_usual = model == self._catalogue.default_model
            yield self._catalogue if is_usual else replace(self._catalogue, default_model=model)

    def _resolved(
        self,
        request: GenerationRequest,
        preferences: Preferences,
        private: bool | None,  # noqa: FBT001 - None is a third value
    ) -> ResolvedRequest:
        """Return a request; without a choice it is as private as preferred."""
        if request.effect is not None:
            request = replace(request, effect=find_effect(request.effect, self.effects))
        return ResolvedRequest(
            request=request,
            private=bool(preferences.private if private is None else private),
            confirm_over=preferences.confirm_over,
        )


def _read(
    connection: Connection, guild_id: int, member_id: int, preset: str | None
) -> tuple[Preferences, Preset | None]:
    stored = None if preset is None else PresetRepository(connection).find(guild_id, member_id, preset)
    return PreferenceRepository(connection).get_in_guild(guild_id, member_id), stored
