"""Rejected modal input as JSON, stored for a day."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, bindparam, delete, insert, select

from bot.domain.attachments import AttachmentInfo
from bot.domain.errors import FormGoneError
from bot.domain.jobs import Action
from bot.domain.saved_forms import CardForm, FilledForm, MessageForm, SavedForm, SetupForm, ShareForm
from db.latest_rows import keep_latest
from db.tables import forms

_INSERT: Final = insert(forms)
_KINDS: Final = {"card": CardForm, "message": MessageForm, "setup": SetupForm, "share": ShareForm}
_GET: Final = select(forms).where(forms.c.id == bindparam("the_id"))
_PURGE: Final = delete(forms).where(forms.c.created_at < bindparam("moment"))


class SavedFormRepository:
    """Rejected modal input within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, form: SavedForm, *, most: int) -> None:
        """Insert a form; keep at most `most` of its member."""
        filled = form.filled
        kind = next(name for name, each in _KINDS.items() if isinstance(filled.form, each))
        content = {
            "prompt": filled.prompt,
            "chosen": list(filled.chosen),
            "model": filled.model,
            "options": dict(filled.options),
            kind: asdict(filled.form),
        }
        own = {"id": form.id, "member_id": form.member_id, "created_at": form.created_at}
        self._connection.execute(_INSERT, own | {"content": content})
        keep_latest(self._connection, forms, form.member_id, most)

    def get(self, form_id: str) -> SavedForm:
        """Return a form; raises `FormGoneError` if there is none."""
        row = self._connection.execute(_GET, {"the_id": form_id}).first()
        if row is None:
            raise FormGoneError
        content = row.content
        filled = FilledForm(
            form=_form(content),
            prompt=content["prompt"],
            chosen=tuple(content["chosen"]),
            model=content["model"],
            # Missing in rows of the first releases.
            options=content.get("options", {}),
        )
        return SavedForm(id=row.id, member_id=row.member_id, filled=filled, created_at=row.created_at)

    def purge_before(self, moment: datetime) -> int:
        """Delete older forms; return how many."""
        return self._connection.execute(_PURGE, {"moment": moment}).rowcount


def _form(content: Mapping[str, Any]) -> CardForm | MessageForm | SetupForm | ShareForm:
    if "setup" in content:
        return SetupForm(**content["setup"])
    if "share" in content:
        return ShareForm(**content["share"])
    if "card" in content:
        card = content["card"]
        # The keys of JSON are texts.
        urls = {int(at): url for at, url in card["urls"].items()}
        return CardForm(
            job_id=card["job_id"],
            action=Action(card["action"]),
            urls=urls,
            edited=card.get("edited", False),
            submission_id=card.get("submission_id"),
        )
    message = content["message"]
    return MessageForm(
        pictures=tuple(AttachmentInfo(**each) for each in message["pictures"]), unshown=message["unshown"]
    )
