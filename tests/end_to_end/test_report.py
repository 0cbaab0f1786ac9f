"""A report's way to the moderators, and their decision, over real sockets."""

from pathlib import Path

from db.database import Database
from db.guilds import GuildRepository
from sandbox.discord import Message, buttons, media, text
from tests.end_to_end.system_harness import SystemHarness, has_images, wait_for_provider_job


async def test_reported_picture_is_taken_down_by_a_moderator(tmp_path: Path) -> None:
    system = SystemHarness(tmp_path)
    try:
        await system.start()
        world = system.discord.world
        database = await Database.open(system.database_url)
        guild_id, channel = int(world.guild("Community").id), world.channel("moderators")
        changes = {"review_channel_id": int(channel.id)}
        await database.write(lambda connection: GuildRepository(connection).add(guild_id))
        await database.write(lambda connection: GuildRepository(connection).change_settings(guild_id, changes))
        await database.close()

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
