"""The engine, its stores and its steps."""

from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING

from bot.container.foundation import FoundationContainer
from bot.engine.batch_store import BatchStore
from bot.engine.call_sender import CallSender
from bot.engine.card_store import CardStore
from bot.engine.circuit_breaker import CircuitBreakers
from bot.engine.decode_guard import DecodeGuard
from bot.engine.engine import Engine
from bot.engine.health import HealthRegistry
from bot.engine.held_jobs import HeldJobs
from bot.engine.input_downloader import InputDownloader
from bot.engine.input_publisher import InputPublisher
from bot.engine.input_store import InputStore
from bot.engine.job_endings import JobEndings
from bot.engine.job_store import JobStore
from bot.engine.maintenance import Maintenance
from bot.engine.picture_screen import PictureScreen
from bot.engine.poller import JobPoller
from bot.engine.progress import ProgressRegistry
from bot.engine.prompt_moderation import PromptModeration
from bot.engine.provider_pool import ProviderPool
from bot.engine.provider_status import ProviderStatus
from bot.engine.provider_statuses import ProviderStatuses
from bot.engine.reconciliation_store import ReconciliationStore
from bot.engine.restored_jobs import RestoredJobs
from bot.engine.result_downloader import ResultDownloader
from bot.engine.status_reader import StatusReader
from bot.engine.storage_gate import StorageGate
from bot.engine.submissions import SubmissionBuilder
from bot.engine.submitter import Submitter
from bot.engine.worker_store import WorkerStore
from bot.factories import build_member_tag, build_provider
from bot.providers.openai_moderation import OpenAiModeration

if TYPE_CHECKING:
    from bot.engine.key_vault import KeyVault


class EngineContainer(FoundationContainer):
    """The engine and everything below it."""

    async def close(self) -> None:
        """Close the parts built here."""
        if "provider_pool" in self.__dict__:  # not built only to be closed
            await self.provider_pool.close()
        await super().close()

    @cached_property
    def job_store(self) -> JobStore:
        """State changes of jobs, each one transaction."""
        return JobStore(
            database=self.database,
            ledger=self.ledger,
            clock=self.clock,
            config=self.engine_config,
            lease=self.lease,
            catalogue=self.catalogue,
            new_callback_url=self.new_callback_url,
            new_input_url=self.new_input_url,
            takes_urls=self.takes_urls,
        )

    @cached_property
    def input_store(self) -> InputStore:
        """Inputs of jobs in the database."""
        return InputStore(
            database=self.database,
            ledger=self.ledger,
            clock=self.clock,
            config=self.engine_config,
            catalogue=self.catalogue,
        )

    @cached_property
    def card_store(self) -> CardStore:
        """Cards and deliveries of jobs."""
        return CardStore(database=self.database, clock=self.clock)

    @cached_property
    def health(self) -> HealthRegistry:
        """Latest answers of each provider."""
        return HealthRegistry(self.provider_names)

    @cached_property
    def worker_store(self) -> WorkerStore:
        """This worker's lease and jobs in the database."""
        return WorkerStore(database=self.database, clock=self.clock, lease=self.lease)

    @cached_property
    def reconciliations(self) -> ReconciliationStore:
        """Late answers about ended jobs in the database."""
        return ReconciliationStore(database=self.database, ledger=self.ledger, clock=self.clock)

    @cached_property
    def restored_jobs(self) -> RestoredJobs:
        """End of the live jobs of a restored database."""
        endings = JobEndings(ledger=self.ledger, catalogue=self.catalogue, config=self.engine_config)
        return RestoredJobs(database=self.database, endings=endings)

    @cached_property
    def provider_status(self) -> ProviderStatus:
        """Acceptance of submits by provider."""
        return ProviderStatus(
            catalogue=self.catalogue,
            health=self.health,
            breakers=CircuitBreakers(self.provider_names),
            clock=self.clock,
        )

    @cached_property
    def provider_statuses(self) -> ProviderStatuses:
        """Acceptance of submits by provider and key."""

        def build() -> ProviderStatus:
            return ProviderStatus(
                catalogue=self.catalogue,
                health=HealthRegistry(()),
                breakers=CircuitBreakers(self.provider_names),
                clock=self.clock,
                of_guild=True,
            )

        return ProviderStatuses(self.provider_status, build)

    @cached_property
    def key_vault(self) -> "KeyVault":
        """Encryption of servers' keys."""
        # Not at the top: cryptography takes 6 MB, also of bots without such keys.
        from bot.engine.key_vault import KeyVault  # noqa: PLC0415 - see above

        return KeyVault(self.secret_key.for_encryption)

    @cached_property
    def provider_pool(self) -> ProviderPool:
        """Clients of providers by call."""
        return ProviderPool(
            operators=self.providers,
            database=self.database,
            vault=lambda: self.key_vault,
            # Not measured: a server's key is no concern of the operator's alarms.
            build=lambda name, key: build_provider(self.settings, self.http, name, key, now=self.clock.now),
            clock=self.clock,
        )

    @cached_property
    def storage_gate(self) -> StorageGate:
        """Pause of submits while images cannot be stored."""
        return StorageGate(image_service=self.image_service, catalogue=self.catalogue, clock=self.clock)

    @cached_property
    def decode_guard(self) -> DecodeGuard:
        """Counts of fatal decodings."""
        return DecodeGuard(self.input_store)

    @cached_property
    def input_publisher(self) -> InputPublisher | None:
        """Publisher of input images; None if providers fetch them from us."""
        if self.input_policy.served:
            return None
        raise LookupError("assign a publisher, or use the whole Container")

    @cached_property
    def prompt_moderation(self) -> PromptModeration:
        """Check of prompts by OpenAI, if it is on."""
        categories = self.settings.prompt_moderation
        if not categories:
            return PromptModeration(None)
        key, url = self.settings.key_of("openai"), self.settings.api_url_of("openai")
        spec = self.settings.specs["openai"]
        http = spec.open_http(self.http, url, None if key is None else key.get_secret_value(), clock=self.clock.now)
        return PromptModeration(OpenAiModeration(http, categories=categories))

    @cached_property
    def held_jobs(self) -> HeldJobs:
        """Steps of a job before its submit."""
        return HeldJobs(
            job_store=self.job_store,
            input_store=self.input_store,
            card_store=self.card_store,
            input_downloader=InputDownloader(
                self.image_service,
                self.storage_gate,
                decode_guard=self.decode_guard,
                is_allowed=self.input_policy.is_known,
                screen=self.picture_screen,
            ),
            input_publisher=self.input_publisher,
            moderation=self.prompt_moderation,
            statuses=self.provider_statuses,
            storage_gate=self.storage_gate,
            observer=self.observer,
            clock=self.clock,
            config=self.engine_config,
        )

    @cached_property
    def submitter(self) -> Submitter:
        """Submit of a claimed job."""
        return Submitter(
            job_store=self.job_store,
            batch_store=self.batch_store,
            sender=self.call_sender,
            results=self.result_downloader,
            catalogue=self.catalogue,
            statuses=self.provider_statuses,
            clock=self.clock,
            config=self.engine_config,
            randomness=self.randomness,
        )

    @cached_property
    def call_sender(self) -> CallSender:
        """Sender of single calls."""
        return CallSender(
            pool=self.provider_pool,
            submissions=self.submissions,
            statuses=self.provider_statuses,
            clock=self.clock,
            lease=self.lease,
            claim_handle=self.batch_store.claim_handle,
        )

    @cached_property
    def result_downloader(self) -> ResultDownloader:
        """Download and storage of result images."""
        return ResultDownloader(
            self.image_service, self.storage_gate, self.decode_guard, self.input_store, self.picture_screen
        )

    @cached_property
    def picture_screen(self) -> PictureScreen:
        """Comparison of images with the list of takedowns."""
        return PictureScreen(self.database)

    @cached_property
    def status_reader(self) -> StatusReader:
        """Reader of jobs' statuses."""
        return StatusReader(
            providers=self.provider_names,
            pool=self.provider_pool,
            statuses=self.provider_statuses,
            results=self.result_downloader,
            catalogue=self.catalogue,
            clock=self.clock,
            config=self.engine_config,
        )

    @cached_property
    def batch_store(self) -> BatchStore:
        """Replies to jobs of several calls."""
        return BatchStore(
            database=self.database,
            ledger=self.ledger,
            clock=self.clock,
            config=self.engine_config,
            catalogue=self.catalogue,
        )

    @cached_property
    def progress(self) -> ProgressRegistry:
        """Progress of jobs at their providers."""
        return ProgressRegistry()

    @cached_property
    def submissions(self) -> SubmissionBuilder:
        """Description of calls for the providers."""
        return SubmissionBuilder(self.image_service, build_member_tag(self.settings))

    @cached_property
    def poller(self) -> JobPoller:
        """Steps of a job at its provider."""
        return JobPoller(
            job_store=self.job_store,
            batch_store=self.batch_store,
            sender=self.call_sender,
            results=self.result_downloader,
            catalogue=self.catalogue,
            progress=self.progress,
            reader=self.status_reader,
            reconciliations=self.reconciliations,
            provider_status=self.provider_status,
            storage_gate=self.storage_gate,
            decode_guard=self.decode_guard,
            clock=self.clock,
            config=self.engine_config,
            randomness=self.randomness,
        )

    @cached_property
    def engine(self) -> Engine:
        """Scheduler of all jobs of this process."""
        return Engine(
            job_store=self.job_store,
            worker_store=self.worker_store,
            reconciliations=self.reconciliations,
            held_jobs=self.held_jobs,
            submitter=self.submitter,
            poller=self.poller,
            decode_guard=self.decode_guard,
            statuses=self.provider_statuses,
            storage_gate=self.storage_gate,
            observer=self.observer,
            clock=self.clock,
            config=self.engine_config,
            lease=self.lease,
            randomness=self.randomness,
        )

    @cached_property
    def maintenance(self) -> Maintenance:
        """Nightly clean-up and audit."""
        words_days = self.settings.prompt_retention_days
        return Maintenance(
            database=self.database,
            image_service=self.image_service,
            clock=self.clock,
            retention=timedelta(days=self.settings.picture_retention_days),
            words_retention=None if words_days is None else timedelta(days=words_days),
            deleted_words_retention=timedelta(days=self.settings.deleted_prompt_days),
            guild_retention=timedelta(days=self.settings.guild_retention_days),
            # A listing of a bucket has its price.
            orphan_interval=timedelta(minutes=15 if self.settings.object_store is None else 60),
        )
