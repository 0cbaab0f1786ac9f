"""Two machines without a shared folder: their pictures are in one bucket."""

from pathlib import Path

from sandbox.clock import StudioClock
from sandbox.discord import media
from sandbox.providers import derives_from
from tests.end_to_end.editing_member import EditingMember, png
from tests.end_to_end.system_harness import SystemHarness, has_images, says, wait_for_provider_job
from tests.images.picture_stores import StorePlace, open_s3
from tests.support.image_server import drawn
from tests.support.polling import poll
from tests.support.s3_server import S3Server, new_name, s3_environment


async def test_another_machine_goes_on_with_the_pictures(s3_server: S3Server, tmp_path: Path) -> None:
    bucket = s3_server.make_bucket(new_name())
    place = StorePlace(tmp_path, open_s3(s3_server.url, bucket))
    system = SystemHarness(tmp_path, clock=StudioClock(tmp_path / "clock-offset"))
    settings = {
        **s3_environment(s3_server.url),
        "PICTURE_STORE_URL": f"s3://{bucket}/some/prefix",
        "SECRET_KEY": "0123456789abcdef" * 2,
        "WEBHOOK_PUBLIC_URL": f"http://127.0.0.1:{system.http_port}",
    }
    try:
        await system.start(**settings)
        member = system.discord.actor("member")
        made = await member.slash("imagine", prompt="a red fox")
        system.skillboss.finish(await wait_for_provider_job(system.skillboss, "a red fox"))
        card = await made.wait_until(has_images)
        (stored,) = place.paths()
        await system.stop_bot()

        await system.start_bot(**settings, DATA_DIR=str(tmp_path / "another machine"))
        history = await (await member.slash("history")).wait_until(says("a red fox"))
        assert len(media(history)) == 1
        editor = EditingMember(system=system, member=member)
        asked = await member.slash("edit", prompt="make it dusk", image=png(drawn()))
        await editor.finished(asked, editor.taken)
        before = editor.taken
        varied = await member.submit_modal(await member.click(card, label="Vary · 20"), {})
        _, picture = await editor.finished(varied, before)
        assert derives_from(picture, (await system.pictures(card))[0])

        system.clock.advance(seconds=300)  # new pictures are left for two minutes
        question = await (await member.select(card, ["delete"])).wait_until(says("Delete this?"))
        await (await member.click(question, label="Delete")).wait_until(says("Deleted."))
        assert stored in place.paths()  # the varied one was made from it
        answer = await (await member.slash("privacy delete")).response()
        await (await member.click(answer, label="Delete everything")).acknowledged()
        await poll(lambda: _paths(place), until=lambda paths: paths == [])
        log = system.log()
        assert not (tmp_path / "data" / "pictures").exists()
        assert "storage.closed" not in log
        assert settings["AWS_SECRET_ACCESS_KEY"] not in log
        assert (await system.ledger()).problems == []
    finally:
        await system.close()


async def _paths(place: StorePlace) -> list[str]:
    return place.paths()
