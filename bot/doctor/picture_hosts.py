"""Check of the hosts of pictures."""

from typing import Final
from urllib.parse import urlsplit

from bot.doctor.finding import Finding
from bot.images.address_policy import TrustedNetworks
from bot.images.url_policy import Lookup, is_allowed, system_lookup
from bot.settings import DISCORD_API_URL, Settings

_DISCORD_HOST: Final = "cdn.discordapp.com"
_HTTPS: Final = 443


async def check_picture_hosts(settings: Settings, lookup: Lookup = system_lookup) -> list[Finding]:
    """Resolve the hosts of members' pictures and of the providers' results.

    A name server with private addresses would make every picture paid for and lost.
    """
    trusted = TrustedNetworks(settings.trusted_download_networks)
    hosts = _hosts(settings)
    faults = [fault for host in hosts if (fault := await _check(host, trusted, lookup)) is not None]
    if faults or not hosts:
        return faults
    return [Finding(good=True, what=f"the hosts of pictures can be resolved: {', '.join(hosts)}")]


def _hosts(settings: Settings) -> list[str]:
    """Return the known hosts; those of another API address are not known."""
    hosts = [_DISCORD_HOST] if settings.discord_api_url == DISCORD_API_URL else []
    for name in settings.providers:
        spec = settings.specs[name]
        if settings.api_url_of(name) == spec.default_url and not spec.is_service:
            hosts += spec.picture_hosts or [str(urlsplit(spec.default_url).hostname)]
    return hosts


async def _check(host: str, trusted: TrustedNetworks, lookup: Lookup) -> Finding | None:
    """Return the fault of a host, or None."""
    try:
        addresses = await lookup(host, _HTTPS)
    except OSError:
        remedy = "Look at the network and the name server of this machine. Until it resolves, pictures are not fetched."
        return Finding(good=False, what=f"{host}, a host of pictures, cannot be resolved", remedy=remedy)
    refused = [address for address in addresses if not is_allowed(address, trusted)]
    if not refused:
        return None
    what = f"{host}, a host of pictures, resolves to {refused[0]}, which is not a public address"
    remedy = (
        "If a proxy answers like that on purpose, name its network in TRUSTED_DOWNLOAD_NETWORKS, such as 198.18.0.0/15."
        " Otherwise repair the name server. Until then no job is submitted."
    )
    return Finding(good=False, what=what, remedy=remedy)
