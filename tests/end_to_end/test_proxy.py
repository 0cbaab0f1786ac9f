"""The bot behind a proxy: gateway and REST API are reached through it."""

from pathlib import Path

import pytest

from sandbox.discord import DiscordServer, text
from tests.end_to_end.system_harness import SystemHarness, launch
from tests.support.proxy import connect_proxy, make_certificate, tls_front


async def test_discord_is_reached_through_proxy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Providers on this machine are not; no credentials in the log."""
    certificate = make_certificate(tmp_path)
    monkeypatch.setattr(DiscordServer, "gateway_url", "wss://discord.example/gateway/")
    # A forked bot has read the certificates of the machine already.
    system = SystemHarness(tmp_path, launch=launch)
    try:
        await system.start_fakes()
        port = int(system.discord.base_url.rpartition(":")[2])
        async with tls_front(port, certificate) as front, connect_proxy(front) as proxy:
            await system.start_bot(
                DISCORD_API_URL="https://discord.example/api/v10", HTTPS_PROXY=proxy.url, SSL_CERT_FILE=str(certificate)
            )
            invocation = await system.discord.actor("member").slash("credits balance")
            assert "200" in text(await invocation.response())
            assert await system.stop_bot() == 0
        assert set(proxy.asked) == {"CONNECT discord.example:443 HTTP/1.1"}
        assert None not in proxy.credentials
        assert "app.uses_proxy" in system.log()
        assert "s3cret" not in system.log()
    finally:
        await system.close()
