"""Safe display of typed text, and numbers in words."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import reduce
from itertools import accumulate
from typing import Final, Literal

from bot.domain.outbox import OutboxMessage
from bot.ui.i18n import _, ngettext
from bot.ui.truncation import cut

_MARKDOWN: Final = re.compile(r"([\\*_~`|<>\[\]()#+\-:/])")
# First strong isolate and its end: a right-to-left prompt must not turn the rest of the line around.
_ISOLATE: Final = ("\u2068", "\u2069")
# Characters that start or end a direction: typed ones would end the isolate early.
_DIRECTIONS: Final = dict.fromkeys((*range(0x202A, 0x202F), *range(0x2066, 0x206A)))
_NUMBERED_LIST: Final = re.compile(r"^(\d+)\.")
_MINUTES_FROM: Final = 120
_HOURS_FROM: Final = 5400
_MOST_CHANNELS: Final = 5
_MOST_ROLES: Final = 20
# Discord takes 4,000 characters in all the texts of a message, counted as UTF-16.
_ROOM: Final = 3800
_NO_BREAK: Final = "\u00a0"


def one_line(text: str) -> str:
    """Return the text with every run of white space as one space."""
    return " ".join(text.split())


def without_directions(text: str) -> str:
    """Return one line without the invisible characters that turn text around.

    It is for files and descriptions, where nothing isolates a name from the rest.
    """
    return one_line(text.translate(_DIRECTIONS))


def escaped(text: str) -> str:
    """Return one line shown as typed: no formatting, links or mentions."""
    line = _MARKDOWN.sub(r"\\\1", one_line(text.translate(_DIRECTIONS)))
    line = _NUMBERED_LIST.sub(r"\1\\.", line)
    # A zero-width space after the at sign: everyone, here and user mentions are plain words then.
    line = line.replace("@", "@\u200b")
    return f"{_ISOLATE[0]}{line}{_ISOLATE[1]}"


def alternative(text: str, limit: int = 1024) -> str:
    """Return plain text for an image's description.

    `limit` is Discord's, in UTF-16 units.
    """
    line = cut(one_line(text), limit)
    while len(line.encode("utf-16-le")) // 2 > limit:
        line = cut(line, len(line) - 1 - (len(line) - limit // 2) // 2)
    return line


def number(value: int) -> str:
    """Return a number with its thousands set apart."""
    return f"{value:,}"


def ordinal(place: int) -> str:
    """Return 1st, 2nd, 3rd, 4th, ...

    English tells the four endings apart. A language with other rules gives all four the same words, such as "no. {n}".
    """
    # Translators: the ending follows the English rule (1st 21st, 2nd 22nd, 3rd, 4th); where yours differs, write
    # Translators: the same in all four, such as "no. {n}".
    endings = {1: _("{n}st"), 2: _("{n}nd"), 3: _("{n}rd")}
    other = _("{n}th")
    return (other if place % 100 in (11, 12, 13) else endings.get(place % 10, other)).format(n=place)


def counted(count: int, noun: Literal["picture", "credit", "mistake"]) -> str:
    """Return "1 picture", "2 pictures", to stand alone.

    Within a sentence another language may need another form.
    """
    match noun:
        case "picture":
            said = ngettext("{count} picture", "{count} pictures", count)
        case "credit":
            said = ngettext("{count} credit", "{count} credits", count)
        case "mistake":
            said = ngettext("{count} mistake", "{count} mistakes", count)
    return said.format(count=number(count))


def in_credits(count: int) -> str:
    """Return "1 credit", "24 credits"."""
    return counted(count, "credit")


def outbox_link(message: OutboxMessage | None) -> str | None:
    """Return the address of a message on Discord; None before it is posted."""
    if message is None or message.message_id is None:
        return None
    return f"https://discord.com/channels/{message.guild_id}/{message.channel_id}/{message.message_id}"


def ago(moment: datetime) -> str:
    """Return Discord's mark for a time that each reader sees relative to now."""
    return f"<t:{int(moment.timestamp())}:R>"


def moment(when: datetime) -> str:
    """Return Discord's mark for a date and time in each reader's zone."""
    return f"<t:{int(when.timestamp())}:f>"


def day(when: datetime) -> str:
    """Return Discord's mark for a day, shown in each reader's language."""
    return f"<t:{int(when.timestamp())}:D>"


def seconds(duration: float) -> str:
    """Return "31 s" or "2 min 5 s", with no-break spaces."""
    minutes, rest = divmod(max(1, round(duration)), 60)
    if not minutes:
        said = _("{seconds} s").format(seconds=rest)
    elif rest:
        said = _("{minutes} min {seconds} s").format(minutes=minutes, seconds=rest)
    else:
        said = _("{minutes} min").format(minutes=minutes)
    return said.replace(" ", _NO_BREAK)


def usually(measured: tuple[int, int] | None) -> str | None:
    """Return "usually 25-40 s" or "usually 2-4 min", or None.

    `measured` is the median and the 90th percentile.
    """
    if measured is None:
        return None
    median, late = max(1, measured[0]), max(1, *measured)
    if late == median:
        return _("usually {duration}").format(duration=seconds(median))
    if late < _MINUTES_FROM:
        return _("usually {first}-{last} s").format(first=median, last=late)
    first, last = max(1, median // 60), -(-late // 60)
    if last > first:
        return _("usually {first}-{last} min").format(first=first, last=last)
    return _("usually {minutes} min").format(minutes=last)


def about(duration: int) -> str:
    """Return "about 40 s", "about 2 min" or "about 3 h", no shorter."""
    if duration < _MINUTES_FROM // 2:
        said = _("{seconds} s").format(seconds=-(-max(1, duration) // 5) * 5)
    elif duration < _HOURS_FROM:
        said = _("{minutes} min").format(minutes=-(-duration // 60))
    else:
        said = _("{hours} h").format(hours=-(-duration // 3600))
    return _("about {duration}").format(duration=said.replace(" ", _NO_BREAK))


def listed(names: Sequence[str]) -> str:
    """Return "a", "a or b", "a, b or c"."""
    if len(names) == 1:
        return names[0]
    return _("{some} or {last}").format(some=", ".join(names[:-1]), last=names[-1])


def together(names: Sequence[str]) -> str:
    """Return "a", "a and b", "a and b and c"."""
    return reduce(lambda some, last: _("{some} and {last}").format(some=some, last=last), names)


def person(member_id: int) -> str:
    """Return the mention of a person, or the words for a deleted one.

    After a deletion of everything a member's id is a negative pseudonym.
    """
    return f"<@{member_id}>" if member_id > 0 else _("a deleted member")


def channel_list(channel_ids: Sequence[int]) -> str:
    """Return links to the first channels, and the number of the others."""
    return ", ".join(first_of([f"<#{each}>" for each in channel_ids], _MOST_CHANNELS))


def role_list(role_ids: Sequence[int]) -> str:
    """Return mentions of the first roles, and the number of the others."""
    return ", ".join(first_of([f"<@&{each}>" for each in role_ids], _MOST_ROLES))


def first_of(texts: Sequence[str], most: int) -> list[str]:
    """Return the first texts, and "3 more" for the others."""
    shown, others = [*texts[:most]], len(texts) - most
    if others > 0:
        shown.append(ngettext("{count} more", "{count} more", others).format(count=number(others)))
    return shown


def fitting(entries: Sequence[str], room: int = _ROOM) -> list[str]:
    """Return the entries with room in a message, and the number left out."""
    count = count_fitting(entries, room)
    more = len(entries) - count
    if not more:
        return list(entries)
    return [*entries[:count], f"-# {and_more(more)}"]


def count_fitting(entries: Sequence[str], room: int = _ROOM) -> int:
    """Return the number of entries with room in a message."""
    sizes = accumulate(len(entry.encode("utf-16-le")) // 2 + 1 for entry in entries)
    return sum(size <= room for size in sizes)


def and_more(count: int) -> str:
    """Return "and 3 more"."""
    return ngettext("and {count} more", "and {count} more", count).format(count=number(count))


def command_link(name: str, command_ids: Mapping[str, int]) -> str:
    """Return a link to a command, or its name if its id is unknown.

    Underscores separate a group from its command.
    """
    name = name.replace("_", " ")
    number_ = command_ids.get(name.partition(" ")[0])
    return f"`/{name}`" if number_ is None else f"</{name}:{number_}>"
