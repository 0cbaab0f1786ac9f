"""Findings about the image APIs and their keys."""

from decimal import Decimal

import pytest
from aiohttp import web

from bot.web.server import WebServer
from sandbox.providers import BflServer, FalServer, GeminiServer, ImageApiServer, OpenRouterServer
from tests.doctor.fake_services import KEY, WRONG, FakeServices, nothing_missing


@pytest.mark.parametrize(
    ("setting", "what"),
    [
        ("skillboss_wholesale_key", "skillboss does not accept SKILLBOSS_WHOLESALE_KEY"),
        ("reve2img_api_key", "reve2img does not accept REVE2IMG_API_KEY"),
    ],
)
async def test_wrong_key_is_reported(services: FakeServices, setting: str, what: str) -> None:
    """Each provider separately."""
    assert (await services.fault(**{setting: WRONG})).what == what


@pytest.mark.parametrize(
    ("setting", "what", "variable"),
    [
        ("discord_api_url", "Discord cannot be reached (no connection)", "DISCORD_API_URL"),
        ("skillboss_api_url", "skillboss cannot be reached (no connection)", "SKILLBOSS_API_URL"),
        ("reve2img_api_url", "reve2img cannot be reached (no connection)", "REVE2IMG_API_URL"),
    ],
)
async def test_unreachable_server_is_reported_with_variable(
    services: FakeServices, setting: str, what: str, variable: str
) -> None:
    """With the variable of its address."""
    fault = await services.fault(**{setting: "http://127.0.0.1:1"})
    assert fault.what == what
    assert variable in fault.remedy


@pytest.mark.parametrize(
    ("status", "what"),
    [
        (401, "reve2img does not accept REVE2IMG_API_KEY"),
        (402, "the account at reve2img is empty"),
        (503, "reve2img cannot be reached (HTTP 503)"),
    ],
)
@pytest.mark.parametrize("in_envelope", [False, True])
async def test_error_is_read_from_status_and_envelope(
    services: FakeServices, status: int, what: str, *, in_envelope: bool
) -> None:
    services.reve2img.faults.add("status", "status", status=status, in_envelope=in_envelope)
    assert (await services.fault()).what == what


@pytest.mark.parametrize(
    ("name", "path", "server"), [("openrouter", "/api/v1", OpenRouterServer), ("gemini", "/v1beta", GeminiServer)]
)
async def test_key_without_jobs_is_checked_by_a_free_call(
    services: FakeServices, name: str, path: str, server: type[ImageApiServer]
) -> None:
    """Gemini refuses a wrong key with a 400."""
    fake = server(key=KEY)
    await fake.start()
    settings = {f"{name}_api_url": fake.url + path, f"{name}_api_key": KEY}
    whats = [finding.what for finding in await services.examine(**settings)]
    fault = await services.fault(**settings | {f"{name}_api_key": WRONG})
    await fake.close()

    assert f"{name} accepts {name.upper()}_API_KEY" in whats
    assert f"{name} lists all its models of the catalogue" in whats
    assert fault.what == f"{name} does not accept {name.upper()}_API_KEY"
    assert not fake.billed


@pytest.mark.parametrize(("name", "key", "server"), [("fal", "fal_key", FalServer), ("bfl", "bfl_api_key", BflServer)])
async def test_key_of_a_queue_is_checked_by_a_free_read(
    services: FakeServices, name: str, key: str, server: type[ImageApiServer]
) -> None:
    fake = server(key=KEY)
    await fake.start()
    settings = {f"{name}_api_url": fake.url, key: KEY}
    whats = [finding.what for finding in await services.examine(**settings)]
    fault = await services.fault(**settings | {key: WRONG})
    await fake.close()

    assert f"{name} accepts {key.upper()}" in whats
    assert fault.what == f"{name} does not accept {key.upper()}"
    assert not fake.jobs


async def test_locked_account_is_reported_as_empty(services: FakeServices) -> None:
    fake = FalServer(key=KEY)
    await fake.start()
    fake.faults.add("status", "status", status=403, message="User is locked. Reason: Exhausted balance.")
    fault = await services.fault(fal_api_url=fake.url, fal_key=KEY)
    await fake.close()

    assert fault.what == "the account at fal is empty"


async def test_closed_api_is_reported(services: FakeServices) -> None:
    services.reve2img.faults.add("status", "status", status=400, message="This API was closed")
    assert (await services.fault()).what == "reve2img says that this API is closed or unknown"


async def _show_page(_: web.Request) -> web.Response:
    return web.Response(text="<html>Sign in</html>", content_type="text/html")


async def test_page_instead_of_api_is_reported(services: FakeServices) -> None:
    routes = (web.get("/v1/run/status/{job}", _show_page),)
    server = WebServer(host="127.0.0.1", port=0, ready=nothing_missing, routes=routes)
    port = await server.start()
    fault = await services.fault(skillboss_api_url=f"http://127.0.0.1:{port}")
    await server.stop()
    assert fault.what == "skillboss does not answer as an image API"
    assert "SKILLBOSS_API_URL" in fault.remedy


async def test_server_error_is_no_wrong_key(services: FakeServices) -> None:
    services.skillboss.faults.add("status", "status", status=503)
    assert (await services.fault()).what == "skillboss cannot be reached (HTTP 503)"


async def test_one_provider_key_is_enough(services: FakeServices) -> None:
    """Without any key there is no image API."""
    findings = await services.examine(reve2img_api_key=None)
    assert all(finding.good for finding in findings)
    assert not any("reve2img" in finding.what for finding in findings)
    fault = await services.fault(reve2img_api_key=None, skillboss_wholesale_key=None)
    assert fault.what == "no provider has a key"


@pytest.mark.parametrize(("left", "is_warning"), [("12.5", False), ("4.99", True)])
async def test_balance_is_shown_and_a_low_one_is_a_warning(services: FakeServices, left: str, is_warning: bool) -> None:
    fake = BflServer(key=KEY)
    fake.store.balance = Decimal(left)
    await fake.start()
    findings = await services.examine(bfl_api_url=fake.url, bfl_api_key=KEY)
    await fake.close()

    (finding,) = [each for each in findings if " left" in each.what and "account" in each.what]
    assert finding.what == f"the account at bfl has {Decimal(left):.2f} USD left"
    assert (finding.good, finding.is_warning) == (True, is_warning)
    assert ("LOW_BALANCE_USD" in finding.remedy) is is_warning


async def test_unreadable_balance_is_reported_by_the_key_alone(services: FakeServices) -> None:
    fake = BflServer(key=KEY)
    await fake.start()
    findings = await services.examine(bfl_api_url=fake.url, bfl_api_key=WRONG)
    await fake.close()
    assert [each.what for each in findings if "bfl" in each.what and not each.good] == [
        "bfl does not accept BFL_API_KEY"
    ]
    assert not any("left" in each.what and "account" in each.what for each in findings)
