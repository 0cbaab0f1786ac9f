"""Outgoing requests through a real CONNECT proxy."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import httpx
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from bot.domain.errors import FaultKind, ImageError, ImageProblem
from bot.images.download import NO_CONNECTION, ImageDownloader
from bot.images.url_policy import system_lookup
from bot.providers.error_mapping import kind_of_exception
from bot.providers.transport import provider_client
from bot.proxies import Proxies
from bot.settings import SettingsError, load_settings
from tests.support.proxy import ConnectProxy, connect_proxy, make_certificate, tls_front

BASIC = "Basic dXNlcjpzM2NyZXQ="
PUBLIC = "93.184.216.34"


@dataclass
class Site:
    """A server behind the proxy."""

    proxy: ConnectProxy
    verify: ssl.SSLContext
    requests: list[tuple[str, str]]

    @property
    def proxies(self) -> Proxies:
        return Proxies(self.proxy.url)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a certificate for the names behind the proxy."""
    return make_certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture
async def site(certificate: Path) -> AsyncIterator[Site]:
    """Yield a TLS server behind a proxy."""
    requests: list[tuple[str, str]] = []

    async def handler(request: web.Request) -> web.Response:
        requests.append((request.host, request.raw_path))
        return web.Response(body=b"a picture")

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    async with TestServer(app, host="127.0.0.1") as server:
        assert server.port is not None
        async with tls_front(server.port, certificate) as port, connect_proxy(port) as proxy:
            yield Site(proxy, ssl.create_default_context(cafile=str(certificate)), requests)


async def download(site: Site, folder: Path, url: str, addresses: Sequence[str] = (PUBLIC,)) -> bytes:
    """Return a download's bytes, with these addresses as the host's."""

    async def lookup(host: str, port: int) -> Sequence[str]:
        del host, port
        if not addresses:
            raise OSError
        return addresses

    downloader = ImageDownloader(verify=site.verify, pauses=(), lookup=lookup, proxies=site.proxies)
    try:
        return await asyncio.to_thread((await downloader.fetch(url, into=folder)).read_bytes)
    finally:
        await downloader.close()


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_provider_is_reached_through_proxy(site: Site, method: str) -> None:
    async with provider_client(verify=site.verify, proxies=site.proxies) as client:
        answer = await client.request(method, "https://api.example/api/v1/generate", headers={"Authorization": "key"})
    assert answer.content == b"a picture"
    assert site.proxy.asked == ["CONNECT api.example:443 HTTP/1.1"]
    assert site.proxy.credentials == [BASIC]
    assert site.requests == [("api.example", "/api/v1/generate")]


@pytest.mark.parametrize("refusal", ["407 Proxy Authentication Required", "502 Bad Gateway", "403 Forbidden"])
async def test_submit_refused_by_proxy_was_not_sent(site: Site, refusal: str) -> None:
    """It may go to the next provider, or be repeated."""
    site.proxy.refusal = refusal
    async with provider_client(verify=site.verify, proxies=site.proxies) as client:
        with pytest.raises((httpx.HTTPError, aiohttp.ClientError)) as caught:
            await client.post("https://api.example/")
    assert kind_of_exception(caught.value) is FaultKind.UNAVAILABLE
    assert site.requests == []


@pytest.mark.parametrize("refusal", ["407 Proxy Authentication Required", "502 Bad Gateway", "403 Forbidden"])
async def test_image_host_refused_by_proxy_is_not_connected(site: Site, tmp_path: Path, refusal: str) -> None:
    # Some proxies open no way to an address; the next image would be paid for and lost too.
    site.proxy.refusal = refusal
    with pytest.raises(ImageError) as caught:
        await download(site, tmp_path, "https://cdn.example/a.png")
    assert caught.value.problem is ImageProblem.UNREACHABLE
    assert caught.value.detail.startswith(NO_CONNECTION)


async def test_submit_without_proxy_was_not_sent(site: Site) -> None:
    async with provider_client(verify=site.verify, proxies=Proxies("http://127.0.0.1:1")) as client:
        with pytest.raises((httpx.HTTPError, aiohttp.ClientError)) as caught:
            await client.post("https://api.example/")
    assert kind_of_exception(caught.value) is FaultKind.UNAVAILABLE


async def test_download_gives_proxy_the_checked_address(site: Site, tmp_path: Path) -> None:
    """The proxy's look-up could differ; TLS and the request keep the name."""
    path = "/a%2Fb/c.png?signature=x%2By&e=%7E"
    assert await download(site, tmp_path, f"https://cdn.example{path}") == b"a picture"
    assert site.proxy.asked == [f"CONNECT {PUBLIC}:443 HTTP/1.1"]
    assert site.requests == [("cdn.example", path)]


async def test_download_prefers_ipv4(site: Site, tmp_path: Path) -> None:
    await download(site, tmp_path, "https://cdn.example/", ["2606:2800:21f:cb07::1", PUBLIC])
    await download(site, tmp_path, "https://cdn.example/", ["2606:2800:21f:cb07::1"])
    assert [asked.split()[1] for asked in site.proxy.asked] == [f"{PUBLIC}:443", "[2606:2800:21f:cb07::1]:443"]


@pytest.mark.parametrize("address", ["10.0.0.1", "127.0.0.1", "169.254.169.254", "::1"])
async def test_download_of_private_name_never_reaches_proxy(site: Site, tmp_path: Path, address: str) -> None:
    with pytest.raises(ImageError) as caught:
        await download(site, tmp_path, "https://cdn.example/", [PUBLIC, address])
    assert caught.value.problem is ImageProblem.FORBIDDEN_ADDRESS
    assert site.proxy.asked == []


@pytest.mark.parametrize("url", ["https://10.0.0.1/", "https://[::1]/", "https://127.0.0.1/", "http://cdn.example/"])
async def test_download_of_private_address_never_reaches_proxy(site: Site, tmp_path: Path, url: str) -> None:
    with pytest.raises(ImageError) as caught:
        await download(site, tmp_path, url)
    assert caught.value.problem is ImageProblem.FORBIDDEN_ADDRESS
    assert site.proxy.asked == []


async def test_download_of_unknown_name_is_unreachable(site: Site, tmp_path: Path) -> None:
    """The proxy's own names may be private ones."""
    with pytest.raises(ImageError) as caught:
        await download(site, tmp_path, "https://cdn.example/", [])
    assert caught.value.problem is ImageProblem.UNREACHABLE
    assert site.proxy.asked == []


async def test_download_checks_certificate_of_name(site: Site, tmp_path: Path) -> None:
    with pytest.raises(ImageError) as caught:
        await download(site, tmp_path, "https://other.example/")
    assert caught.value.problem is ImageProblem.UNREACHABLE
    assert site.requests == []


async def test_this_machine_is_reached_directly(site: Site, tmp_path: Path) -> None:
    """So the sandbox works behind any proxy."""
    del tmp_path
    assert [
        site.proxies.find(url)
        for url in ("http://127.0.0.1:9/", "https://localhost/", "https://[::1]:8/", "http://api.example/", "ws://a/")
    ] == [None] * 5
    assert await system_lookup("127.0.0.1", 443) == ["127.0.0.1"]


@pytest.mark.parametrize(
    ("bypass", "direct"),
    [("", False), ("*", True), ("api.example", True), (".example", True), ("example", True), ("other.org", False)],
)
def test_listed_hosts_are_reached_directly(bypass: str, direct: bool) -> None:
    assert (Proxies("http://p:1", bypass).find("https://api.example/x") is None) is direct


@pytest.mark.parametrize(
    ("value", "url"),
    [
        ("http://proxy.example:3128", "http://proxy.example:3128"),
        ("proxy.example:3128/", "http://proxy.example:3128"),
        ("https://user:s3cret@proxy.example", "https://user:s3cret@proxy.example"),
    ],
)
def test_proxy_setting_is_read(value: str, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HTTPS_PROXY", raising=False)
    monkeypatch.setenv("https_proxy", value)
    settings = load_settings()
    assert settings.proxies.find("https://discord.com/api/v10") == url
    assert "s3cret" not in repr(settings)
    assert "s3cret" not in repr(settings.proxies)
    assert settings.proxies.address in ("proxy.example:3128", "proxy.example")


@pytest.mark.parametrize("value", ["socks5://proxy:1080", "http://", "http://proxy:99999", "http://proxy/path"])
def test_unusable_proxy_stops_start(value: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings(https_proxy=value)
    (line,) = caught.value.lines
    assert line.startswith("HTTPS_PROXY takes http://HOST:PORT")
