"""Who may use the page: strangers, other sites and other names are turned away, and what people upload cannot act."""

import aiohttp
import pytest

from sandbox.discord import DiscordServer
from sandbox.web import Page
from tests.sandbox.web.conftest import OpenTab

PATHS = ["/", "/sandbox/page/static/main.js", "/sandbox/page/socket", "/sandbox/page/media/1/a.png"]


async def status(session: aiohttp.ClientSession, url: str, **headers: str) -> int:
    """Return the status of a GET."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    async with session.get(url, headers=named) as answer:
        return answer.status


async def test_the_printed_address_opens_the_page(page: Page, browser: aiohttp.ClientSession) -> None:
    """The token becomes a cookie that neither scripts nor other sites can use."""
    del page
    (cookie,) = browser.cookie_jar
    assert cookie["httponly"]
    assert cookie["samesite"] == "Strict"


@pytest.mark.parametrize("path", PATHS)
async def test_nothing_is_served_without_the_token(page: Page, discord_server: DiscordServer, path: str) -> None:
    """Without the cookie there is nothing, with a wrong token neither."""
    del page
    async with aiohttp.ClientSession() as stranger:
        own = discord_server.base_url
        assert await status(stranger, own + path, Origin=own) == 403
        assert await status(stranger, f"{own}{path}?token=wrong", Origin=own) == 403


@pytest.mark.parametrize("path", PATHS)
async def test_another_site_is_turned_away(
    page: Page, discord_server: DiscordServer, browser: aiohttp.ClientSession, path: str
) -> None:
    """By its Origin, by a name of its own for this machine, and by what the browser says of the request."""
    del page
    url = discord_server.base_url + path
    port = discord_server.base_url.rpartition(":")[2]
    assert await status(browser, url, Origin="http://evil.example") == 403
    assert await status(browser, url, Origin="null") == 403
    assert await status(browser, url, Host=f"evil.example:{port}", Origin=f"http://evil.example:{port}") == 403
    assert await status(browser, url, Sec_Fetch_Site="cross-site") == 403


async def test_what_acts_must_say_where_it_comes_from(
    page: Page, discord_server: DiscordServer, browser: aiohttp.ClientSession
) -> None:
    """The socket and the uploads are closed to a request without an Origin."""
    del page
    assert await status(browser, f"{discord_server.base_url}/sandbox/page/socket") == 403
    async with browser.post(f"{discord_server.base_url}/sandbox/page/uploads", data=b"x") as answer:
        assert answer.status == 403


async def test_the_control_addresses_are_guarded_by_name_too(
    page: Page, discord_server: DiscordServer, browser: aiohttp.ClientSession
) -> None:
    """A site that calls this machine by a name of its own cannot set faults."""
    del page
    port = discord_server.base_url.rpartition(":")[2]
    foreign = {"Host": f"evil.example:{port}", "Origin": f"http://evil.example:{port}"}
    url = f"{discord_server.base_url}/sandbox/discord/gateway"
    async with browser.post(url, json={"action": "drop"}, headers=foreign) as answer:
        assert answer.status == 403


async def test_the_page_is_under_a_strict_policy(page: Page, browser: aiohttp.ClientSession) -> None:
    """Only its own scripts run, nothing may frame it, and it tells nobody its address."""
    async with browser.get(page.url) as answer:
        policy = answer.headers["Content-Security-Policy"]
        text = await answer.text()
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert "<script>" not in text


async def test_what_is_uploaded_cannot_act(
    discord_server: DiscordServer, browser: aiohttp.ClientSession, open_tab: OpenTab
) -> None:
    """A page among the uploads shares the origin: it is only ever downloaded, and would be locked up if opened."""
    tab = await open_tab()
    upload = await tab.upload(b"<script>alert(1)</script>", "evil.html")
    await tab.ask("say", channel=tab.channel, text="", uploads=[upload])
    message = await tab.message()
    (file,) = message["files"]
    addresses = [file["src"], discord_server.actor("member").sees()[0].payload["attachments"][0]["url"]]
    for address in addresses:
        async with browser.get(address if "://" in address else discord_server.base_url + address) as answer:
            assert answer.status == 200
            assert answer.headers["Content-Disposition"].startswith("attachment")
            assert "sandbox" in answer.headers["Content-Security-Policy"]
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
