"""List of deletions beside the database, for restored backups."""

import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

FILE_NAME: Final = "deletions.txt"


@dataclass(frozen=True, slots=True)
class DeletionRegister:
    """A file with a pseudonym and the time of the request on each line.

    A database restored from a backup has forgotten the deletions after it; the file has not. Methods block.
    """

    path: Path

    def read(self) -> dict[int, datetime]:
        """Return the latest request of each pseudonym.

        A line that a crash cut off is skipped: its deletion was not carried out yet.
        """
        found: dict[int, datetime] = {}
        try:
            lines = self.path.read_text("ascii").splitlines()
        except FileNotFoundError:
            return found
        for line in lines:
            name, _, at = line.partition(" ")
            try:
                found[int(name)] = datetime.fromisoformat(at)
            except ValueError:
                continue
        return found

    def add(self, pseudonym: int, at: datetime) -> None:
        """Append a request, unless it is there; it is on the disk afterwards.

        Raises:
            OSError: the file cannot be written.
        """
        if self.read().get(pseudonym) == at:
            return
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self.path.open("a", encoding="ascii") as file:
            # The newline before it ends a line that a crash cut off.
            file.write(f"\n{pseudonym} {at.isoformat()}\n")
            file.flush()
            os.fsync(file.fileno())
