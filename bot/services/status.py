"""Status of the bot."""

from collections.abc import Callable
from dataclasses import dataclass, field

from sqlalchemy import Connection

from bot.domain.catalogue import Catalogue
from bot.domain.credits import Budget
from bot.domain.pauses import Pauses
from bot.engine.clock import Clock
from bot.engine.health import HealthRegistry, ProviderHealth
from bot.engine.ledger import Ledger
from bot.services.job_snapshots import JobSnapshotService
from db.database import Database
from db.jobs import JobRepository
from db.pauses import PauseRepository


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """The bot's status.

    `providers` is their health, `waiting` and `working` count jobs, `usual_seconds` maps each offered model to its
    median and 90th percentile. `budget` is the operator's of this month; it is spent if it covers no further
    picture and the guild needs it.
    `pauses` are those that may stop jobs of the guild `guild_id`; `is_admitted` is False if it may not use the bot.
    """

    providers: tuple[ProviderHealth, ...]
    waiting: int
    working: int
    usual_seconds: dict[str, tuple[int, int] | None]
    budget: Budget
    budget_spent: bool = False
    guild_id: int = 0
    pauses: Pauses = field(default_factory=Pauses)
    is_admitted: bool = True


class StatusService:
    """Read access to the status."""

    def __init__(
        self,
        *,
        database: Database,
        ledger: Ledger,
        clock: Clock,
        snapshots: JobSnapshotService,
        health: HealthRegistry,
        catalogue: Catalogue,
        uses_own_keys: Callable[[Connection, int], bool] = lambda *_: False,
        is_admitted: Callable[[Connection, int], bool] = lambda *_: True,
    ) -> None:
        self._is_admitted = is_admitted
        self._uses_own_keys = uses_own_keys
        self._database = database
        self._ledger = ledger
        self._clock = clock
        self._snapshots = snapshots
        self._health = health
        self._catalogue = catalogue

    async def get(self, guild_id: int) -> Status:
        """Return the current status for a guild."""
        now = self._clock.now()

        def read(connection: Connection) -> tuple[tuple[int, int], Budget, Pauses, bool, bool]:
            pauses = PauseRepository(connection).find(guild_id)
            own_keys = self._uses_own_keys(connection, guild_id)
            live = JobRepository(connection).count_live()
            admitted = self._is_admitted(connection, guild_id)
            return live, self._ledger.budget(connection, now), pauses, own_keys, admitted

        (waiting, working), budget, pauses, own_keys, admitted = await self._database.read(read)
        providers = self._health.list()
        models = self._catalogue.models
        usual = {model.id: await self._snapshots.usual_seconds(model.id) for model in models}
        return Status(
            providers=providers,
            waiting=waiting,
            working=working,
            usual_seconds=usual,
            budget=budget,
            budget_spent=not own_keys and budget.is_spent(min((model.text_price for model in models), default=1)),
            guild_id=guild_id,
            pauses=pauses,
            is_admitted=admitted,
        )
