"""Metrics in the text format of Prometheus."""

from bot.monitoring.instruments import Instruments
from bot.monitoring.metrics_page import MetricsPage

__all__ = ["Instruments", "MetricsPage"]
