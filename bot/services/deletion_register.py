"""List of deletions beside the database, for restored backups."""

import os
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from bot.domain.pseudonyms import is_pseudonym

FILE_NAME: Final = "deletions.txt"
_JOB: Final = "job"
_PICTURES: Final = "pictures"
_JOB_ID: Final = re.compile(r"[0-9a-f]{32}")
_SMALLEST: Final = -(1 << 63)


@dataclass(frozen=True, slots=True)
class DeletionRegister:
    """A file with a deletion on each line.

    A member's has a pseudonym, a time and a key's name; a job's has `job`, its id and a time; pictures of a job have
    `pictures`, its id with their positions, such as `ID:0,2`, and a time. The time is that of the
    request. A database restored from a backup has forgotten the deletions after it; the file has not. `key_name` is
    that of the key of all new pseudonyms: with another key, nobody can tell whose an old one is. Methods block.
    """

    path: Path
    key_name: str

    def read(self) -> dict[int, datetime]:
        """Return the latest request of each pseudonym of this key.

        A line that a crash cut off is skipped: its deletion was not carried out yet. Lines without a key count.

        Raises:
            OSError: the file cannot be read.
        """
        return _latest((name, at) for name, at, key in self._lines() if key in ("", self.key_name))

    def read_of_other_keys(self) -> dict[int, datetime]:
        """Return the latest request of each pseudonym of other keys.

        Raises:
            OSError: the file cannot be read.
        """
        return _latest((name, at) for name, at, key in self._lines() if key not in ("", self.key_name))

    def add(self, pseudonym: int, at: datetime) -> None:
        """Append a request, unless it is there; it is on the disk afterwards.

        Raises:
            OSError: the file cannot be written.
        """
        if self.read().get(pseudonym) == at:
            return
        self._append(f"{pseudonym} {at.isoformat()} {self.key_name}")

    def read_jobs(self) -> dict[str, datetime]:
        """Return the first request of each job.

        Raises:
            OSError: the file cannot be read.
        """
        found: dict[str, datetime] = {}
        for kind, job_id, at in self._words():
            time = _time(at)
            if kind == _JOB and _JOB_ID.fullmatch(job_id) and time is not None:
                found.setdefault(job_id, time)
        return found

    def add_job(self, job_id: str, at: datetime) -> None:
        """Append the request to delete a job; it is on the disk afterwards.

        Raises:
            OSError: the file cannot be written.
        """
        self._append(f"{_JOB} {job_id} {at.isoformat()}")

    def read_pictures(self) -> dict[str, set[int]]:
        """Return the positions of single pictures to be deleted, by job.

        Raises:
            OSError: the file cannot be read.
        """
        found: dict[str, set[int]] = {}
        for kind, name, at in self._words():
            job_id, _, positions = name.partition(":")
            listed = positions.split(",")
            is_whole = _time(at) is not None and all(each.isascii() and each.isdecimal() for each in listed)
            if kind == _PICTURES and _JOB_ID.fullmatch(job_id) and is_whole:
                found.setdefault(job_id, set()).update(int(each) for each in listed)
        return found

    def add_pictures(self, job_id: str, positions: Collection[int], at: datetime) -> None:
        """Append the request to delete pictures of a job, as `add_job` does."""
        self._append(f"{_PICTURES} {job_id}:{','.join(str(each) for each in sorted(positions))} {at.isoformat()}")

    def _append(self, line: str) -> None:
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self.path.open("a", encoding="ascii") as file:
            # The newline before it ends a line that a crash cut off.
            file.write(f"\n{line}\n")
            file.flush()
            os.fsync(file.fileno())

    def _lines(self) -> Iterator[tuple[int, datetime, str]]:
        for name, at, key in self._words():
            try:
                pseudonym = int(name)
            except ValueError:
                continue
            time = _time(at)
            if is_pseudonym(pseudonym) and pseudonym >= _SMALLEST and time is not None:
                yield pseudonym, time, key

    def _words(self) -> Iterator[tuple[str, str, str]]:
        try:
            # Not every reader or editor of this file keeps it plain, and one bad line must not hide the others.
            text = self.path.read_text("ascii", errors="replace")
        except FileNotFoundError:
            return
        for line in text.splitlines():
            first, second, third, *_ = (*line.split(), "", "", "")
            yield first.lstrip("\ufffd"), second, third


def _time(text: str) -> datetime | None:
    """Return a time with its zone, or None."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    return None if time.tzinfo is None else time


def _latest(requests: Iterator[tuple[int, datetime]]) -> dict[int, datetime]:
    found: dict[int, datetime] = {}
    for name, at in requests:
        found[name] = max(at, found.get(name, at))
    return found
