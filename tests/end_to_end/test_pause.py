"""`atelier pause` beside the running bot."""

from pathlib import Path

from sandbox.discord import text
from tests.end_to_end.system_harness import SystemHarness, has_images, wait_for_provider_job


async def atelier(system: SystemHarness, *command: str) -> str:
    """Return the output of a command beside the running bot."""
    code, output = await system.command(*command)
    assert code == 0
    return output


async def test_pause_from_the_shell_holds_back_the_queue_and_lets_running_jobs_finish(tmp_path: Path) -> None:
    system = SystemHarness(tmp_path)
    try:
        await system.start(MAX_ACTIVE_JOBS="1", REVE2IMG_API_KEY="")
        member = system.discord.actor("member")
        running = await member.slash("imagine", prompt="a fox")
        job = await wait_for_provider_job(system.skillboss, "a fox")
        queued = await member.slash("imagine", prompt="a cat")
        await queued.wait_until(lambda message: "Queued" in text(message))

        assert "Everything is paused" in await atelier(system, "pause", "--all", "--reason", "a bill")
        refused = await (await member.slash("imagine", prompt="a dog")).response()
        assert "The studio is paused by its operator:" in text(refused)
        status = await (await member.slash("status")).response()
        assert "The studio is paused" in text(status)
        system.skillboss.finish(job)
        await running.wait_until(has_images)
        await queued.wait_until(lambda message: "This waits, and continues by itself later." in text(message))
        assert len(system.skillboss.jobs) == 1

        assert "Everything: the pause is over." in await atelier(system, "resume", "--all")
        system.skillboss.finish(await wait_for_provider_job(system.skillboss, "a cat"))
        await queued.wait_until(has_images)
        await system.stop_bot()
    finally:
        await system.close()
