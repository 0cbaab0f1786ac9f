"""Access checks of the page, and safe uploads."""

import aiohttp
import pytest

from sandbox.discord import DiscordServer
from sandbox.web import Page
from tests.sandbox.web.conftest import OpenClient

PATHS = ["/", "/sandbox/page/static/main.js", "/sandbox/page/socket", "/sandbox/page/media/1/a.png"]


async def status(session: aiohttp.ClientSession, url: str, **headers: str) -> int:
    """Return the status of a GET."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    async with session.get(url, headers=named) as answer:
        return answer.status


async def test_printed_address_sets_http_only_same_site_cookie(page: Page, browser: aiohttp.ClientSession) -> None:
    del page
    (cookie,) = browser.cookie_jar
    assert cookie["httponly"]
    assert cookie["samesite"] == "Strict"


@pytest.mark.parametrize("path", PATHS)
async def test_request_without_valid_token_is_refused(page: Page, discord_server: DiscordServer, path: str) -> None:
    del page
    async with aiohttp.ClientSession() as stranger:
        own = discord_server.base_url
        assert await status(stranger, own + path, Origin=own) == 403
        assert await status(stranger, f"{own}{path}?token=wrong", Origin=own) == 403


@pytest.mark.parametrize("path", PATHS)
async def test_request_of_another_site_is_refused(
    page: Page, discord_server: DiscordServer, browser: aiohttp.ClientSession, path: str
) -> None:
    del page
    url = discord_server.base_url + path
    port = discord_server.base_url.rpartition(":")[2]
    assert await status(browser, url, Origin="http://evil.example") == 403
    assert await status(browser, url, Origin="null") == 403
    assert await status(browser, url, Host=f"evil.example:{port}", Origin=f"http://evil.example:{port}") == 403
    assert await status(browser, url, Sec_Fetch_Site="cross-site") == 403


async def test_socket_and_upload_without_origin_are_refused(
    page: Page, discord_server: DiscordServer, browser: aiohttp.ClientSession
) -> None:
    del page
    assert await status(browser, f"{discord_server.base_url}/sandbox/page/socket") == 403
    async with browser.post(f"{discord_server.base_url}/sandbox/page/uploads", data=b"x") as answer:
        assert answer.status == 403


async def test_control_endpoint_under_foreign_host_name_is_refused(
    page: Page, discord_server: DiscordServer, browser: aiohttp.ClientSession
) -> None:
    del page
    port = discord_server.base_url.rpartition(":")[2]
    foreign = {"Host": f"evil.example:{port}", "Origin": f"http://evil.example:{port}"}
    url = f"{discord_server.base_url}/sandbox/discord/gateway"
    async with browser.post(url, json={"action": "drop"}, headers=foreign) as answer:
        assert answer.status == 403


async def test_page_has_strict_content_policy(page: Page, browser: aiohttp.ClientSession) -> None:
    async with browser.get(page.url) as answer:
        policy = answer.headers["Content-Security-Policy"]
        text = await answer.text()
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert "<script>" not in text


async def test_uploaded_page_is_only_downloaded_in_sandbox(
    discord_server: DiscordServer, browser: aiohttp.ClientSession, open_client: OpenClient
) -> None:
    client = await open_client()
    upload = await client.upload(b"<script>alert(1)</script>", "evil.html")
    await client.ask("say", channel=client.channel, text="", uploads=[upload])
    message = await client.message()
    (file,) = message["files"]
    addresses = [file["src"], discord_server.actor("member").sees()[0].payload["attachments"][0]["url"]]
    for address in addresses:
        async with browser.get(address if "://" in address else discord_server.base_url + address) as answer:
            assert answer.status == 200
            assert answer.headers["Content-Disposition"].startswith("attachment")
            assert "sandbox" in answer.headers["Content-Security-Policy"]
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
