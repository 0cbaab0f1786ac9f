"""Presets: options and a prompt template, saved under a name."""

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
"""Presets of a member or a server: as many as Discord offers in autocompletion."""
KEPT_FOR_UNDO: Final = timedelta(days=1)
PLACEHOLDER: Final = "{prompt}"

_NAME: Final = LazyText("a name of 1 to {most} characters on one line", most=MAX_NAME)
_TEMPLATE: Final = LazyText(
    "a text of up to {most:,} characters with {placeholder} once, where the prompt goes, or not at all",
    most=MAX_TEMPLATE,
    placeholder=PLACEHOLDER,
)
_UNREADABLE: Final = ("Cc", "Cs", "Cn", "Co")
_UNSEEN: Final = ("Cf", "Mn", "Me", "Zs", "Zl", "Zp")


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """A preset of a member, or of a server if `shared`.

    `template` frames the prompt; an empty one adds nothing. `options` are typed forms by option name, only the chosen
    ones. `saved_by` is the member who last saved it.
    """

    name: str
    template: str = ""
    options: Mapping[str, Any] = field(default_factory=dict, hash=False)
    shared: bool = False
    saved_by: int = 0

    @property
    def key(self) -> str:
        """Return the key for look-ups."""
        return preset_key(self.name)

    def prompt(self, typed: str) -> str:
        """Return the whole prompt.

        The typed prompt takes its place in the template, or follows it.
        """
        if PLACEHOLDER in self.template:
            return self.template.replace(PLACEHOLDER, typed)
        return f"{self.template}, {typed}" if self.template else typed


@dataclass(frozen=True, slots=True, kw_only=True)
class PresetScope:
    """The owner of presets: a server, or a member in all servers.

    The id of the other one is 0.
    """

    guild_id: int = 0
    member_id: int = 0

    @property
    def shared(self) -> bool:
        """True if the owner is a server."""
        return self.member_id == 0


def undo_token(scope: PresetScope, key: str) -> str:
    """Return 32 hexadecimal digits identifying a preset in a button's id.

    A name would be too long for one.
    """
    named = f"{scope.guild_id}:{scope.member_id}:{key}"
    return hashlib.sha256(named.encode()).hexdigest()[:32]


def preset_key(name: str) -> str:
    """Return the look-up key of a name.

    It ignores upper and lower case and how keyboards compose letters.
    """
    return unicodedata.normalize("NFC", _composed(name).casefold())


def validate_name(name: str) -> str:
    """Return a preset's name without the blanks around it.

    Raises:
        OptionRangeError: it is not a valid name.
    """
    if not is_name(name):
        raise OptionRangeError("name", name, _NAME)
    return _composed(name)


def is_name(name: str) -> bool:
    """Return whether a name is valid for a preset.

    Invalid are names without a visible character, too long ones, and those that some database cannot store.
    """
    tidied = _composed(name)
    # Some letters become several in lower case, and the key has to fit as well.
    fits = 1 <= len(tidied) <= MAX_NAME and len(preset_key(name)) <= MAX_NAME
    categories = [unicodedata.category(sign) for sign in tidied]
    readable = not any(each in _UNREADABLE for each in categories)
    return fits and readable and not all(each in _UNSEEN for each in categories)


def validate_template(template: str | None) -> str:
    """Return a prompt template; an empty one for None.

    Other faults of it show in the framed prompt, which is checked like every prompt.

    Raises:
        OptionRangeError: it is too long, or has the placeholder twice.
    """
    text = (template or "").strip()
    if len(text) > MAX_TEMPLATE or text.count(PLACEHOLDER) > 1:
        raise OptionRangeError("prompt", text, _TEMPLATE)
    return text


def _composed(name: str) -> str:
    return unicodedata.normalize("NFC", " ".join(name.split()))
