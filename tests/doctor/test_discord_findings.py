"""Findings about Discord: token, installation, logins, commands."""

import pytest

from bot.container import command_payload
from bot.doctor import Finding, examine
from bot.settings import load_settings
from sandbox.discord.entities import CONSUMABLE
from tests.doctor.fake_services import WRONG, FakeServices
from tests.support.fidelity import Fidelity, find_description


async def test_wrong_token_is_reported(services: FakeServices) -> None:
    """Distinct from an unreachable Discord."""
    assert (await services.fault(discord_token=WRONG)).what == "Discord does not accept DISCORD_TOKEN"


async def test_user_install_closed_in_portal_is_fault(services: FakeServices) -> None:
    """The developer portal must allow them too."""
    fault = await services.fault(user_install="on")
    assert fault.what == "USER_INSTALL is on, but Discord lets nobody add the application to an account"
    assert fault.remedy == (
        "Tick User Install on the Installation page of the developer portal, or set USER_INSTALL=off."
    )
    services.discord.world.application.installable = (0, 1)
    findings = await services.examine(user_install="on")
    assert all(finding.good and not finding.remedy for finding in findings)
    assert "USER_INSTALL is on, and Discord lets people add the application to their accounts" in [
        finding.what for finding in findings
    ]


async def test_user_install_open_in_portal_only_is_note(services: FakeServices) -> None:
    """A note: nothing breaks, but members find no commands."""
    services.discord.world.application.installable = (0, 1)
    findings = await services.examine()
    (note,) = [finding for finding in findings if finding.remedy]
    assert note == Finding(
        good=True,
        what="USER_INSTALL is off, but Discord lets people add the application to their accounts",
        remedy="They find no commands there: untick User Install on the Installation page of the developer portal.",
    )


async def test_read_fields_match_api_description(services: FakeServices) -> None:
    """The fields exist in Discord's API description."""
    path = find_description()
    if path is None:
        pytest.skip("ATELIER_TEST_DATA has no discord-openapi.json")
    await services.examine()
    assert [asked.path for asked in services.discord.requests] == ["/applications/@me", "/gateway/bot"]
    for asked in services.discord.requests:
        assert Fidelity(path).problems(asked) == Fidelity(path).answer_problems(asked) == []


async def test_used_up_logins_are_fault(services: FakeServices) -> None:
    """A start would wait for Discord's reset."""
    services.discord.application_routes.daily_identifies = 9
    fault = await services.fault()
    assert fault.what == "Discord allows 9 more logins of the bot for 24 hours: a start waits for the reset"


async def test_registered_commands_are_compared(services: FakeServices) -> None:
    """None yet, the bot's own, and another program's."""
    settings = load_settings(**services.variables)
    payload = await command_payload(settings)

    async def commands() -> Finding:
        return (await examine(settings, commands=command_payload))[-1]

    assert await commands() == Finding(
        good=True, what="no command is registered with Discord yet: the first start does it"
    )
    services.discord.commands.replace(payload)
    assert await commands() == Finding(good=True, what="the commands are registered with Discord")
    kept = [command for command in payload if command["name"] != "imagine"]
    kept[0] = kept[0] | {"description": "another"}
    services.discord.commands.replace([*kept, {"name": "ping", "description": "of another program"}])
    fault = await commands()
    assert not fault.good
    assert fault.what == (
        f"Discord has other commands than this bot (missing: /imagine; different: /{kept[0]['name']}; foreign: /ping)"
    )
    assert "atelier sync" in fault.remedy


async def test_skus_without_a_fitting_benefit_are_named(services: FakeServices) -> None:
    """An unknown SKU, and a consumable with an allowance."""
    plus = services.discord.store.add_sku("Studio Plus")
    pack = services.discord.store.add_sku("500 credits", CONSUMABLE)
    assert not [each for each in await services.examine() if "SKU" in each.what]
    good = await services.examine(premium_skus=f"{plus.id}=allowance:1000/month,{pack.id}=grant:500")
    assert "the application has all 2 SKUs of PREMIUM_SKUS" in [each.what for each in good]
    found = await services.examine(premium_skus=f"{pack.id}=allowance:5/day,77=grant:5")
    assert [each.what for each in found if not each.good] == [
        f"PREMIUM_SKUS names {pack.id}: the allowance of a consumable never ends, and nobody can buy it a second time",
        "PREMIUM_SKUS names 77: the application has no such SKU",
    ]
