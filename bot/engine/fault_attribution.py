"""Attribution of a fault to the member, the operator or the provider."""

import logging
from dataclasses import replace
from typing import Final, TypeVar

import structlog

from bot.domain.errors import FaultKind, ProviderError
from bot.domain.jobs import Job
from bot.domain.requests import GenerationRequest
from bot.providers.base import Failed

_log = structlog.get_logger(__name__)

_Answer = TypeVar("_Answer")
# Nobody but the operator can fix it: the provider must reach our address. A refused webhook is logged once elsewhere.
_OPERATORS: Final = frozenset({FaultKind.INPUT_NOT_FETCHED})


def attribute_refusal(error: ProviderError, request: GenerationRequest, *, has_callback: bool) -> ProviderError:
    """Return the error, INVALID if it names something unsent.

    The words of a provider may name an input or a webhook that the job does not have.
    """
    without_input = error.kind is FaultKind.INPUT_NOT_FETCHED and not request.inputs
    if without_input or (error.kind is FaultKind.WEBHOOK_REFUSED and not has_callback):
        error.kind = FaultKind.INVALID
    return error


def attribute_failure(answer: _Answer, request: GenerationRequest) -> _Answer | Failed:
    """Return the answer; a failure by an absent input is one of the model."""
    if isinstance(answer, Failed) and answer.kind is FaultKind.INPUT_NOT_FETCHED and not request.inputs:
        return replace(answer, kind=FaultKind.GENERATION)
    return answer


def level_of(fault: FaultKind) -> int:
    """Return the log level of a fault: ERROR if only the operator can fix it."""
    return logging.ERROR if fault in _OPERATORS else logging.WARNING


def log_failure(job: Job, answer: Failed) -> None:
    """Log the failure of a job at its provider."""
    _log.log(
        level_of(answer.kind), "job.failed", job=job.id, provider=job.provider, fault=answer.kind, detail=answer.detail
    )
