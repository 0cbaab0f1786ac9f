"""Rules of a server's AutoMod.

They are announced by intent, to a bot with Manage Server alone. The fake keeps and shows them; it does not apply them
to messages.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from sandbox.discord.client_rules import ClientRefusal
from sandbox.discord.encoding import Json
from sandbox.discord.entities import Guild
from sandbox.discord.gateway import AUTOMOD_RULES_INTENT, Gateway
from sandbox.discord.permissions import Permission, guild_permissions
from sandbox.discord.state import World

KEYWORD: Final = 1
PRESETS: Final = 4
"""Discord's own lists of words."""

LONGEST_NAME: Final = 100
MOST_RULES: Final = 6
MOST_KEYWORDS: Final = 1000
LONGEST_KEYWORD: Final = 60
MOST_PATTERNS: Final = 10
LONGEST_PATTERN: Final = 260

_MESSAGE_SENT: Final = 1
_BLOCK: Final = 1
_ALERT: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class AutoModRule:
    """A rule about words.

    In a keyword `*` stands for any text, at its start or end. With `presets` (Discord's lists 1 to 3) it has no
    keywords and patterns. With `alerts_in`, a channel's id, messages are reported there instead of blocked.
    """

    id: str
    guild_id: str
    creator_id: str
    name: str
    keywords: tuple[str, ...] = ()
    patterns: tuple[str, ...] = ()
    allowed: tuple[str, ...] = ()
    presets: tuple[int, ...] = ()
    enabled: bool = True
    alerts_in: str | None = None
    exempt_roles: tuple[str, ...] = ()
    exempt_channels: tuple[str, ...] = ()

    @property
    def payload(self) -> Json:
        """The rule as the API shows it."""
        metadata: Json = {"allow_list": list(self.allowed)}
        if self.presets:
            metadata["presets"] = list(self.presets)
        else:
            metadata |= {"keyword_filter": list(self.keywords), "regex_patterns": list(self.patterns)}
        return {
            "id": self.id,
            "guild_id": self.guild_id,
            "creator_id": self.creator_id,
            "name": self.name,
            "event_type": _MESSAGE_SENT,
            "trigger_type": PRESETS if self.presets else KEYWORD,
            "trigger_metadata": metadata,
            "actions": [
                {"type": _BLOCK, "metadata": {}}
                if self.alerts_in is None
                else {"type": _ALERT, "metadata": {"channel_id": self.alerts_in}}
            ],
            "enabled": self.enabled,
            "exempt_roles": list(self.exempt_roles),
            "exempt_channels": list(self.exempt_channels),
        }


class AutoMod:
    """All servers' rules."""

    def __init__(self, world: World, gateway: Gateway) -> None:
        self._world = world
        self._gateway = gateway
        self._rules: dict[str, AutoModRule] = {}

    def is_readable(self, guild: Guild) -> bool:
        """Return whether the bot may read a server's rules and gets their events."""
        member = guild.members.get(self._world.bot.id)
        return member is not None and bool(guild_permissions(guild, member) & Permission.MANAGE_GUILD)

    def rules(self, guild: Guild) -> list[AutoModRule]:
        """Return a server's rules, oldest first."""
        return [rule for rule in self._rules.values() if rule.guild_id == guild.id]

    def add(
        self,
        guild: Guild,
        name: str,
        *,
        keywords: Sequence[str] = (),
        patterns: Sequence[str] = (),
        allowed: Sequence[str] = (),
        **more: Any,
    ) -> AutoModRule:
        """Create a rule; `more` are other fields of `AutoModRule`.

        Raises:
            ClientRefusal: Discord's limits do not allow it.
        """
        if len(self.rules(guild)) >= MOST_RULES:
            raise ClientRefusal(f"A server has at most {MOST_RULES} rules about words.")
        _check_words(name, keywords, patterns)
        rule = AutoModRule(
            id=self._world.snowflakes.next(),
            guild_id=guild.id,
            creator_id=guild.owner_id,
            name=name,
            keywords=tuple(keywords),
            patterns=tuple(patterns),
            allowed=tuple(allowed),
            **more,
        )
        self._rules[rule.id] = rule
        self._announce("AUTO_MODERATION_RULE_CREATE", rule)
        return rule

    def edit(self, rule: AutoModRule, **changes: Any) -> AutoModRule:
        """Replace some fields of a rule, and return the new one."""
        edited = replace(rule, **changes)
        _check_words(edited.name, edited.keywords, edited.patterns)
        self._rules[rule.id] = edited
        self._announce("AUTO_MODERATION_RULE_UPDATE", edited)
        return edited

    def delete(self, rule: AutoModRule) -> None:
        """Delete a rule."""
        del self._rules[rule.id]
        self._announce("AUTO_MODERATION_RULE_DELETE", rule)

    def _announce(self, event: str, rule: AutoModRule) -> None:
        if self.is_readable(self._world.guilds[rule.guild_id]):
            self._gateway.dispatch(event, rule.payload, guild_id=rule.guild_id, intent=AUTOMOD_RULES_INTENT)


def _check_words(name: str, keywords: Sequence[str], patterns: Sequence[str]) -> None:
    if not 1 <= len(name) <= LONGEST_NAME:
        raise ClientRefusal(f"A rule's name has 1 to {LONGEST_NAME} characters.")
    if len(keywords) > MOST_KEYWORDS or any(not 1 <= len(each) <= LONGEST_KEYWORD for each in keywords):
        raise ClientRefusal(f"A rule has at most {MOST_KEYWORDS:,} keywords of at most {LONGEST_KEYWORD} characters.")
    if len(patterns) > MOST_PATTERNS or any(not 1 <= len(each) <= LONGEST_PATTERN for each in patterns):
        raise ClientRefusal(f"A rule has at most {MOST_PATTERNS} patterns of at most {LONGEST_PATTERN} characters.")
