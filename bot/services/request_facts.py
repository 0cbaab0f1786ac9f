"""Facts for the checks of requests, read for many at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection

from bot.domain.access_rules import AccessRule
from bot.domain.bans import Ban, BanScope
from bot.domain.jobs import InteractionContext
from bot.domain.pauses import Pauses
from db.access_rules import AccessRuleRepository
from db.allowances import AllowanceRepository, JobRules
from db.bans import BanRepository
from db.pauses import PauseRepository


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestFacts:
    """The rules for a member at a place, the pauses and a ban there.

    `returns`: something is kept of the member, or is being deleted.
    """

    rules: JobRules = field(default_factory=JobRules)
    pauses: Pauses = field(default_factory=Pauses)
    ban: Ban | None = None
    access_rules: tuple[AccessRule, ...] = ()
    returns: bool = False


def read_facts(
    connection: Connection, places: Sequence[InteractionContext], now: datetime, returning: frozenset[int]
) -> list[RequestFacts]:
    """Return the facts of each place.

    No pause begins before the transaction ends. `returning` are the members with something kept.
    """
    pauses = PauseRepository(connection)
    pauses.lock_for_new_job()
    all_pauses = pauses.list()
    rules = AllowanceRepository(connection).rules_of_all(places)
    bans = BanRepository(connection).find_all(places, now, BanScope.STUDIO)
    guilds = {each.guild_id for each in places}
    access: Mapping[int, tuple[AccessRule, ...]] = AccessRuleRepository(connection).list_all(guilds)
    return [
        RequestFacts(
            rules=rules[at],
            pauses=all_pauses,
            ban=bans[at],
            access_rules=access.get(place.guild_id, ()),
            returns=place.member_id in returning,
        )
        for at, place in enumerate(places)
    ]
