"""Breaking things from the page: every row of the table, the bot's process, and mending it all."""

import pytest

from sandbox.discord import DiscordServer
from sandbox.discord.state import ACKNOWLEDGE_WITHIN
from sandbox.providers import ImageApiServer
from sandbox.web.fault_catalogue import rows
from tests.sandbox.discord.fixture_bot import FixtureBot
from tests.sandbox.web.conftest import OpenTab
from tests.sandbox.web.ws_client import Process, RefusedError


def test_rows_have_ids_of_their_own() -> None:
    """A row is known by its id."""
    ids = [row.id for row in rows()]
    assert len(ids) == len(set(ids))


async def test_every_row_can_be_switched_on(open_tab: OpenTab) -> None:
    """Each shows up under its own words, and goes when it is mended."""
    tab = await open_tab()
    for row in tab.world["table"]:
        state = await tab.ask("break", row=row["id"], times=2)
        (active,) = state["active"]
        assert active["label"] == f"{row['group']}: {row['label']}"
        assert active["left"] == 2
        state = await tab.ask("mend", service=active["service"], position=active["position"])
        assert state["active"] == []


async def test_webhooks_get_lost_where_there_are_any(open_tab: OpenTab, providers: dict[str, ImageApiServer]) -> None:
    """SkillBoss alone has them, and the page says when losing them would change nothing."""
    tab = await open_tab()
    offered = [each for each in tab.world["table"] if each["group"] == "Webhooks"]
    lost = next(each for each in offered if each["label"] == "Lost webhook")
    assert {each["service"] for each in offered} == {"skillboss"}
    assert all("WEBHOOK_PUBLIC_URL" in each["hint"] for each in offered)

    await tab.ask("break", row=lost["id"], times=None)
    (fault,) = providers["skillboss"].faults.as_json()
    assert (fault["endpoint"], fault["kind"], fault["times"]) == ("webhook", "lost", None)


async def test_all_tabs_are_told(open_tab: OpenTab) -> None:
    """What one breaks the other sees."""
    tab, other = await open_tab(), await open_tab("owner")
    await tab.ask("break", row="discord-0", times=None)
    told = await other.hear(lambda event: event["event"] == "panel" and event["panel"]["active"])
    assert told["panel"]["active"][0]["left"] is None


@pytest.mark.parametrize(
    ("row", "times"), [("none", 1), (None, 1), ("discord-0", 0), ("discord-0", "1"), ("discord-0", True)]
)
async def test_what_makes_no_sense_is_refused(open_tab: OpenTab, row: object, times: object) -> None:
    """A row must exist, and times be a number."""
    tab = await open_tab()
    with pytest.raises(RefusedError):
        await tab.ask("break", row=row, times=times)


async def test_a_fault_spends_itself(bot: FixtureBot, discord_server: DiscordServer, open_tab: OpenTab) -> None:
    """A first answer that fails is not given, and the fault is gone afterwards."""
    del bot
    tab = await open_tab()
    row = next(each for each in tab.world["table"] if each["label"].startswith("Takes 4 s"))
    await tab.ask("break", row=row["id"], times=1)
    discord_server.world.acknowledge_within = ACKNOWLEDGE_WITHIN
    assert (await tab.slash("hello"))["how"] == "none"
    await tab.hear(lambda event: event["event"] == "panel" and event["panel"]["active"] == [])


async def test_latency_is_set_for_all_and_reset(open_tab: OpenTab, providers: dict[str, ImageApiServer]) -> None:
    """Nonsense is refused."""
    tab = await open_tab()
    await tab.ask("latency", queue=5, work=20.5)
    assert [(each.latency.queue, each.latency.work) for each in providers.values()] == [(5, 20.5)] * 2
    for queue in (-1, "5", None, True, 1e9):
        with pytest.raises(RefusedError):
            await tab.ask("latency", queue=queue, work=1)
    await tab.ask("reset")
    assert [each.latency.queue for each in providers.values()] == [None, None]


async def test_the_gateway_is_dropped(bot: FixtureBot, discord_server: DiscordServer, open_tab: OpenTab) -> None:
    """The bot comes back by itself."""
    tab = await open_tab()
    await tab.ask("gateway", action="drop")
    await bot.resumed.wait()
    assert discord_server.gateway.handshakes[-1].kind == "resume"
    with pytest.raises(RefusedError):
        await tab.ask("gateway", action="paint")


async def test_tokens_run_out(bot: FixtureBot, open_tab: OpenTab) -> None:
    """An answer can no longer be edited with its interaction's token."""
    tab = await open_tab()
    await tab.slash("hello")
    await tab.ask("tokens")
    with pytest.raises(Exception, match="50027"):
        await bot.seen[0].edit_original_response(content="again")


async def test_the_bot_is_killed_and_started_again(bot: FixtureBot, process: Process, open_tab: OpenTab) -> None:
    """The page says how it is; starting what runs is refused."""
    del bot
    tab = await open_tab()
    assert tab.world["panel"]["bot"] == "on"
    assert (await tab.ask("bot", action="kill"))["bot"] == "off"
    await tab.ask("bot", action="start")
    await tab.hear(lambda event: event["event"] == "panel" and event["panel"]["bot"] == "off")
    with pytest.raises(RefusedError):
        await tab.ask("bot", action="start")
    with pytest.raises(RefusedError):
        await tab.ask("bot", action="paint")
    await tab.ask("bot", action="stop")
    assert process.asked == ["kill", "start", "stop"]


async def test_a_start_that_fails_is_said(process: Process, open_tab: OpenTab) -> None:
    """With the reason."""
    process.alive = False
    process.fails = RuntimeError("exit code 1")
    tab = await open_tab()
    await tab.ask("bot", action="start")
    told = await tab.hear(lambda event: event["event"] == "panel" and bool(event["panel"]["trouble"]))
    assert "exit code 1" in told["panel"]["trouble"]


async def test_the_books_are_those_of_the_person_here(
    process: Process, discord_server: DiscordServer, open_tab: OpenTab
) -> None:
    """By server and member."""
    tab = await open_tab("member-two")
    guild = tab.world["guilds"][0]["id"]
    books = await tab.ask("ledger", guild=guild)
    assert books["account"]["held"] == 12
    await tab.ask("ledger", guild=None)
    member = int(discord_server.world.user("member-two").id)
    assert process.asked == [(int(guild), member), (0, member)]
