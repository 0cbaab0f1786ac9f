"""Input images attached to a live job's card, known by their addresses."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

import discord

from bot.domain.jobs import Job


@dataclass(frozen=True, slots=True)
class KeptAttachment:
    """An attachment that an edit keeps, because a component shows it.

    Discord wants its id and its file name.
    """

    id: int
    filename: str

    def to_dict(self) -> dict[str, Any]:
        """Return the attachment as discord.py puts it into a request."""
        return {"id": self.id, "filename": self.filename}


Attachments = Callable[[], Sequence[discord.File | KeptAttachment]]
"""Factory of a message's attachments, called for each try: a request closes the files it sent."""


def attached_inputs(job: Job) -> tuple[KeptAttachment, ...]:
    """Return the attachments of a job's published inputs."""
    urls = [image.provider_url for image in job.request.inputs if image.provider_url is not None]
    paths = [urlsplit(url).path.rsplit("/", 2) for url in urls]
    return tuple(KeptAttachment(id=int(number), filename=unquote(name)) for _, number, name in paths)


def kept_attachments(job: Job) -> Attachments | None:
    """Return the attachments for an edit without new files; None leaves all.

    A live job's card keeps its inputs for the provider; the card of an ended job drops them, recorded or not.
    """
    kept = () if job.state.ended else attached_inputs(job)
    return (lambda: kept) if kept or (job.state.ended and job.request.inputs) else None
