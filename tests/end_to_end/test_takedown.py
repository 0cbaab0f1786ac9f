"""`atelier takedown` beside the running bot."""

import re
from pathlib import Path

from sandbox.discord import text
from tests.end_to_end.editing_member import EditingMember, png
from tests.end_to_end.system_harness import SystemHarness


async def test_operator_takes_a_picture_down_and_its_copy_is_refused(tmp_path: Path) -> None:
    system = SystemHarness(tmp_path)
    try:
        await system.start(
            DEFAULT_ALLOWANCE="1000",
            SKILLBOSS_WHOLESALE_KEY="",
            WEBHOOK_PUBLIC_URL=f"http://127.0.0.1:{system.http_port}",
        )
        editor = EditingMember(system=system, member=system.discord.actor("member"))
        card, picture = await editor.finished(await editor.member.slash("imagine", prompt="a fox"), 0)
        link = f"https://discord.com/channels/{card.guild_id}/{card.channel_id}/{card.id}"

        code, said = await system.command("takedown", link, "--dry-run")
        assert (code, "1 job named by you" in said) == (0, True)
        code, said = await system.command("takedown", link, "--reason", "a letter", "--yes")
        assert code == 0
        receipt = re.search(r"Receipt (\w{4}-\w{4}), \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", said)
        assert receipt is not None
        system.clock.advance(seconds=20)  # to the next look of the bot's process
        await system.discord.recorder.wait(lambda _: card.deleted)

        before = editor.taken
        asked = await editor.member.slash("edit", prompt="at night", image=png(picture, "fox.png"))
        refused = await asked.wait_until(lambda message: "taken down" in text(message))
        assert "Nothing was charged" in text(refused)
        assert editor.taken == before

        code, said = await system.command("takedown", "list")
        assert receipt[1] in said
        code, said = await system.command("takedown", "lift", receipt[1].lower())
        assert (code, "is lifted" in said) == (0, True)
        asked = await editor.member.slash("edit", prompt="at night", image=png(picture, "fox.png"))
        await editor.finished(asked, before)
        await system.stop_bot()
    finally:
        await system.close()
