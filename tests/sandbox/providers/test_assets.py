"""Images of the API fakes' CDN, and its faults."""

import asyncio

import aiohttp
import pytest

from sandbox.providers import Endpoint, SkillBossServer, expected_mark, read_mark
from tests.sandbox.providers.support import Api

SkillBoss = Api[SkillBossServer]


async def finished_urls(skillboss: SkillBoss, **inputs: object) -> list[str]:
    """Return the addresses of a completed job's images."""
    body = {"model": "reve/text-to-image", "async": True, "inputs": {"prompt": "a fox", **inputs}}
    await skillboss.send("POST", "/v1/run", body)
    return skillboss.server.picture_urls(skillboss.server.finish())


async def test_image_has_mark_of_its_job_and_number(skillboss: SkillBoss) -> None:
    urls = await finished_urls(skillboss, n=2, output_format="jpeg")

    marks = [read_mark(await skillboss.picture(url)) for url in urls]

    assert marks == [expected_mark("a fox", 0), expected_mark("a fox", 1)]
    pictures = [each for each in skillboss.server.requests if each.endpoint is Endpoint.PICTURE]
    assert len(pictures) == 2
    assert not any("authorization" in each.headers for each in pictures)


@pytest.mark.parametrize("path", ["/assets/nothing/0.png", "/assets/{job}/4.png", "/assets/{job}/0.gif"])
async def test_unknown_image_address_is_404(skillboss: SkillBoss, path: str) -> None:
    await finished_urls(skillboss)

    assert (await skillboss.send("GET", path.format(job=skillboss.server.jobs[0].id))).status == 404


async def test_unfinished_job_has_no_image(skillboss: SkillBoss) -> None:
    await skillboss.send("POST", "/v1/run", {"model": "reve/text-to-image", "async": True, "inputs": {"prompt": "x"}})

    assert (await skillboss.send("GET", f"/assets/{skillboss.server.jobs[0].id}/0.png")).status == 404


@pytest.mark.parametrize(("status", "times"), [(404, 1), (500, 1)])
async def test_status_fault_hits_its_number_of_times(skillboss: SkillBoss, status: int, times: int) -> None:
    (url,) = await finished_urls(skillboss)
    skillboss.server.faults.add("picture", "status", status=status, times=times)

    with pytest.raises(aiohttp.ClientResponseError) as caught:
        await skillboss.picture(url)

    assert caught.value.status == status
    assert read_mark(await skillboss.picture(url)) == expected_mark("a fox", 0)


async def test_html_fault_sends_page(skillboss: SkillBoss) -> None:
    (url,) = await finished_urls(skillboss)
    skillboss.server.faults.add("picture", "html")

    assert (await skillboss.picture(url)).startswith(b"<!doctype html>")


async def test_truncated_fault_breaks_off(skillboss: SkillBoss) -> None:
    (url,) = await finished_urls(skillboss)
    skillboss.server.faults.add("picture", "truncated")

    with pytest.raises(aiohttp.ClientPayloadError):
        await skillboss.picture(url)


async def test_endless_fault_never_ends(skillboss: SkillBoss, session: aiohttp.ClientSession) -> None:
    (url,) = await finished_urls(skillboss)
    skillboss.server.faults.add("picture", "endless")

    async with session.get(url) as response:
        requested = 0
        async for chunk in response.content.iter_chunked(65_536):
            requested += len(chunk)
            if requested > 3_000_000:
                break

    assert requested > 3_000_000


async def test_redirect_fault_names_private_address(skillboss: SkillBoss, session: aiohttp.ClientSession) -> None:
    (url,) = await finished_urls(skillboss)
    skillboss.server.faults.add("picture", "redirect", to="http://10.0.0.1/")

    async with session.get(url, allow_redirects=False) as response:
        assert (response.status, response.headers["Location"]) == (302, "http://10.0.0.1/")


async def test_reset_fault_breaks_connection(skillboss: SkillBoss) -> None:
    (url,) = await finished_urls(skillboss)
    skillboss.server.faults.add("picture", "reset_before", times=2)

    with pytest.raises(aiohttp.ClientConnectionError):
        await skillboss.picture(url)


async def test_images_can_be_fetched_concurrently(skillboss: SkillBoss) -> None:
    urls = await finished_urls(skillboss, n=4, output_format="webp")

    pictures = await asyncio.gather(*(skillboss.picture(url) for url in urls))

    assert [read_mark(each) for each in pictures] == [expected_mark("a fox", index) for index in range(4)]
