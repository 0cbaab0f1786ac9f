"""Rows of the table of jobs."""

from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Any, Final

from sqlalchemy import Connection, Row

from bot.domain.errors import FaultKind
from bot.domain.jobs import Action, Delivery, InteractionContext, Job, Origin, State
from bot.domain.preferences import Notice
from bot.domain.requests import KEEP_AS_IT_IS
from bot.domain.searches import normalize_text
from db.inputs import InputImageRepository
from db.request_codec import INPUTS, options_of, request_of

# Roles are known with the interaction only.
_PLACE: Final = tuple(field.name for field in fields(InteractionContext) if field.compare)
_OWN: Final = tuple(
    field.name
    for field in fields(Job)
    if field.name not in {"place", "request", "state", "fault", "delivery", "origin", "notice"}
)


def read_jobs(connection: Connection, rows: Iterable[Row[Any]]) -> tuple[Job, ...]:
    """Return the jobs of rows of the whole table."""
    return tuple(read_job(connection, row) for row in rows)


def read_job(connection: Connection, row: Row[Any]) -> Job:
    """Return the job of a row; its inputs are read, too."""
    values = row._mapping
    options = values["options"]
    inputs = InputImageRepository(connection).list_for(values["id"]) if options.get(INPUTS) else ()
    return Job(
        place=InteractionContext(**{name: getattr(row, name) for name in _PLACE}),
        request=request_of(values["prompt"], values["model"], options, inputs),
        state=State(values["state"]),
        fault=None if values["fault"] is None else FaultKind(values["fault"]),
        delivery=None if values["delivery"] is None else Delivery(values["delivery"]),
        notice=None if values["notice"] is None else Notice(values["notice"]),
        origin=origin_of(values),
        **{name: values[name] for name in _OWN},
    )


def columns_of(job: Job) -> dict[str, Any]:
    """Return the row of a new job."""
    place, request = job.place, job.request
    values: dict[str, Any] = {name: getattr(place, name) for name in _PLACE}
    values.update((name, getattr(job, name)) for name in _OWN)
    values.update(
        state=job.state,
        fault=job.fault,
        delivery=job.delivery,
        notice=job.notice,
        model=request.model,
        prompt=request.prompt,
        search_text=None if request.prompt == KEEP_AS_IT_IS else normalize_text(request.prompt),
        options=options_of(request),
        **origin_columns(job.origin),
    )
    return values


def origin_columns(origin: Origin | None) -> dict[str, Any]:
    """Return the columns of an origin."""
    if origin is None:
        return {"action": None, "parent_id": None, "parent_picture": None}
    return {"action": origin.action, "parent_id": origin.job_id, "parent_picture": origin.position}


def origin_of(values: Mapping[Any, Any]) -> Origin | None:
    """Return a row's origin, or None."""
    if values["action"] is None:
        return None
    return Origin(action=Action(values["action"]), job_id=values["parent_id"], position=values["parent_picture"])
