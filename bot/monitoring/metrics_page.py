"""The page with all metrics."""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.process_collector import ProcessCollector as SystemCollector
from prometheus_client.registry import Collector

from bot.monitoring.process_collector import ProcessCollector
from bot.monitoring.studio_collector import StudioCollector


class MetricsPage:
    """All metrics of a registry, of this process and of the studio."""

    def __init__(self, *, registry: CollectorRegistry, process: ProcessCollector, studio: StudioCollector) -> None:
        self._metrics = _WithoutCreationTimes(registry)
        self._studio = studio
        registry.register(process)
        registry.register(studio)
        SystemCollector(registry=registry)  # memory, processor time, open files

    async def render(self) -> bytes:
        """Return the metrics in the text format."""
        await self._studio.refresh()
        return generate_latest(self._metrics)


class _WithoutCreationTimes(Collector):
    """The metrics of a registry without the `_created` samples.

    Prometheus has no use for them, and they double the number of series.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    def collect(self) -> Iterator[Metric]:
        for metric in self._registry.collect():
            metric.samples = [sample for sample in metric.samples if not sample.name.endswith("_created")]
            yield metric
