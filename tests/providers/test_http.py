"""`ProviderHttp`: rejected arguments, and details of its errors."""

from datetime import UTC, datetime

import httpx
import pytest

from bot.domain.errors import FaultKind, ProviderError
from bot.providers.error_mapping import kind_of_status, seconds_to_wait
from bot.providers.http import _POOL_SECONDS, READ_SECONDS, Call, ProviderHttp
from tests.providers.provider_harness import KEY, RawServer, json_reply

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def http_at(client: httpx.AsyncClient, url: str, key: str = KEY) -> ProviderHttp:
    """Return the HTTP client of a provider named x."""
    return ProviderHttp(name="x", base_url=url, key=key, client=client, clock=lambda: NOW)


@pytest.mark.parametrize(
    "url", ["", "api.example", "ftp://api.example", "https://", "https://u:p@h/", "https://h/?k=1"]
)
async def test_malformed_base_url_is_rejected(client: httpx.AsyncClient, url: str) -> None:
    """No host, or more than a path: the start fails."""
    with pytest.raises(ValueError, match="x: the address"):
        http_at(client, url)


@pytest.mark.parametrize("key", ["", "two words", "line\nbreak", "schlüssel"])
async def test_key_with_line_break_is_rejected_without_showing_it(client: httpx.AsyncClient, key: str) -> None:
    """A line break would be a header injection.

    The message names the provider only.
    """
    with pytest.raises(ValueError, match=r"^x: the key must be printable ASCII without spaces$"):
        http_at(client, "https://api.example", key)


async def test_base_url_path_is_kept(client: httpx.AsyncClient) -> None:
    """A proxy may serve the API below a path."""
    async with RawServer(json_reply("{}")) as server:
        await http_at(client, f"{server.url}/skillboss/").read("/v1/run/status/1")

    assert server.requests[0].startswith(b"GET /skillboss/v1/run/status/1 HTTP/1.1\r\n")


async def test_retry_after_date_uses_given_clock(client: httpx.AsyncClient) -> None:
    reply = json_reply("{}", "503 Service Unavailable", "Retry-After: Sun, 01 Mar 2026 12:01:30 GMT\r\n")
    async with RawServer(reply) as server:
        with pytest.raises(ProviderError) as caught:
            await http_at(client, server.url).submit("/v1/run", {})

    assert caught.value.retry_after == 90.0


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("5", 5.0),
        ("1.5", 1.5),
        ("-3", 0.0),
        ("nan", None),
        ("inf", None),
        ("999999999", 86_400.0),
        ("soon", None),
        ("Sun, 01 Mar 99999999999999999999 12:00:00 GMT", None),
        ("Sun, 01 Mar 2026 12:00:00 +99999999999999999999", None),
        ("Sun, 01 Mar 2026 11:00:00 GMT", 0.0),
        ("Sun, 01 Mar 2026 12:00:10 -0000", 10.0),
    ],
)
def test_retry_after_is_parsed_and_bounded(header: str | None, seconds: float | None) -> None:
    """Numbers and dates count, nonsense does not; at most a day."""
    assert seconds_to_wait(header, NOW) == seconds


async def test_json_with_millions_of_values_is_malformed(client: httpx.AsyncClient) -> None:
    """A short list of long texts, as of images, is not."""
    async with RawServer(json_reply(f"[{'[],' * 1_000_000}0]")) as server:
        answer = await http_at(client, server.url).submit("/v1/run", {})
    async with RawServer(json_reply(f'["{"QUJD" * 1_000_000}"]')) as server:
        images = await http_at(client, server.url).submit("/v1/run", {})

    assert answer.document is None
    assert answer.fault is not None
    assert (answer.fault.kind, answer.fault.maybe_accepted) == (FaultKind.MALFORMED, True)
    assert images.document == ["QUJD" * 1_000_000]


async def test_error_keeps_record_id(client: httpx.AsyncClient) -> None:
    """Support asks for it."""
    async with RawServer(json_reply("{}", "500 Oops", "x-record-id: rec_9\r\n")) as server:
        with pytest.raises(ProviderError) as caught:
            await http_at(client, server.url).submit("/v1/run", {})

    assert caught.value.record_id == "rec_9"


async def test_refusal_with_partial_body_is_refusal(client: httpx.AsyncClient) -> None:
    """The status suffices."""
    async with RawServer(b"HTTP/1.1 429 Slow\r\nContent-Length: 99\r\n\r\n{") as server:
        with pytest.raises(ProviderError) as caught:
            await http_at(client, server.url).submit("/v1/run", {})

    assert (caught.value.kind, caught.value.maybe_accepted) == (FaultKind.RATE_LIMITED, False)


@pytest.mark.parametrize("call", [Call.READ, Call.CANCEL])
async def test_lost_reply_to_free_call_is_not_accepted(client: httpx.AsyncClient, call: Call) -> None:
    http = http_at(client, "https://api.example")

    assert not http.error(FaultKind.REPLY_LOST, call).maybe_accepted
    assert http.error(FaultKind.REPLY_LOST, Call.SUBMIT).maybe_accepted


@pytest.mark.parametrize(
    ("status", "kind"), [(301, "malformed"), (410, "not_found"), (418, "invalid"), (599, "server_error")]
)
def test_unlisted_status_has_kind(status: int, kind: str) -> None:
    assert kind_of_status(status) == FaultKind(kind)


async def test_trickling_server_times_out(client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """A byte now and then is not silence, but the exchange ends."""
    # Leaves the exchange a tenth of a second in all, far less than the silence that a read would bear.
    monkeypatch.setattr("bot.providers.http._SLACK_SECONDS", 0.1 - READ_SECONDS - _POOL_SECONDS)
    async with RawServer(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{", silent=True) as server:
        http = ProviderHttp(name="x", base_url=server.url, key=KEY, client=client, submit_read_timeout=READ_SECONDS)
        answer = await http.submit("/v1/run", {})

    assert answer.fault is not None
    assert (answer.fault.kind, answer.fault.maybe_accepted) == (FaultKind.REPLY_LOST, True)
