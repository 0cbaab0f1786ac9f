"""Counters and histograms of events: ended jobs, requests, transactions."""

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram

from bot.domain.jobs import Job, State
from bot.providers.http import Exchange

NONE: Final = "none"
"""Label of a job that had no provider or no fault."""

_JOB_SECONDS: Final = (1, 2, 5, 10, 20, 30, 45, 60, 90, 120, 180, 300, 600, 1800, 7200)
_REQUEST_SECONDS: Final = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)
_TRANSACTION_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5, 30)


class Instruments:
    """Counts and durations of the events in this process.

    No label has the id of a job, a member or a guild: each combination of labels costs memory for ever.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._ended = Counter(
            "atelier_jobs_ended",
            "Jobs that this process ended.",
            ("outcome", "provider", "model", "fault"),
            registry=self.registry,
        )
        self._waiting = Histogram(
            "atelier_job_waiting_seconds",
            "Time from the request to the submit that led to pictures.",
            registry=self.registry,
            buckets=_JOB_SECONDS,
        )
        self._generating = Histogram(
            "atelier_job_generating_seconds",
            "Time from that submit to the stored pictures.",
            ("provider", "model"),
            registry=self.registry,
            buckets=_JOB_SECONDS,
        )
        self._requests = Histogram(
            "atelier_provider_request_duration_seconds",
            "Duration of a request to a provider; `submit` is the paid one.",
            ("provider", "call"),
            registry=self.registry,
            buckets=_REQUEST_SECONDS,
        )
        self._errors = Counter(
            "atelier_provider_errors",
            "Requests to a provider that failed.",
            ("provider", "call", "kind"),
            registry=self.registry,
        )
        self._transactions = Histogram(
            "atelier_database_transaction_duration_seconds",
            "Duration of a transaction with the wait for its turn.",
            ("kind",),
            registry=self.registry,
            buckets=_TRANSACTION_SECONDS,
        )

    def record_end(self, job: Job) -> None:
        """Record the end of a job."""
        provider, model = job.provider or NONE, job.request.model
        self._ended.labels(job.state, provider, model, job.fault or NONE).inc()
        if job.state is State.DONE and job.submitted_at is not None and job.finished_at is not None:
            self._waiting.observe((job.submitted_at - job.created_at).total_seconds())
            self._generating.labels(provider, model).observe((job.finished_at - job.submitted_at).total_seconds())

    def record_exchange(self, exchange: Exchange) -> None:
        """Record a request to a provider."""
        self._requests.labels(exchange.provider, exchange.call.value).observe(exchange.seconds)
        if exchange.fault is not None:
            self._errors.labels(exchange.provider, exchange.call.value, exchange.fault).inc()

    def record_transaction(self, kind: str, seconds: float) -> None:
        """Record a transaction of the database."""
        self._transactions.labels(kind).observe(seconds)
