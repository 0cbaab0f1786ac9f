"""Status of the bot."""

from dataclasses import dataclass

from bot.domain.models import offered_models
from bot.engine.health import HealthRegistry, ProviderHealth
from bot.services.job_snapshots import JobSnapshotService
from db.database import Database
from db.jobs import JobRepository


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """The bot's status.

    `providers` is their health, `waiting` and `working` count jobs, `usual_seconds` maps each offered model to its
    median and 90th percentile.
    """

    providers: tuple[ProviderHealth, ...]
    waiting: int
    working: int
    usual_seconds: dict[str, tuple[int, int] | None]


class StatusService:
    """Read access to the status."""

    def __init__(self, *, database: Database, snapshots: JobSnapshotService, health: HealthRegistry) -> None:
        self._database = database
        self._snapshots = snapshots
        self._health = health

    async def get(self) -> Status:
        """Return the current status."""
        waiting, working = await self._database.read(lambda connection: JobRepository(connection).count_live())
        providers = self._health.list()
        models = offered_models([health.provider for health in providers])
        usual = {model.id: await self._snapshots.usual_seconds(model.id) for model in models}
        return Status(providers=providers, waiting=waiting, working=working, usual_seconds=usual)
