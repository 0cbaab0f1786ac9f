"""Metrics of this process, kept by its parts."""

from collections.abc import Iterator
from typing import Final

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from bot.client import AtelierClient
from bot.engine.health import HealthRegistry
from bot.engine.provider_status import ProviderStatus
from bot.engine.storage_gate import StorageGate
from bot.images.image_service import ImageService
from bot.ui.delivery.card_outcomes import CardOutcome
from bot.ui.delivery.card_updater import CardUpdater

_PREFIX: Final = "atelier_"


class ProcessCollector(Collector):
    """Reads the parts of this process at each scrape."""

    def __init__(
        self,
        *,
        version: str,
        client: AtelierClient,
        card_updater: CardUpdater,
        image_service: ImageService,
        provider_status: ProviderStatus,
        health: HealthRegistry,
        storage_gate: StorageGate,
    ) -> None:
        self._version = version
        self._client = client
        self._card_updater = card_updater
        self._image_service = image_service
        self._provider_status = provider_status
        self._health = health
        self._storage_gate = storage_gate

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics of this process."""
        build = GaugeMetricFamily(_PREFIX + "build_info", "The running version; always 1.", labels=("version",))
        build.add_metric((self._version,), 1)
        yield build
        yield from self._discord()
        yield from self._providers()
        yield from self._images()

    def _discord(self) -> Iterator[Metric]:
        yield gauge(
            "discord_gateway_up", "1 while all shards of this process are connected.", self._client.has_gateway()
        )
        yield gauge("guilds", "Servers of this process.", len(self._client.guilds))
        updates = CounterMetricFamily(_PREFIX + "card_updates", "Updates of cards.", labels=("outcome",))
        for outcome in CardOutcome:
            updates.add_metric((outcome,), self._card_updater.outcomes[outcome])
        yield updates
        limits = CounterMetricFamily(
            _PREFIX + "discord_rate_limits", "Answers of Discord that ask to wait (429).", labels=("scope",)
        )
        waits = CounterMetricFamily(
            _PREFIX + "discord_rate_limit_wait_seconds", "Pauses that Discord asked for.", labels=("scope",)
        )
        counts = self._client.rate_limits
        for scope, number in counts.limits.items():
            limits.add_metric((scope,), number)
            waits.add_metric((scope,), counts.seconds[scope])
        yield limits
        yield waits

    def _providers(self) -> Iterator[Metric]:
        breakers = GaugeMetricFamily(
            _PREFIX + "provider_breaker_open", "1 while a provider gets probes alone.", labels=("provider",)
        )
        for provider, fault in self._provider_status.open_faults().items():
            breakers.add_metric((provider,), fault is not None)
        yield breakers
        closed = GaugeMetricFamily(
            _PREFIX + "provider_closed_models", "Models of a provider that get probes alone.", labels=("provider",)
        )
        for health in self._health.list():
            closed.add_metric((health.provider,), len(health.closed_models))
        yield closed

    def _images(self) -> Iterator[Metric]:
        downloaded = CounterMetricFamily(
            _PREFIX + "downloaded_bytes", "Bytes of downloaded pictures.", labels=("kind",)
        )
        for kind, number in self._image_service.downloaded_bytes.items():
            downloaded.add_metric((kind,), number)
        yield downloaded
        yield gauge("decoder_queue_images", "Images that wait for a decoder.", self._image_service.waiting_decodings)
        space = self._image_service.space
        yield gauge("storage_free_bytes", "Free bytes of the fullest disk with pictures or database.", space.free())
        yield gauge("storage_min_free_bytes", "Free bytes below which no job begins.", space.min_free)
        yield gauge("stored_images_bytes", "Bytes of all stored pictures.", space.stored)
        closed = bool(self._storage_gate.faults)
        yield gauge("storage_gate_closed", "1 while jobs wait because pictures cannot be stored.", closed)


def gauge(name: str, documentation: str, value: float | None) -> GaugeMetricFamily:
    """Return a gauge without labels; without a sample if its value is None."""
    family = GaugeMetricFamily(_PREFIX + name, documentation)
    if value is not None:
        family.add_metric((), value)
    return family
