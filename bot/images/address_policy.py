"""Judgement of IP addresses for downloads."""

import ipaddress
from collections.abc import Iterable
from typing import Final

IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network

_UNICAST: Final = ipaddress.IPv6Network("2000::/3")
_SIX_TO_FOUR: Final = ipaddress.IPv6Network("2002::/16")
_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")
# This machine, its link, a cloud's metadata, and addresses of nobody in particular. A trusted network that merely
# contains one of these does not mean it: the operator has to list it, or a part of it.
_SENSITIVE: Final[tuple[IPNetwork, ...]] = tuple(
    ipaddress.ip_network(network)
    for network in (
        "0.0.0.0/8",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "100.100.100.200/32",
        "168.63.129.16/32",
        "224.0.0.0/4",
        "255.255.255.255/32",
        "::/128",
        "::1/128",
        "fe80::/10",
        "fd00:ec2::254/128",
        "ff00::/8",
    )
)


def is_public(address: str) -> bool:
    """Return True if an IP address belongs to the public internet.

    `address` is canonical text. An IPv4 address inside an IPv6 one (mapped, or NAT64's well-known prefix) is
    judged as itself. The other tunnels (6to4, Teredo, IPv4-compatible) and scoped addresses are never public.
    """
    ip = _parse(address)
    if isinstance(ip, ipaddress.IPv6Address):
        return ip in _UNICAST and ip not in _SIX_TO_FOUR and ip.is_global
    return ip is not None and ip.is_global and not ip.is_multicast and not ip.is_reserved


class TrustedNetworks:
    """The operator's networks for downloads besides the internet.

    A sensitive address (loopback, link-local, a cloud's metadata, multicast) is trusted only by a network inside the
    same sensitive range: `127.0.0.0/8` trusts loopback, `0.0.0.0/0` does not.
    """

    def __init__(self, networks: Iterable[IPNetwork] = ()) -> None:
        self._networks = tuple(networks)

    def has(self, address: str) -> bool:
        """Return True if a trusted network has the address."""
        ip = _parse(address)
        return ip is not None and any(ip in network and _is_meant(ip, network) for network in self._networks)


def _parse(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Return an address without a scope; an embedded IPv4 one as itself."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return None
    if isinstance(ip, ipaddress.IPv4Address):
        return ip
    if ip.scope_id is not None:
        return None
    inner = ip.ipv4_mapped or (ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF) if ip in _NAT64 else None)
    return inner or ip


def _is_meant(ip: ipaddress.IPv4Address | ipaddress.IPv6Address, network: IPNetwork) -> bool:
    ranges = [sensitive for sensitive in _SENSITIVE if ip in sensitive]
    return all(network.version == each.version and network.subnet_of(each) for each in ranges)  # type: ignore[arg-type]
