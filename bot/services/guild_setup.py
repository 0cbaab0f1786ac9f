"""State of a server's studio: its settings, and the reasons for silence."""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Connection

from bot.domain.allowances import AllowanceEntry
from bot.domain.errors import NotAdmittedError
from bot.domain.guild_settings import GuildSettings
from bot.domain.models import Model
from bot.domain.pauses import Pauses
from bot.domain.sharing.settings import DEFAULT_SHARING, SharingSettings
from bot.engine.ledger import Ledger
from bot.services.access import AccessService
from bot.services.access_rules import AccessRules
from bot.services.guild_key_policy import GuildKeyPolicy
from bot.services.model_availability import ModelAvailability
from db.accounts import AccountRepository
from db.allowances import AllowanceRepository
from db.database import Database
from db.guilds import GuildRepository
from db.pauses import PauseRepository
from db.sharing_settings import SharingSettingsRepository


class Silence(StrEnum):
    """A reason why nobody in the server can make a picture."""

    NOT_ADMITTED = "not_admitted"
    NOT_LISTED = "not_listed"
    NO_MODELS = "no_models"
    NO_PROVIDER = "no_provider"
    MODELS_PAUSED = "models_paused"
    MODELS_RESERVED = "models_reserved"
    BUDGET_SPENT = "budget_spent"
    SERVER_BUDGET_ZERO = "server_budget_zero"
    SERVER_BUDGET_SPENT = "server_budget_spent"
    SERVER_CAP_SPENT = "server_cap_spent"
    NO_ALLOWANCE = "no_allowance"
    LOW_ALLOWANCE = "low_allowance"
    NO_USABLE_KEY = "no_usable_key"
    PAUSED = "paused"


@dataclass(frozen=True, slots=True, kw_only=True)
class GuildState:
    """A server's settings, allowances and reasons for silence.

    `default_allowance` is the operator's, in credits a day. `sharing` are the settings for sharing.
    """

    guild_id: int
    settings: GuildSettings
    entries: tuple[AllowanceEntry, ...] = ()
    default_allowance: int = 0
    silences: tuple[Silence, ...] = ()
    sharing: SharingSettings = DEFAULT_SHARING

    @property
    def for_everyone(self) -> AllowanceEntry | None:
        """The server's allowance for everyone; None if it is the operator's."""
        return next((each for each in self.entries if not each.role_id and not each.member_id), None)


class GuildSetupService:
    """Reads the state of servers."""

    def __init__(
        self,
        *,
        database: Database,
        access: AccessService,
        ledger: Ledger,
        availability: ModelAvailability,
        default_allowance: int,
        now: Callable[[], datetime],
        keys: GuildKeyPolicy | None = None,
    ) -> None:
        self._keys = keys or GuildKeyPolicy(enabled=False, catalogue=availability.catalogue())
        self._database = database
        self._access = access
        self._ledger = ledger
        self._availability = availability
        self._default_allowance = default_allowance
        self._now = now

    async def get(self, guild_id: int, roles: Collection[int] | None = None) -> GuildState:
        """Return a server's state.

        `roles` are all that members there can have; without them, models reserved for roles count as usable.
        """
        return await self._database.read(lambda connection: self._read(connection, guild_id, roles))

    def _read(self, connection: Connection, guild_id: int, roles: Collection[int] | None) -> GuildState:
        settings = GuildRepository(connection).settings(guild_id)
        entries = AllowanceRepository(connection).list(guild_id)
        pauses = PauseRepository(connection).find(guild_id)
        is_paused = pauses.of_guild(guild_id) is not None
        found: list[Silence] = []
        try:
            self._access.check(connection, guild_id)
        except NotAdmittedError as error:
            found.append(Silence.NOT_LISTED if error.by_list else Silence.NOT_ADMITTED)
        models = self._availability.catalogue().models
        if models:
            reserved = self._reserved_models(connection, guild_id, roles)
            own = self._keys.providers(connection, guild_id)
            models, closed = self._usable_models(guild_id, None if is_paused else pauses, reserved, own)
            found += closed
            cheapest = min(each.text_price for each in models)
            found += self._spent_budgets(connection, guild_id, settings, cheapest)
            found += self._low_allowances(connection, guild_id, entries, cheapest)
        else:
            found.append(Silence.NO_MODELS)
        if is_paused:
            found.append(Silence.PAUSED)
        return GuildState(
            guild_id=guild_id,
            settings=settings,
            entries=entries,
            default_allowance=self._default_allowance,
            silences=tuple(found),
            sharing=SharingSettingsRepository(connection).get(guild_id),
        )

    def _reserved_models(self, connection: Connection, guild_id: int, roles: Collection[int] | None) -> Collection[str]:
        if roles is None:
            return ()
        return AccessRules(self._availability.catalogue()).reserved_models(connection, guild_id, roles)

    def _usable_models(
        self, guild_id: int, pauses: Pauses | None, reserved: Collection[str], own: Collection[str] | None
    ) -> tuple[tuple[Model, ...], list[Silence]]:
        """Return the usable models; without any, the last ones and the reason.

        `own` are the providers with an own key of the server, None if it uses the operator's keys.
        """
        catalogue, living = self._availability.catalogue(), self._availability.living_models()

        def providers_of(model: Model) -> list[str]:
            found = [offer.provider for offer in catalogue.offers_of(model.id)]
            return [each for each in found if own is None or each in own]

        def is_paused(model: Model) -> bool:
            return pauses is not None and pauses.blocking(guild_id, model.id, providers_of(model)) is not None

        usable = catalogue.models
        checks: tuple[tuple[Silence, Callable[[Model], bool]], ...] = (
            (Silence.NO_USABLE_KEY, lambda model: own is None or bool(providers_of(model))),
            (Silence.NO_PROVIDER, lambda model: own is not None or model.id in living),
            (Silence.MODELS_PAUSED, lambda model: not is_paused(model)),
            (Silence.MODELS_RESERVED, lambda model: model.id not in reserved),
        )
        for silence, is_usable in checks:
            remaining = tuple(filter(is_usable, usable))
            if not remaining:
                return usable, [silence]
            usable = remaining
        return usable, []

    def _spent_budgets(
        self, connection: Connection, guild_id: int, settings: GuildSettings, cheapest: int
    ) -> Iterator[Silence]:
        now = self._now()
        is_own = self._keys.uses_own(connection, guild_id)
        if not is_own and self._ledger.budget(connection, now).is_spent(cheapest):
            yield Silence.BUDGET_SPENT
        limits = self._ledger.guild_limits(connection, guild_id)
        if settings.monthly_budget == 0:
            yield Silence.SERVER_BUDGET_ZERO
        elif limits.lowest is not None and self._ledger.guild_budget(connection, guild_id, now).is_spent(cheapest):
            yield Silence.SERVER_CAP_SPENT if limits.lowest == limits.operators else Silence.SERVER_BUDGET_SPENT

    def _low_allowances(
        self, connection: Connection, guild_id: int, entries: Sequence[AllowanceEntry], cheapest: int
    ) -> Iterator[Silence]:
        amounts = [each.amount for each in entries]
        if not any(not each.role_id and not each.member_id for each in entries):
            amounts.append(self._default_allowance)
        if any(each is None or each >= cheapest for each in amounts):
            return
        if not AccountRepository(connection).has_granted(guild_id, cheapest):
            yield Silence.LOW_ALLOWANCE if any(amounts) else Silence.NO_ALLOWANCE
