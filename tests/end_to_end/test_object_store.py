"""Two machines without a shared folder: their pictures are in one bucket."""

from pathlib import Path

from sandbox.clock import StudioClock
from sandbox.discord import media
from sandbox.providers import derives_from
from tests.end_to_end.editing_member import EditingMember, png
from tests.end_to_end.system_harness import SystemHarness, has_images, says, wait_for_provider_job
from tests.images.picture_stores import StorePlace, open_s3
from tests.support.balancer import Balancer
from tests.support.databases import Databases
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


async def test_two_processes_share_pictures_without_a_folder(
    s3_server: S3Server, postgresql_databases: Databases, tmp_path: Path
) -> None:
    """Each command goes to the other process than the one before."""
    bucket = s3_server.make_bucket(new_name())
    url = await postgresql_databases.create(migrated=True)
    settings = {
        **s3_environment(s3_server.url),
        "PICTURE_STORE_URL": f"s3://{bucket}/some/prefix",
        "SECRET_KEY": "0123456789abcdef" * 2,
        "DEFAULT_ALLOWANCE": "100000",
    }
    one = SystemHarness(_new(tmp_path / "one"), database_url=url, over_http=True)
    other = SystemHarness(_new(tmp_path / "other"), database_url=url, over_http=True, beside=one)
    balancer = Balancer(one.interactions_url, other.interactions_url)
    try:
        await balancer.start()
        await one.start(**settings)
        await other.start_bot(**settings)
        await one.discord.endpoint.register(balancer.url)
        member = one.discord.actor("member")
        for number in range(2):
            before, prompt = len(one.reve2img.jobs), f"a fox, number {number}"
            made = await member.slash("imagine", prompt=prompt)
            one.skillboss.finish(await wait_for_provider_job(one.skillboss, prompt))
            card = await made.wait_until(has_images)
            (picture,) = await one.pictures(card)
            varied = await member.submit_modal(await member.click(card, label="Vary · 20"), {})
            await EditingMember(system=one, member=member).at_provider(before)
            await one.reve2img.finish_and_wait()
            (result,) = await one.pictures(await varied.wait_until(has_images))
            assert derives_from(result, picture)
            history = await (await member.slash("history")).wait_until(says("Your pictures"))
            assert len(media(history)) == 2 * number + 2
            await (await member.slash("help")).response()
        assert min(balancer.answered.values()) >= 4
        assert not any((tmp_path / name / "data" / "pictures").exists() for name in ("one", "other"))
        assert "Traceback" not in one.log() + other.log()
        ledger = await one.ledger()
        assert (ledger.problems, ledger.held, ledger.states) == ([], 0, ["done"] * 4)
    finally:
        await other.close()
        await one.close()
        await balancer.close()
        await postgresql_databases.drop(url)


def _new(folder: Path) -> Path:
    folder.mkdir()
    return folder


async def _paths(place: StorePlace) -> list[str]:
    return place.paths()
