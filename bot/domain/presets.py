"""Presets: options with a prompt's frame under a name, one member's or a server's."""

import hashlib
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from bot.domain.errors import OptionRangeError
from bot.domain.lazy_text import LazyText

MAX_NAME: Final = 64
MAX_TEMPLATE: Final = 2000
MAX_PRESETS: Final = 25
"""How many a member may have, and a server: as many as Discord shows while a name is typed."""
KEPT_FOR_UNDO: Final = timedelta(days=1)
PLACEHOLDER: Final = "{prompt}"

_NAME: Final = LazyText("a name of 1 to {most} signs on one line", most=MAX_NAME)
_TEMPLATE: Final = LazyText(
    "a text of up to {most:,} signs with {placeholder} once, where the prompt goes, or not at all",
    most=MAX_TEMPLATE,
    placeholder=PLACEHOLDER,
)
_UNREADABLE: Final = ("Cc", "Cs", "Cn", "Co")
_UNSEEN: Final = ("Cf", "Mn", "Me", "Zs", "Zl", "Zp")


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """What a name stands for. `shared` ones are the server's, the others their member's own.

    `template` frames the prompt; empty, it adds nothing. `options` are as a member writes them, by their names on
    Discord, and only those that were chosen. `saved_by` is whoever saved it last.
    """

    name: str
    template: str = ""
    options: Mapping[str, Any] = field(default_factory=dict, hash=False)
    shared: bool = False
    saved_by: int = 0

    @property
    def key(self) -> str:
        """Return what it is looked up by."""
        return preset_key(self.name)

    def prompt(self, typed: str) -> str:
        """Return the whole prompt: what was typed, in its place in the template or after it."""
        if PLACEHOLDER in self.template:
            return self.template.replace(PLACEHOLDER, typed)
        return f"{self.template}, {typed}" if self.template else typed


@dataclass(frozen=True, slots=True, kw_only=True)
class PresetScope:
    """Whose presets: a server's, or a member's own, which go with them everywhere. The other one is 0."""

    guild_id: int = 0
    member_id: int = 0

    @property
    def shared(self) -> bool:
        """Whether they are a server's."""
        return self.member_id == 0


def undo_token(scope: PresetScope, key: str) -> str:
    """Return 32 hexadecimal digits that stand for a preset where a name would be too long: in a button's id."""
    named = f"{scope.guild_id}:{scope.member_id}:{key}"
    return hashlib.sha256(named.encode()).hexdigest()[:32]


def preset_key(name: str) -> str:
    """Return what a name is looked up by: people write it in capitals or not, and keyboards compose or not."""
    return unicodedata.normalize("NFC", _composed(name).casefold())


def checked_name(name: str) -> str:
    """Return a preset's name, blanks around it taken off; raises `OptionRangeError`."""
    if not is_name(name):
        raise OptionRangeError("name", name, _NAME)
    return _composed(name)


def is_name(name: str) -> bool:
    """Return whether a preset can have this name: nothing else can be looked for, not by every database."""
    tidied = _composed(name)
    # Some letters become several in small letters, and the key has to fit as well.
    fits = 1 <= len(tidied) <= MAX_NAME and len(preset_key(name)) <= MAX_NAME
    categories = [unicodedata.category(sign) for sign in tidied]
    readable = not any(each in _UNREADABLE for each in categories)
    return fits and readable and not all(each in _UNSEEN for each in categories)


def checked_template(template: str | None) -> str:
    """Return a prompt's frame, empty for None; raises `OptionRangeError`.

    What else could be wrong with it shows in a prompt that it frames, which is checked as every prompt is.
    """
    text = (template or "").strip()
    if len(text) > MAX_TEMPLATE or text.count(PLACEHOLDER) > 1:
        raise OptionRangeError("prompt", text, _TEMPLATE)
    return text


def _composed(name: str) -> str:
    return unicodedata.normalize("NFC", " ".join(name.split()))
