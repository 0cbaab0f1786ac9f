import socket
from ipaddress import ip_network

import httpx
import pytest

from bot.domain.errors import ImageError, ImageProblem
from bot.images.address_policy import TrustedNetworks, is_public
from bot.images.transport import ImageTransport
from bot.images.url_policy import (
    PublicResolver,
    check_public,
    check_shape,
    origin,
    public_socket,
    system_lookup,
)


@pytest.mark.parametrize(
    "address",
    ["93.184.216.34", "1.1.1.1", "2606:4700::1111", "::ffff:93.184.216.34", "64:ff9b::5db8:d822"],
)
def test_global_address_is_public(address: str) -> None:
    """Also as IPv4 wrapped in IPv6."""
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "0.0.0.0",  # noqa: S104 - judged, not bound
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "192.0.2.1",
        "198.18.0.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::127.0.0.1",
        "::ffff:127.0.0.1",
        "::ffff:a9fe:a9fe",
        "64:ff9b::7f00:1",
        "64:ff9b:1::1",
        "2002:7f00:1::",
        "2002:5db8:d822::",
        "2001:0:5db8:d822::1",
        "2001:db8::1",
        "fe80::1",
        "fe80::1%eth0",
        "2606:4700::1111%eth0",
        "fc00::1",
        "fec0::1",
        "ff02::1",
        "ff0e::1",
        "127.1",
        "2130706433",
        "0x7f.1",
        "0177.0.0.1",
        "127.0.0.1.",
        "example.com",
        "",
    ],
)
def test_other_address_is_not_public(address: str) -> None:
    """Private, local, reserved, multicast, tunnelled, scoped, malformed."""
    assert not is_public(address)


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/a.png",
        "ftp://example.com/a.png",
        "file:///etc/passwd",
        "data:image/png;base64,AAAA",
        "//example.com/a.png",
        "https:///a.png",
        "https://127.0.0.1/",
        "https://127.0.0.1./",
        "https://127.1/",
        "https://2130706433/",
        "https://0x7f000001/",
        "https://0x7f.0.0.1/",
        "https://017700000001/",
        "https://127。0。0。1/",
        "https://[::1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://[fe80::1%25eth0]/",
        "https://ex ample.com/",
    ],
)
def test_disallowed_url_is_rejected(url: str) -> None:
    """Nothing is resolved for other URLs."""
    with pytest.raises(ImageError) as caught:
        check_public(httpx.URL(url))

    assert caught.value.problem == ImageProblem.FORBIDDEN_ADDRESS


@pytest.mark.parametrize(
    "url", ["https://cdn.example.com/a.png", "https://1.1.1.1/", "https://[2606:4700::1111]:8443/"]
)
def test_public_https_url_is_accepted(url: str) -> None:
    check_public(httpx.URL(url))


@pytest.mark.parametrize("url", ["https://user:secret@example.com/", "https://user@example.com/", "https://h:99999/"])
def test_url_with_user_or_bad_port_is_rejected(url: str) -> None:
    """A user would become an Authorization header."""
    with pytest.raises(ImageError):
        check_shape(httpx.URL(url))


def test_origin_includes_default_port() -> None:
    """The path never counts."""
    assert origin(httpx.URL("https://A.example/x")) == origin(httpx.URL("https://a.example:443/y"))
    assert origin(httpx.URL("http://a.example")) == ("http", "a.example", 80)


async def test_name_with_one_private_address_is_rejected() -> None:
    async def lookup(_host: str, _port: int) -> list[str]:
        return ["93.184.216.34", "10.0.0.1"]

    with pytest.raises(ImageError) as caught:
        await PublicResolver(lookup).resolve("cdn.example", 443)

    assert caught.value.problem == ImageProblem.FORBIDDEN_ADDRESS


async def test_public_name_resolves_to_checked_addresses() -> None:
    """Exactly the checked addresses of the wanted family."""

    async def lookup(_host: str, _port: int) -> list[str]:
        return ["93.184.216.34", "2606:4700::1111"]

    resolver = PublicResolver(lookup)
    both = await resolver.resolve("cdn.example", 443)
    four = await resolver.resolve("cdn.example", 443, socket.AF_INET)

    assert [(found["host"], found["family"]) for found in both] == [
        ("93.184.216.34", socket.AF_INET),
        ("2606:4700::1111", socket.AF_INET6),
    ]
    assert [found["host"] for found in four] == ["93.184.216.34"]


async def test_name_without_address_fails_lookup() -> None:
    """OSError, as from the operating system; an impossible name is rejected."""

    async def nothing(_host: str, _port: int) -> list[str]:
        return []

    async def impossible(host: str, _port: int) -> list[str]:
        return [host.encode("idna").decode()]

    with pytest.raises(OSError, match="no address"):
        await PublicResolver(nothing).resolve("cdn.example", 443)
    with pytest.raises(ImageError):
        await PublicResolver(impossible).resolve("a" * 70, 443)


def test_socket_is_created_for_public_address_only() -> None:
    """The last check, on the connected address."""
    with public_socket((socket.AF_INET, socket.SOCK_STREAM, 0, "", ("1.1.1.1", 443))) as made:
        assert made.family == socket.AF_INET
    with pytest.raises(ImageError):
        public_socket((socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", 443)))


async def test_private_literal_is_stopped_at_connect() -> None:
    """Aiohttp does not resolve literals."""
    transport = ImageTransport(verify=httpx.create_ssl_context(trust_env=False), socket_factory=public_socket)

    with pytest.raises(ImageError) as caught:
        await transport.handle_async_request(httpx.Request("GET", "http://127.0.0.1:9/"))

    assert caught.value.problem == ImageProblem.FORBIDDEN_ADDRESS
    await transport.aclose()


async def test_system_lookup_returns_text_addresses() -> None:
    assert "127.0.0.1" in await system_lookup("127.0.0.1", 443)


@pytest.mark.parametrize(
    ("networks", "address"),
    [
        ("198.18.0.0/15", "198.18.0.1"),
        ("198.18.0.0/15", "198.19.255.255"),
        ("198.18.0.0/15", "::ffff:198.18.0.1"),
        ("fc00::/7", "fd12::1"),
        ("10.0.0.0/8 198.18.0.0/15", "198.18.0.1"),
        ("0.0.0.0/0", "10.0.0.1"),
        ("127.0.0.0/8", "127.0.0.1"),
        ("127.0.0.1/32", "127.0.0.1"),
        ("169.254.169.254/32", "169.254.169.254"),
        ("fe80::/64", "fe80::1"),
    ],
)
def test_listed_network_is_trusted(networks: str, address: str) -> None:
    """A sensitive address only if its own network is listed."""
    assert trusting(networks).has(address)


@pytest.mark.parametrize(
    ("networks", "address"),
    [
        ("198.18.0.0/15", "198.20.0.1"),
        ("198.18.0.0/15", "localhost"),
        ("fc00::/7", "10.0.0.1"),
        ("0.0.0.0/0", "fd12::1"),
        ("0.0.0.0/0 ::/0", "127.0.0.1"),
        ("0.0.0.0/0 ::/0", "::ffff:127.0.0.1"),
        ("0.0.0.0/0 ::/0", "0.0.0.0"),  # noqa: S104 - judged, not bound
        ("0.0.0.0/0 ::/0", "169.254.169.254"),
        ("0.0.0.0/0 ::/0", "100.100.100.200"),
        ("100.64.0.0/10", "100.100.100.200"),
        ("0.0.0.0/0 ::/0", "224.0.0.1"),
        ("0.0.0.0/0 ::/0", "::1"),
        ("0.0.0.0/0 ::/0", "fe80::1"),
        ("0.0.0.0/0 ::/0", "fe80::1%eth0"),
        ("0.0.0.0/0 fd00::/8", "fd00:ec2::254"),
    ],
)
def test_wide_network_trusts_no_sensitive_address(networks: str, address: str) -> None:
    """This machine, its link, and a cloud's metadata."""
    assert not trusting(networks).has(address)


def trusting(networks: str) -> TrustedNetworks:
    """Return the trust in these networks."""
    return TrustedNetworks(ip_network(network) for network in networks.split())


async def test_trusted_network_is_resolved_and_connected() -> None:
    """As behind a proxy with 198.18/15 for every look-up."""
    trusted = trusting("198.18.0.0/15")

    async def lookup(_host: str, _port: int) -> list[str]:
        return ["198.18.0.7"]

    assert [each["host"] for each in await PublicResolver(lookup, trusted).resolve("cdn.example", 443)] == [
        "198.18.0.7"
    ]
    public_socket((socket.AF_INET, socket.SOCK_STREAM, 0, "", ("198.18.0.7", 443)), trusted).close()
    check_public(httpx.URL("https://198.18.0.7/a.png"), trusted)
    with pytest.raises(ImageError):
        check_public(httpx.URL("http://198.18.0.7/a.png"), trusted)
