"""The use cases above the engine."""

from functools import cached_property
from typing import TYPE_CHECKING

from bot.container.engine import EngineContainer
from bot.domain.errors import FaultKind
from bot.factories import (
    admitted_guilds,
)
from bot.providers.key_check import check_key
from bot.services.access import AccessService
from bot.services.allowances import AllowanceService
from bot.services.budgets import BudgetService
from bot.services.comparisons import ComparisonService
from bot.services.confirmations import ConfirmationService
from bot.services.credit_administration import CreditAdministration
from bot.services.credit_history import CreditHistoryService
from bot.services.credits import CreditService
from bot.services.deletion_register import FILE_NAME as DELETIONS_FILE
from bot.services.deletion_register import DeletionRegister
from bot.services.details import DetailService
from bot.services.duels import DuelService
from bot.services.guild_key_policy import GuildKeyPolicy
from bot.services.guild_keys import GuildKeyService
from bot.services.guild_settings import GuildSettingsService
from bot.services.guild_setup import GuildSetupService
from bot.services.guild_transactions import GuildTransactions
from bot.services.history import HistoryService
from bot.services.job_snapshots import JobSnapshotService
from bot.services.jobs import JobService
from bot.services.live_jobs import LiveJobService
from bot.services.member_limits import MemberLimits
from bot.services.model_availability import ModelAvailability
from bot.services.moderation import ModerationService
from bot.services.origins import OriginService
from bot.services.pauses import PauseService
from bot.services.preferences import PreferenceService
from bot.services.premium import PremiumService
from bot.services.presets import PresetService
from bot.services.prompt_blocks import PromptBlockService
from bot.services.prompt_checks import PromptChecks
from bot.services.prompt_rules import PromptRuleService
from bot.services.remix import RemixService
from bot.services.request_gate import RequestGate
from bot.services.request_resolver import ResolverService
from bot.services.saved_forms import SavedFormService
from bot.services.served_files import ServedFileService
from bot.services.status import StatusService

if TYPE_CHECKING:
    from bot.services.statistics import StatisticsService


class ServiceContainer(EngineContainer):
    """The engine with the services."""

    @cached_property
    def access(self) -> AccessService:
        """Admission of servers."""
        return AccessService(
            database=self.database,
            admitted=admitted_guilds(self.settings),
            now=self.clock.now,
            outside=self.settings.user_install,
            new_id=self.new_id,
        )

    @cached_property
    def guild_settings(self) -> GuildSettingsService:
        """Settings of servers."""
        return GuildSettingsService(database=self.database, now=self.clock.now, new_id=self.new_id)

    @cached_property
    def guild_setup(self) -> GuildSetupService:
        """State of servers' studios."""
        return GuildSetupService(
            database=self.database,
            access=self.access,
            ledger=self.ledger,
            availability=self.model_availability,
            default_allowance=self.settings.default_allowance,
            now=self.clock.now,
            keys=self.guild_key_policy,
        )

    @cached_property
    def guild_key_policy(self) -> GuildKeyPolicy:
        """Keys of servers' new jobs."""
        return GuildKeyPolicy(enabled=self.settings.community_keys, catalogue=self.catalogue)

    @cached_property
    def guild_keys(self) -> GuildKeyService:
        """Servers' own provider keys."""
        settings = self.settings
        takers = [name for name in self.provider_names if settings.specs[name].takes_guild_keys]

        async def check(provider: str, key: str) -> FaultKind | None:
            spec = settings.specs[provider]
            return await check_key(spec, spec.open_http(self.http, settings.api_url_of(provider), key))

        return GuildKeyService(
            database=self.database,
            vault=lambda: self.key_vault,
            check=check,
            providers=takers if settings.community_keys else (),
            now=self.clock.now,
            new_id=self.new_id,
            on_change=self.engine.wake,
            limits=self.member_limits,
            access=self.access,
        )

    @cached_property
    def snapshots(self) -> JobSnapshotService:
        """Jobs as cards show them."""
        return JobSnapshotService(
            database=self.database,
            ledger=self.ledger,
            clock=self.clock,
            waits_for_storage=self.storage_gate.blocks,
            hard_deadline=self.engine_config.hard_deadline,
            config=self.engine_config,
            catalogue=self.catalogue,
            progress=self.progress,
            synchronous=[name for name, provider in self.providers.items() if provider.is_synchronous],
        )

    @cached_property
    def request_gate(self) -> RequestGate:
        """Checks of requests before anything is held."""
        return RequestGate(
            database=self.database,
            access=self.access,
            catalogue=self.catalogue,
            now=self.clock.now,
            is_blocked=self.model_availability.is_blocked,
            identity=self.member_identity,
            keys=self.guild_key_policy,
            prompts=self.prompt_checks,
            blocks=self.prompt_blocks,
        )

    @cached_property
    def prompt_checks(self) -> PromptChecks:
        """Checks of requests by the prompt rules."""
        return PromptChecks(clock=self.clock, new_id=self.new_id, operator_rules=self.settings.prompt_rules)

    @cached_property
    def guild_transactions(self) -> GuildTransactions:
        """Transactions of servers' admins."""
        return GuildTransactions(database=self.database, access=self.access, clock=self.clock, new_id=self.new_id)

    @cached_property
    def prompt_rules(self) -> PromptRuleService:
        """Prompt rules of servers."""
        return PromptRuleService(transactions=self.guild_transactions, new_id=self.new_id)

    @cached_property
    def prompt_blocks(self) -> PromptBlockService:
        """Records of refused prompts."""
        return PromptBlockService(database=self.database, clock=self.clock, new_id=self.new_id)

    @cached_property
    def jobs(self) -> JobService:
        """Requests, cancellations and acknowledgements."""
        return JobService(
            database=self.database,
            job_store=self.job_store,
            card_store=self.card_store,
            engine=self.engine,
            ledger=self.ledger,
            gate=self.request_gate,
            clock=self.clock,
            config=self.engine_config,
            storage_gate=self.storage_gate,
            catalogue=self.catalogue,
            new_id=self.new_id,
            policy=self.input_policy,
            moderates_prompts=self.prompt_moderation.is_on,
            snapshots=self.snapshots,
        )

    @cached_property
    def model_availability(self) -> ModelAvailability:
        """Models with a provider at present."""
        return ModelAvailability(catalogue=self.catalogue, provider_status=self.provider_status)

    @cached_property
    def member_limits(self) -> MemberLimits:
        """Limits for free actions."""
        return MemberLimits(clock=self.clock)

    @cached_property
    def confirmations(self) -> ConfirmationService:
        """Expensive requests waiting for a member's confirmation."""
        return ConfirmationService(
            database=self.database,
            ledger=self.ledger,
            clock=self.clock,
            catalogue=self.catalogue,
            new_id=self.new_id,
            limits=self.member_limits,
            gate=self.request_gate,
        )

    @cached_property
    def request_resolver(self) -> ResolverService:
        """Merge of chosen options, preset and a member's defaults."""
        return ResolverService(
            database=self.database,
            catalogue=self.catalogue,
            effects=self.settings.effects,
            default_models=self.model_availability.default_models,
            keys=self.guild_key_policy,
        )

    @cached_property
    def saved_forms(self) -> SavedFormService:
        """Rejected modal input."""
        return SavedFormService(database=self.database, clock=self.clock, new_id=self.new_id, limits=self.member_limits)

    @cached_property
    def duels(self) -> DuelService:
        """Duels of models."""
        return DuelService(
            database=self.database,
            jobs=self.jobs,
            card_store=self.card_store,
            resolver=self.request_resolver,
            gate=self.request_gate,
            ledger=self.ledger,
            access=self.access,
            identity=self.member_identity,
            limits=self.member_limits,
            catalogue=self.catalogue,
            clock=self.clock,
            new_id=self.new_id,
            randomness=self.randomness,
        )

    @cached_property
    def credits(self) -> CreditService:
        """Balances."""
        return CreditService(database=self.database, ledger=self.ledger, access=self.access, clock=self.clock)

    @cached_property
    def credit_history(self) -> CreditHistoryService:
        """Movements of credits."""
        return CreditHistoryService(database=self.database, ledger=self.ledger, access=self.access, clock=self.clock)

    @cached_property
    def credit_administration(self) -> CreditAdministration:
        """Grants, take-backs and resets."""
        return CreditAdministration(
            database=self.database, ledger=self.ledger, access=self.access, clock=self.clock, new_id=self.new_id
        )

    @cached_property
    def allowances(self) -> AllowanceService:
        """Allowances of servers, roles and members."""
        return AllowanceService(
            database=self.database, ledger=self.ledger, access=self.access, clock=self.clock, new_id=self.new_id
        )

    @cached_property
    def premium(self) -> PremiumService:
        """Purchases at Discord."""
        return PremiumService(
            database=self.database,
            ledger=self.ledger,
            access=self.access,
            plan=self.settings.premium_plan,
            clock=self.clock,
            new_id=self.new_id,
        )

    @cached_property
    def details(self) -> DetailService:
        """A job's full record for its member."""
        return DetailService(database=self.database)

    @cached_property
    def comparisons(self) -> ComparisonService:
        """Pictures before and after an edit."""
        return ComparisonService(database=self.database, limits=self.member_limits)

    @cached_property
    def history(self) -> HistoryService:
        """Pages of a member's past jobs."""
        return HistoryService(database=self.database, clock=self.clock, new_id=self.new_id, limits=self.member_limits)

    @cached_property
    def preferences(self) -> PreferenceService:
        """A member's default options."""
        return PreferenceService(
            database=self.database, catalogue=self.catalogue, now=self.clock.now, limits=self.member_limits
        )

    @cached_property
    def presets(self) -> PresetService:
        """Named options of members and servers."""
        return PresetService(
            database=self.database,
            access=self.access,
            catalogue=self.catalogue,
            effects=self.settings.effects,
            now=self.clock.now,
            limits=self.member_limits,
        )

    @cached_property
    def remix(self) -> RemixService:
        """Requests based on a finished job."""
        return RemixService(
            database=self.database,
            image_service=self.image_service,
            clock=self.clock,
            catalogue=self.catalogue,
            register=self.deletion_register,
            current=self.model_availability.catalogue,
        )

    @cached_property
    def deletion_register(self) -> DeletionRegister:
        """Register of deletions, for restored backups."""
        return DeletionRegister(self.settings.data_dir / DELETIONS_FILE, self.secret_key.name)

    @cached_property
    def status(self) -> StatusService:
        """State of queue and providers."""
        return StatusService(
            database=self.database,
            ledger=self.ledger,
            clock=self.clock,
            snapshots=self.snapshots,
            health=self.health,
            catalogue=self.catalogue,
            uses_own_keys=self.guild_key_policy.uses_own,
            is_admitted=self.access.is_admitted,
        )

    @cached_property
    def statistics(self) -> "StatisticsService":
        """Numbers of a server's jobs."""
        # Not at the top: see `HandlerContainer.statistics_handlers`.
        from bot.services.statistics import StatisticsService  # noqa: PLC0415 - see above

        return StatisticsService(
            database=self.database, access=self.access, limits=self.member_limits, clock=self.clock
        )

    @cached_property
    def origins(self) -> OriginService:
        """Search for jobs by their pictures."""
        return OriginService(
            database=self.database,
            image_service=self.image_service,
            access=self.access,
            limits=self.member_limits,
        )

    @cached_property
    def budgets(self) -> BudgetService:
        """Servers' budgets and their limits."""
        return BudgetService(
            database=self.database,
            ledger=self.ledger,
            clock=self.clock,
            new_id=self.new_id,
            uses_own_keys=self.guild_key_policy.uses_own,
        )

    @cached_property
    def pauses(self) -> PauseService:
        """Stops of new jobs."""
        return PauseService(
            database=self.database,
            now=self.clock.now,
            new_id=self.new_id,
            models=[model.id for model in self.catalogue.models],
            providers=self.provider_names,
            on_change=self.engine.wake,
        )

    @cached_property
    def moderation(self) -> ModerationService:
        """Bans, rules for roles, and the audit log."""
        return ModerationService(
            database=self.database,
            clock=self.clock,
            catalogue=self.catalogue,
            new_id=self.new_id,
            identity=self.member_identity,
        )

    @cached_property
    def live_jobs(self) -> LiveJobService:
        """Lists of live jobs."""
        return LiveJobService(database=self.database, jobs=self.jobs, snapshots=self.snapshots, access=self.access)

    @cached_property
    def served_files(self) -> ServedFileService:
        """Input images served to providers."""
        return ServedFileService(database=self.database, image_service=self.image_service)
