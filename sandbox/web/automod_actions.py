"""Rules of AutoMod, changed in the panel."""

from collections.abc import Awaitable, Callable

from sandbox.discord import Actor, AutoModRule, ClientRefusal, DiscordServer, Guild
from sandbox.discord.encoding import Json
from sandbox.web.message_parsing import read_text


class AutoModActions:
    """Runs the panel's changes of AutoMod's rules."""

    def __init__(self, discord: DiscordServer) -> None:
        self._discord = discord
        self.actions: dict[str, Callable[[Actor, Json], Awaitable[Json]]] = {"automod": self.automod}

    def state(self) -> Json:
        """Return the rules by server."""
        guilds = self._discord.world.guilds.values()
        return {guild.id: [_view(rule) for rule in self._discord.automod.rules(guild)] for guild in guilds}

    async def automod(self, _: Actor, body: Json) -> Json:
        """Create a rule, switch it on or off, or delete it."""
        guild = self._discord.world.guilds[read_text(body, "guild")]
        match body.get("action"):
            case "create":
                words = [each.strip() for each in read_text(body, "words").replace(",", "\n").splitlines()]
                kept = [each for each in words if each]
                if not kept:
                    raise ClientRefusal("A rule needs words.")
                self._discord.automod.add(guild, read_text(body, "name").strip(), keywords=kept)
            case "switch":
                self._discord.automod.edit(self._rule(guild, body), enabled=body.get("on") is True)
            case "delete":
                self._discord.automod.delete(self._rule(guild, body))
            case _:
                raise ClientRefusal("A rule can be created, switched or deleted.")
        return {}

    def _rule(self, guild: Guild, body: Json) -> AutoModRule:
        rules = {rule.id: rule for rule in self._discord.automod.rules(guild)}
        return rules[read_text(body, "rule")]


def _view(rule: AutoModRule) -> Json:
    return {"id": rule.id, "name": rule.name, "words": list(rule.keywords), "enabled": rule.enabled}
