"""Models of a provider beside those of the files."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


class FoundModelsError(ValueError):
    """Mistakes in models beside the files.

    `lines` has one for each; `setting` is the setting that names their place.
    """

    def __init__(self, lines: tuple[str, ...], *, setting: str) -> None:
        super().__init__("\n".join(lines))
        self.lines = lines
        self.setting = setting


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundModel:
    """A model beside those of the files.

    `table`, `own` and `offer` are in the form of a file of models: the usual keys of a new model, the keys that its
    operator set, and its offer. A model that ships gets the offer alone, with the limits of `table`. `source` names the
    place of `own` in a mistake, and `setting` the setting behind it.
    """

    name: str
    provider: str
    setting: str
    source: str
    table: Mapping[str, Any]
    offer: Mapping[str, Any]
    own: Mapping[str, Any] = field(default_factory=dict)
