"""State of a server's studio: its settings, and the reasons for silence."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Connection

from bot.domain.allowances import AllowanceEntry
from bot.domain.errors import NotAdmittedError
from bot.domain.guild_settings import GuildSettings
from bot.engine.ledger import Ledger
from bot.services.access import AccessService
from bot.services.model_availability import ModelAvailability
from db.allowances import AllowanceRepository
from db.database import Database
from db.guilds import GuildRepository
from db.pauses import PauseRepository


class Silence(StrEnum):
    """A reason why nobody in the server can make a picture."""

    NOT_ADMITTED = "not_admitted"
    NOT_LISTED = "not_listed"
    NO_MODELS = "no_models"
    NO_PROVIDER = "no_provider"
    BUDGET_SPENT = "budget_spent"
    SERVER_BUDGET_ZERO = "server_budget_zero"
    NO_ALLOWANCE = "no_allowance"
    PAUSED = "paused"


@dataclass(frozen=True, slots=True, kw_only=True)
class GuildState:
    """A server's settings, allowances and reasons for silence.

    `default_allowance` is the operator's, in credits a day.
    """

    guild_id: int
    settings: GuildSettings
    entries: tuple[AllowanceEntry, ...] = ()
    default_allowance: int = 0
    silences: tuple[Silence, ...] = ()

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
    ) -> None:
        self._database = database
        self._access = access
        self._ledger = ledger
        self._availability = availability
        self._default_allowance = default_allowance
        self._now = now

    async def get(self, guild_id: int) -> GuildState:
        """Return a server's state."""
        return await self._database.read(lambda connection: self._read(connection, guild_id))

    def _read(self, connection: Connection, guild_id: int) -> GuildState:
        settings = GuildRepository(connection).settings(guild_id)
        entries = AllowanceRepository(connection).list(guild_id)
        found = []
        try:
            self._access.check(connection, guild_id)
        except NotAdmittedError as error:
            found.append(Silence.NOT_LISTED if error.by_list else Silence.NOT_ADMITTED)
        models = self._availability.catalogue().models
        if not models:
            found.append(Silence.NO_MODELS)
        elif not self._availability.living_models():
            found.append(Silence.NO_PROVIDER)
        if models and self._ledger.budget(connection, self._now()).is_spent(min(each.text_price for each in models)):
            found.append(Silence.BUDGET_SPENT)
        if settings.monthly_budget == 0:
            found.append(Silence.SERVER_BUDGET_ZERO)
        has_default = self._default_allowance > 0 and not any(not e.role_id and not e.member_id for e in entries)
        if not has_default and all(each.amount == 0 for each in entries):
            found.append(Silence.NO_ALLOWANCE)
        if PauseRepository(connection).find(guild_id).of_guild(guild_id) is not None:
            found.append(Silence.PAUSED)
        return GuildState(
            guild_id=guild_id,
            settings=settings,
            entries=entries,
            default_allowance=self._default_allowance,
            silences=tuple(found),
        )
