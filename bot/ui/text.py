"""Text that people typed, made safe to show; and numbers as people say them."""

import re
import unicodedata
from datetime import datetime
from typing import Final

_MARKDOWN: Final = re.compile(r"([\\*_~`|<>\[\]()#+\-:/])")
_ELLIPSIS: Final = "…"
# First strong isolate and its end: a right-to-left prompt must not turn the rest of the line around.
_ISOLATE: Final = ("\u2068", "\u2069")
_NUMBERED_LIST: Final = re.compile(r"^(\d+)\.")
_JOINER: Final = "\u200d"
# Characters that belong to the one before them: marks, the joiner, skin tones, the letters of a flag, its tags.
_BELONGS: Final = re.compile("[\u200d\U0001f3fb-\U0001f3ff\U0001f1e6-\U0001f1ff\U000e0020-\U000e007f]")
_LONGEST_CLUSTER: Final = 32
_MINUTES_FROM: Final = 120
_NO_BREAK: Final = "\u00a0"


def one_line(text: str) -> str:
    """Return the text with every run of white space as one space."""
    return " ".join(text.split())


def cut(text: str, limit: int) -> str:
    """Return at most `limit` code points, ended by an ellipsis where it was longer, at a space where one is near.

    What reads as one sign (a letter with its marks, an emoji of several code points) is kept or left out as a whole.
    """
    if len(text) <= limit:
        return text
    end = _sign_start(text, limit - 1)
    space = text.rfind(" ", limit * 2 // 3, end)
    return text[: space if space > 0 else end].rstrip() + _ELLIPSIS


def _sign_start(text: str, at: int) -> int:
    """Return the nearest place up to `at` where no sign is torn; `at` itself in a heap of marks without a letter."""
    for place in range(at, max(0, at - _LONGEST_CLUSTER), -1):
        joined = text[place - 1] == _JOINER or _BELONGS.match(text[place])
        if not joined and not unicodedata.category(text[place]).startswith("M"):
            return place
    return at


def escaped(text: str) -> str:
    """Return one line that Discord shows as typed: no formatting, no links, no mentions, nothing pings."""
    line = _MARKDOWN.sub(r"\\\1", one_line(text))
    line = _NUMBERED_LIST.sub(r"\1\\.", line)
    # A zero-width space after the at sign: everyone, here and user mentions are plain words then.
    line = line.replace("@", "@\u200b")
    return f"{_ISOLATE[0]}{line}{_ISOLATE[1]}"


def alternative(text: str, limit: int = 1024) -> str:
    """Return plain text for a picture's description; `limit` is Discord's, counted in UTF-16 units."""
    line = cut(one_line(text), limit)
    while len(line.encode("utf-16-le")) // 2 > limit:
        line = cut(line, len(line) - 1 - (len(line) - limit // 2) // 2)
    return line


def ordinal(number: int) -> str:
    """Return 1st, 2nd, 3rd, 4th, ..."""
    suffix = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{suffix}"


def counted(number: int, noun: str) -> str:
    """Return "1 picture", "2 pictures"."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def in_credits(number: int) -> str:
    """Return "1 credit", "24 credits"."""
    return counted(number, "credit")


def ago(moment: datetime) -> str:
    """Return Discord's mark for a time that each reader sees relative to now."""
    return f"<t:{int(moment.timestamp())}:R>"


def seconds(duration: float) -> str:
    """Return "31 s" or "2 min 5 s", with no-break spaces: a line never ends between a number and its unit."""
    whole = max(1, round(duration))
    minutes, rest = divmod(whole, 60)
    said = f"{whole} s" if not minutes else f"{minutes} min {rest} s" if rest else f"{minutes} min"
    return said.replace(" ", _NO_BREAK)


def usually(measured: tuple[int, int] | None) -> str | None:
    """Return "usually 25-40 s" or "usually 2-4 min" from the median and the 90th percentile, or None."""
    if measured is None:
        return None
    median, late = max(1, measured[0]), max(1, *measured)
    if late == median:
        return f"usually {seconds(median)}"
    if late < _MINUTES_FROM:
        return f"usually {median}-{late} s"
    first, last = max(1, median // 60), -(-late // 60)
    return f"usually {first}-{last} min" if last > first else f"usually {last} min"


def listed(names: tuple[str, ...]) -> str:
    """Return "a", "a or b", "a, b or c"."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"
