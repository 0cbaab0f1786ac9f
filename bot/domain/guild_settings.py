"""Settings of a server's studio."""

from collections.abc import Collection
from dataclasses import dataclass, fields
from datetime import tzinfo

from bot.domain.time_zones import zone_of


@dataclass(frozen=True, slots=True, kw_only=True)
class GuildSettings:
    """A server's settings; None is unset.

    Without `studio_channels` the studio works in every channel. Results are private if `private_results`. Without
    `moderator_roles` a moderator is who has Manage Messages. `monthly_budget` is the admins' limit in credits.
    `block_limit` refused prompts within `block_hours` ban a member for `block_ban_hours`; 0 refusals is never.
    """

    time_zone: str | None = None
    locale: str | None = None
    private_results: bool | None = None
    studio_channels: tuple[int, ...] = ()
    moderator_roles: tuple[int, ...] = ()
    review_channel_id: int | None = None
    showcase_channel_id: int | None = None
    log_channel_id: int | None = None
    monthly_budget: int | None = None
    block_limit: int | None = None
    block_hours: int | None = None
    block_ban_hours: int | None = None

    @property
    def zone(self) -> tzinfo:
        """The server's time zone; UTC if unset."""
        return zone_of(self.time_zone)

    def is_studio_channel(self, channel_ids: Collection[int]) -> bool:
        """Return whether the studio works in a channel.

        `channel_ids` are the channel and its parents: a thread belongs to its channel.
        """
        return not self.studio_channels or any(each in self.studio_channels for each in channel_ids)

    def is_moderator(self, roles: Collection[int], *, manages_messages: bool, is_admin: bool) -> bool:
        """Return whether a member moderates the studio.

        Once roles are named, they decide instead of Manage Messages. Admins always moderate, so that a deleted role
        leaves nobody locked out.
        """
        if is_admin:
            return True
        return any(each in self.moderator_roles for each in roles) if self.moderator_roles else manages_messages


NO_SETTINGS = GuildSettings()
"""Those of a server that has set nothing."""
GUILD_SETTINGS = tuple(each.name for each in fields(GuildSettings))
"""The names of all settings."""
