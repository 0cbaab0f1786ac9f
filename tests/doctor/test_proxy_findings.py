"""Findings about proxies."""

import pytest

from bot.doctor import proxy
from tests.doctor.fake_services import FakeServices
from tests.support.proxy import connect_proxy


async def test_services_are_asked_through_proxy(services: FakeServices, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its address is named without the password; a name must be known here."""
    monkeypatch.setattr(proxy, "PICTURE_HOST", "localhost")
    async with connect_proxy(1) as connects:
        findings = await services.examine(https_proxy=connects.url, skillboss_api_url="https://api.example")
        reached = f"Discord, providers and pictures are reached by the proxy 127.0.0.1:{connects.port}"
        assert reached in [finding.what for finding in findings]
        assert connects.asked == ["CONNECT api.example:443 HTTP/1.1"]
        assert "s3cret" not in repr(findings)
        monkeypatch.setattr(proxy, "PICTURE_HOST", "no-such-host.invalid")
        fault = await services.fault(https_proxy=connects.url)
        assert fault.what.startswith("this machine cannot look up no-such-host.invalid")


async def test_unreachable_proxy_is_fault(services: FakeServices) -> None:
    fault = await services.fault(https_proxy="http://user:s3cret@127.0.0.1:1")
    assert fault.what == "the proxy 127.0.0.1:1 of HTTPS_PROXY cannot be reached"
    assert "s3cret" not in repr(fault)


async def test_ignored_proxy_variable_is_warning(services: FakeServices, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ALL_PROXY", "all_proxy", "HTTP_PROXY", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("all_proxy", "socks5://127.0.0.1:1080")
    (warning,) = [each for each in await services.examine() if "PROXY" in each.what]
    assert warning.is_warning
    assert warning.what.startswith("ALL_PROXY without effect")
