"""Models and options reserved for roles, by the operator and by guilds."""

from collections.abc import Collection, Sequence

from sqlalchemy import Connection

from bot.domain.access_rules import AccessRule, RuleKind, broken_rule
from bot.domain.catalogue import Catalogue
from bot.domain.errors import RoleNeededError
from bot.domain.requests import GenerationRequest
from db.access_rules import AccessRuleRepository


class AccessRules:
    """The operator's roles of models, and the rules of guilds."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._of_operator = tuple(
            AccessRule(kind=RuleKind.MODEL, name=model.id, roles=frozenset(model.roles))
            for model in catalogue.models
            if model.roles
        )

    def check(self, of_guild: Sequence[AccessRule], roles: Collection[int], request: GenerationRequest) -> None:
        """Check that a member with roles may send a request.

        `of_guild` are the rules of the guild.

        Raises:
            RoleNeededError: its model or an option needs another role.
        """
        for rules in (self._of_operator, of_guild):
            rule = broken_rule(request, rules, roles)
            if rule is not None:
                option = None if rule.kind is RuleKind.MODEL else rule.name
                raise RoleNeededError(model=request.model, option=option, roles=rule.roles)

    def reserved_models(self, connection: Connection, guild_id: int, roles: Collection[int]) -> frozenset[str]:
        """Return the models that need a role beyond these."""
        return self.reserved_among(_of_guild(connection, guild_id), roles)

    def reserved_among(self, of_guild: Sequence[AccessRule], roles: Collection[int]) -> frozenset[str]:
        """Return the models reserved by the rules of a guild, too."""
        return frozenset(
            rule.name
            for rule in (*self._of_operator, *of_guild)
            if rule.kind is RuleKind.MODEL and rule.roles.isdisjoint(roles)
        )


def _of_guild(connection: Connection, guild_id: int) -> tuple[AccessRule, ...]:
    return AccessRuleRepository(connection).list(guild_id) if guild_id else ()
