"""The stand-in's CDN serves real pictures to anybody, and fails as it is told."""

import asyncio

import aiohttp
import pytest

from sandbox.providers import Endpoint, SkillBossServer, expected_mark, read_mark
from tests.sandbox.providers.support import Api

SkillBoss = Api[SkillBossServer]


async def finished_urls(skillboss: SkillBoss, **inputs: object) -> list[str]:
    """Return the addresses of a completed job's pictures."""
    body = {"model": "reve/text-to-image", "async": True, "inputs": {"prompt": "a fox", **inputs}}
    await skillboss.send("POST", "/v1/run", body)
    return skillboss.server.picture_urls(skillboss.server.finish())


async def test_each_picture_is_of_its_job_and_number(skillboss: SkillBoss) -> None:
    """The pixels prove whose picture it is; the request for it is on record, without a key."""
    urls = await finished_urls(skillboss, n=2, output_format="jpeg")

    marks = [read_mark(await skillboss.picture(url)) for url in urls]

    assert marks == [expected_mark("a fox", 0), expected_mark("a fox", 1)]
    pictures = [each for each in skillboss.server.requests if each.endpoint is Endpoint.PICTURE]
    assert len(pictures) == 2
    assert not any("authorization" in each.headers for each in pictures)


@pytest.mark.parametrize("path", ["/assets/nothing/0.png", "/assets/{job}/4.png", "/assets/{job}/0.gif"])
async def test_other_addresses_have_no_picture(skillboss: SkillBoss, path: str) -> None:
    """Neither an unknown job nor a picture that it does not have."""
    await finished_urls(skillboss)

    assert (await skillboss.send("GET", path.format(job=skillboss.server.jobs[0].id))).status == 404


async def test_an_unfinished_job_has_no_picture(skillboss: SkillBoss) -> None:
    """Nobody sees a picture before it is done."""
    await skillboss.send("POST", "/v1/run", {"model": "reve/text-to-image", "async": True, "inputs": {"prompt": "x"}})

    assert (await skillboss.send("GET", f"/assets/{skillboss.server.jobs[0].id}/0.png")).status == 404


@pytest.mark.parametrize(("status", "times"), [(404, 1), (500, 1)])
async def test_a_status_hits_as_often_as_it_was_told(skillboss: SkillBoss, status: int, times: int) -> None:
    """Once, and then the picture comes."""
    (url,) = await finished_urls(skillboss)
    skillboss.server.faults.add("picture", "status", status=status, times=times)

    with pytest.raises(aiohttp.ClientResponseError) as caught:
        await skillboss.picture(url)

    assert caught.value.status == status
    assert read_mark(await skillboss.picture(url)) == expected_mark("a fox", 0)


async def test_a_page_may_come_instead_of_a_picture(skillboss: SkillBoss) -> None:
    """A 200 that is no picture."""
    (url,) = await finished_urls(skillboss)
    skillboss.server.faults.add("picture", "html")

    assert (await skillboss.picture(url)).startswith(b"<!doctype html>")


async def test_a_picture_may_break_off(skillboss: SkillBoss) -> None:
    """Half of it comes, then the connection ends."""
    (url,) = await finished_urls(skillboss)
    skillboss.server.faults.add("picture", "truncated")

    with pytest.raises(aiohttp.ClientPayloadError):
        await skillboss.picture(url)


async def test_a_picture_may_never_end(skillboss: SkillBoss, session: aiohttp.ClientSession) -> None:
    """More bytes than anybody should take, until the reader hangs up."""
    (url,) = await finished_urls(skillboss)
    skillboss.server.faults.add("picture", "endless")

    async with session.get(url) as response:
        taken = 0
        async for chunk in response.content.iter_chunked(65_536):
            taken += len(chunk)
            if taken > 3_000_000:
                break

    assert taken > 3_000_000


async def test_a_picture_may_point_elsewhere(skillboss: SkillBoss, session: aiohttp.ClientSession) -> None:
    """A redirect to a private address, as an attacker would send it."""
    (url,) = await finished_urls(skillboss)
    skillboss.server.faults.add("picture", "redirect", to="http://10.0.0.1/")

    async with session.get(url, allow_redirects=False) as response:
        assert (response.status, response.headers["Location"]) == (302, "http://10.0.0.1/")


async def test_a_connection_may_break(skillboss: SkillBoss) -> None:
    """A reset before anything came, and once more for the client's own second try."""
    (url,) = await finished_urls(skillboss)
    skillboss.server.faults.add("picture", "reset_before", times=2)

    with pytest.raises(aiohttp.ClientConnectionError):
        await skillboss.picture(url)


async def test_many_pictures_can_be_fetched_at_a_time(skillboss: SkillBoss) -> None:
    """They are drawn in threads, so the server goes on answering."""
    urls = await finished_urls(skillboss, n=4, output_format="webp")

    pictures = await asyncio.gather(*(skillboss.picture(url) for url in urls))

    assert [read_mark(each) for each in pictures] == [expected_mark("a fox", index) for index in range(4)]
