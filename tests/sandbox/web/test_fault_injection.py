"""Fault injection and the bot's process in the page's panel."""

import pytest

from sandbox.discord import DiscordServer
from sandbox.discord.state import ACKNOWLEDGE_WITHIN
from sandbox.providers import ImageApiServer
from sandbox.web.fault_catalogue import rows
from tests.sandbox.discord.fixture_bot import FixtureBot
from tests.sandbox.web.conftest import OpenClient
from tests.sandbox.web.ws_client import FakeBotProcess, RefusedError


def test_fault_rows_have_unique_ids() -> None:
    ids = [row.id for row in rows()]
    assert len(ids) == len(set(ids))


async def test_every_fault_row_can_be_enabled_and_disabled(open_client: OpenClient) -> None:
    client = await open_client()
    for row in client.world["table"]:
        state = await client.ask("break", row=row["id"], times=2)
        (active,) = state["active"]
        assert active["label"] == f"{row['group']}: {row['label']}"
        assert active["left"] == 2
        state = await client.ask("mend", service=active["service"], position=active["position"])
        assert state["active"] == []


async def test_every_named_case_has_words(providers: dict[str, ImageApiServer]) -> None:
    """Except for repeated effects, and other profiles of OpenAI's fake."""
    offered = {(row.service, row.how.get("case")) for row in rows()}
    missing = {(name, case) for name, server in providers.items() for case in server.cases} - offered

    reasons = {case for service, case in missing if service == "gemini"}
    assert missing - {("gemini", case) for case in reasons} == {
        ("comfyui", "bad_input"),
        ("openai", "refused_azure_inner_error"),
        ("openai", "refused_xai_picture"),
    }
    assert all(case.startswith(("refused_input_", "refused_output_")) for case in reasons)


async def test_every_service_has_its_name_and_is_listed_once(open_client: OpenClient) -> None:
    client = await open_client()
    services = client.world["services"]

    assert list(services) == list(dict.fromkeys(row["service"] for row in client.world["table"]))
    assert [each["name"] for each in services.values()] == [
        "SkillBoss",
        "reve2img",
        "fal",
        "Black Forest Labs",
        "OpenAI",
        "OpenRouter",
        "Gemini",
        "ComfyUI",
        "Discord",
    ]
    assert services["fal"]["model"] == "flux-3"
    assert services["discord"]["model"] is None


async def test_groups_of_a_service_are_together(open_client: OpenClient) -> None:
    client = await open_client()
    groups = [(row["service"], row["group"]) for row in client.world["table"]]
    changes = [group for before, group in zip([None, *groups], groups, strict=False) if group != before]

    assert sorted(changes) == sorted(set(groups))


async def test_named_case_of_a_row_is_played(open_client: OpenClient, providers: dict[str, ImageApiServer]) -> None:
    client = await open_client()
    (row,) = [each for each in client.world["table"] if each["label"] == "Account locked: balance exhausted"]
    state = await client.ask("break", row=row["id"], times=3)

    (fault,) = providers["fal"].faults.as_json()
    assert (fault["endpoint"], fault["kind"], fault["case"], fault["times"]) == ("submit", "case", "account_empty", 3)
    assert state["active"][0]["label"] == "Account and limits: Account locked: balance exhausted"


async def test_webhook_faults_exist_for_senders_only_with_hint(
    open_client: OpenClient, providers: dict[str, ImageApiServer]
) -> None:
    client = await open_client()
    offered = [each for each in client.world["table"] if each["group"] == "Webhooks"]
    lost = next(each for each in offered if each["label"] == "Lost webhook")
    assert {each["service"] for each in offered} == {"skillboss", "fal", "bfl"}
    assert all("WEBHOOK_PUBLIC_URL" in each["hint"] for each in offered)

    await client.ask("break", row=lost["id"], times=None)
    (fault,) = providers["skillboss"].faults.as_json()
    assert (fault["endpoint"], fault["kind"], fault["times"]) == ("webhook", "lost", None)


async def test_enabled_fault_is_shown_in_all_tabs(open_client: OpenClient) -> None:
    client, other = await open_client(), await open_client("owner")
    await client.ask("break", row="discord-0", times=None)
    received = await other.wait_for_event(lambda event: event["event"] == "panel" and event["panel"]["active"])
    assert received["panel"]["active"][0]["left"] is None


@pytest.mark.parametrize(
    ("row", "times"), [("none", 1), (None, 1), ("discord-0", 0), ("discord-0", "1"), ("discord-0", True)]
)
async def test_unknown_row_or_invalid_times_is_refused(open_client: OpenClient, row: object, times: object) -> None:
    client = await open_client()
    with pytest.raises(RefusedError):
        await client.ask("break", row=row, times=times)


async def test_fault_after_its_last_hit_is_gone(
    bot: FixtureBot, discord_server: DiscordServer, open_client: OpenClient
) -> None:
    del bot
    client = await open_client()
    row = next(each for each in client.world["table"] if each["label"].startswith("Takes 4 s"))
    await client.ask("break", row=row["id"], times=1)
    discord_server.world.acknowledge_within = ACKNOWLEDGE_WITHIN
    assert (await client.slash("hello"))["how"] == "none"
    await client.wait_for_event(lambda event: event["event"] == "panel" and event["panel"]["active"] == [])


async def test_latency_is_set_for_all_providers_and_reset(
    open_client: OpenClient, providers: dict[str, ImageApiServer]
) -> None:
    client = await open_client()
    await client.ask("latency", queue=5, work=20.5)
    assert [(each.latency.queue, each.latency.work) for each in providers.values()] == [(5, 20.5)] * 8
    for queue in (-1, "5", None, True, 1e9):
        with pytest.raises(RefusedError):
            await client.ask("latency", queue=queue, work=1)
    await client.ask("reset")
    assert [each.latency.queue for each in providers.values()] == [None] * 8


async def test_dropped_gateway_reconnects(
    bot: FixtureBot, discord_server: DiscordServer, open_client: OpenClient
) -> None:
    client = await open_client()
    await client.ask("gateway", action="drop")
    await bot.resumed.wait()
    assert discord_server.gateway.handshakes[-1].kind == "resume"
    with pytest.raises(RefusedError):
        await client.ask("gateway", action="paint")


async def test_expired_token_cannot_edit_response(bot: FixtureBot, open_client: OpenClient) -> None:
    client = await open_client()
    await client.slash("hello")
    await client.ask("tokens")
    with pytest.raises(Exception, match="50027"):
        await bot.seen[0].edit_original_response(content="again")


async def test_bot_kill_and_start_update_state_and_second_start_is_refused(
    bot: FixtureBot, process: FakeBotProcess, open_client: OpenClient
) -> None:
    del bot
    client = await open_client()
    assert client.world["panel"]["bot"] == "on"
    assert (await client.ask("bot", action="kill"))["bot"] == "off"
    await client.ask("bot", action="start")
    await client.wait_for_event(lambda event: event["event"] == "panel" and event["panel"]["bot"] == "off")
    with pytest.raises(RefusedError):
        await client.ask("bot", action="start")
    with pytest.raises(RefusedError):
        await client.ask("bot", action="paint")
    await client.ask("bot", action="stop")
    assert process.asked == ["kill", "start", "stop"]


async def test_failed_start_shows_reason(process: FakeBotProcess, open_client: OpenClient) -> None:
    process.alive = False
    process.fails = RuntimeError("exit code 1")
    client = await open_client()
    await client.ask("bot", action="start")
    received = await client.wait_for_event(lambda event: event["event"] == "panel" and bool(event["panel"]["trouble"]))
    assert "exit code 1" in received["panel"]["trouble"]


async def test_ledger_is_read_by_server_and_member(
    process: FakeBotProcess, discord_server: DiscordServer, open_client: OpenClient
) -> None:
    client = await open_client("member-two")
    guild = client.world["guilds"][0]["id"]
    books = await client.ask("ledger", guild=guild)
    assert books["account"]["held"] == 12
    await client.ask("ledger", guild=None)
    member = int(discord_server.world.user("member-two").id)
    assert process.asked == [(int(guild), member), (0, member)]
