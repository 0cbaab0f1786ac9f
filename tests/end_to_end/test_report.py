"""A report's way to the moderators, and their decision, over real sockets."""

from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Connection, update

from bot.ui.component_tree import walk
from db.database import Database
from db.guilds import GuildRepository
from db.sharing_settings import SharingSettingsRepository
from db.tables import pictures
from sandbox.discord import Channel, Message, buttons, media, text
from tests.end_to_end.system_harness import SystemHarness, has_images, says, wait_for_provider_job
from tests.end_to_end.test_duel import begin, finish


def covers(message: Message) -> list[bool]:
    """Return for each picture of a message if a spoiler covers it."""
    return [item["spoiler"] for each in walk(message.payload["components"]) for item in each.get("items", ())]


async def open_server(system: SystemHarness, **rules: int) -> Channel:
    """Set up the moderators' channel and rules; return the channel."""
    world = system.discord.world
    guild_id, channel = int(world.guild("Community").id), world.channel("moderators")
    database = await Database.open(system.database_url)

    def write(connection: Connection) -> None:
        guilds = GuildRepository(connection)
        guilds.add(guild_id)
        guilds.change_settings(guild_id, {"review_channel_id": int(channel.id)})
        if rules:
            SharingSettingsRepository(connection).change(guild_id, rules)

    await database.write(write)
    await database.close()
    return channel


async def test_reported_picture_is_taken_down_by_a_moderator(tmp_path: Path) -> None:
    system = SystemHarness(tmp_path)
    try:
        await system.start()
        channel = await open_server(system)
        made = await system.discord.actor("member").slash("imagine", prompt="a fox")
        system.skillboss.finish(await wait_for_provider_job(system.skillboss, "a fox"))
        card = await made.wait_until(has_images)

        person = system.discord.actor("moderator")
        opened = await person.context_menu("Report", card)
        answer = await person.submit_modal(opened, {"reason": ["rules"], "words": "*mine* <@1>"})
        assert "Reported to the moderators" in text(await answer.response())

        def report() -> Message | None:
            return next((each for each in channel.messages.values() if "1 report" in text(each)), None)

        await system.discord.recorder.wait(lambda _: report() is not None)
        shown = report()
        assert shown is not None
        assert "a fox" in text(shown)
        assert "Against the server's rules 1×" in text(shown)
        assert len(media(shown)) == 1
        opened = await person.click(shown, label="Take down…")
        await person.submit_modal(opened, {"words": "rule 3"})
        await system.discord.recorder.wait(lambda _: "Taken down by" in text(shown))
        assert buttons(shown) == []
        assert media(shown) == []
        await system.discord.recorder.wait(lambda _: card.deleted)
        await system.stop_bot()
    finally:
        await system.close()


async def test_reported_picture_of_a_duel_is_hidden_until_a_moderator_decides(tmp_path: Path) -> None:
    system = SystemHarness(tmp_path)
    try:
        await system.start()
        channel = await open_server(system, report_threshold=1)
        pressed = await begin(system)
        await finish(system)
        card = await pressed.wait_until(says("Vote for the best picture"))

        person, moderator = system.discord.actor("member-two"), system.discord.actor("moderator")
        opened = await person.context_menu("Report", card)
        answer = await person.submit_modal(opened, {"reason": ["rules"], "picture": ["0"]})
        assert "Reported to the moderators" in text(await answer.response())
        await system.discord.recorder.wait(lambda _: "Hidden until a moderator has looked." in text(card))
        assert [button["label"] for button in buttons(card)] == ["B", "End vote"]
        assert len(media(card)) == 1

        def report() -> Message | None:
            return next((each for each in channel.messages.values() if "1 report" in text(each)), None)

        await system.discord.recorder.wait(lambda _: report() is not None)
        shown = report()
        assert shown is not None
        assert "A duel before its end" in text(shown)
        await moderator.click(shown, label="Dismiss")
        await system.discord.recorder.wait(lambda _: len(media(card)) == 2)
        assert [button["label"] for button in buttons(card)] == ["A", "B", "End vote"]
        await system.stop_bot()
    finally:
        await system.close()


async def test_reported_card_with_an_expired_picture_is_covered(tmp_path: Path) -> None:
    system = SystemHarness(tmp_path)
    try:
        await system.start()
        channel = await open_server(system, report_threshold=1)
        made = await system.discord.actor("member").slash("imagine", prompt="a fox")
        system.skillboss.finish(await wait_for_provider_job(system.skillboss, "a fox"))
        card = await made.wait_until(has_images)
        database = await Database.open(system.database_url)
        expired = update(pictures).values(removed_at=datetime.now(UTC))
        await database.write(lambda connection: connection.execute(expired))
        await database.close()

        person, moderator = system.discord.actor("member-two"), system.discord.actor("moderator")
        opened = await person.context_menu("Report", card)
        await person.submit_modal(opened, {"reason": ["rules"]})
        await system.discord.recorder.wait(lambda _: "Covered until a moderator has looked." in text(card))
        assert covers(card) == [True]
        assert buttons(card) == []

        def report() -> Message | None:
            return next((each for each in channel.messages.values() if "1 report" in text(each)), None)

        await system.discord.recorder.wait(lambda _: report() is not None)
        shown = report()
        assert shown is not None
        assert "Its message shows it." in text(shown)
        await moderator.click(shown, label="Dismiss")
        await system.discord.recorder.wait(lambda _: "Covered" not in text(card))
        assert covers(card) == [False]
        assert buttons(card)
        await system.stop_bot()
    finally:
        await system.close()
