"""`/history` as a member sees and pages it, on simcord."""

from datetime import timedelta
from functools import partial

from bot.domain.images import ResultImage
from db.pictures import ResultImageRepository
from db.searches import SearchRepository
from tests.cogs.bot_harness import BotHarness, InteractionResult, MemberActor, buttons, texts
from tests.support.factories import make_image_file


def page(result: InteractionResult) -> list[str]:
    """Return the texts of a page, which its member alone sees."""
    assert result.response is not None
    assert result.response.ephemeral
    return texts(result.response.components)


def prompt(result: InteractionResult) -> str:
    """Return the prompt of the page that is shown."""
    (heading,) = [text for text in page(result) if text.startswith("## ")]
    return heading.splitlines()[0].removeprefix("## \u2068").removesuffix("\u2069")


async def made(studio: BotHarness, who: MemberActor, *prompts: str) -> list[InteractionResult]:
    """Make a picture for each prompt, one after the other."""
    results = []
    for each in prompts:
        result = await studio.imagine(who, prompt=each)
        while not studio.server.jobs or studio.server.jobs[-1].terminal:
            await studio.look()
        studio.server.finish()
        await studio.polls_until(partial(is_done, studio, result))
        while None in await studio.column("delivery"):
            await studio.look()
        results.append(result)
    return results


def is_done(studio: BotHarness, result: InteractionResult) -> bool:
    """Return whether a card shows its end."""
    return "left today" in studio.card(result)[-1]


async def turn(who: MemberActor, result: InteractionResult, label: str) -> None:
    """Press one of a page's buttons."""
    assert result.response is not None
    pressed = await who.click(result.response, label=label)
    assert pressed.acknowledged
    assert pressed.followups == []


async def test_who_has_no_pictures_hears_how_to_make_one(studio: BotHarness) -> None:
    """An empty history is a friendly line."""
    result = await studio.member("ann").slash(studio.channel, "history")
    assert page(result) == [
        "## Nothing here yet\nMake your first picture with `/imagine`; it is kept here for a while."
    ]
    assert buttons(result) == []


async def test_the_pages_are_turned_in_place(studio: BotHarness) -> None:
    """One private message shows a job after the other, each with its picture, back and forth, after a restart too."""
    ann = studio.member("ann")
    cards = await made(studio, ann, "one fox", "two foxes", "three boats")
    result = await ann.slash(studio.channel, "history")
    assert result.response is not None
    message = result.response.id
    assert cards[2].response is not None
    assert page(result)[1] == (
        "-# 12 credits charged · by SkillBoss · <t:1772625600:R>\n"
        f"-# Delivered on its card · https://discord.com/channels/{studio.guild.id}/{studio.channel.id}"
        f"/{cards[2].response.id}"
    )
    assert [each.filename for each in result.response.attachments] == ["atelier-1.png"]
    seen = [prompt(result)]
    for label in ("Older", "Older", "Newer"):
        await turn(ann, result, label)
        seen.append(prompt(result))
    assert seen == ["three boats", "two foxes", "one fox", "two foxes"]
    await studio.restart()
    await turn(ann, result, "Newer")
    assert prompt(result) == "three boats"
    assert result.response.id == message
    assert [each.filename for each in result.response.attachments] == ["atelier-1.png"]
    assert len(studio.channel.history()) == 3


async def test_a_search_stays_while_one_pages(studio: BotHarness) -> None:
    """Only jobs with the words in their prompt are paged, in whatever case, and the page says what was searched."""
    ann = studio.member("ann")
    await made(studio, ann, "a *red* fox", "a boat", "a *RED* car")
    result = await ann.slash(studio.channel, "history", search="*Red*")
    assert page(result)[0] == "-# Search: \u2068\\*Red\\*\u2069"
    assert prompt(result) == "a \\*RED\\* car"
    await turn(ann, result, "Older")
    assert prompt(result) == "a \\*red\\* fox"
    nothing = await ann.slash(studio.channel, "history", search="50%")
    assert page(nothing)[0].startswith("## Nothing found\n")


async def test_search_with_markup_and_bidi_control_pages_within_its_matches_after_restart(studio: BotHarness) -> None:
    odd = "a*b_c `x` ~~y~~ \u202e"
    member = studio.member("member")
    await made(studio, member, f"first {odd} z", "a boat", f"second {odd} z")
    result = await member.slash(studio.channel, "history", search=odd)
    assert "second" in prompt(result)
    await studio.restart()
    await turn(member, result, "Older")
    assert "first" in prompt(result)
    await turn(member, result, "Newer")
    assert "second" in prompt(result)


async def test_turning_a_page_of_a_purged_search_says_how_to_search_again(studio: BotHarness) -> None:
    member = studio.member("member")
    await made(studio, member, "a red fox", "a boat", "a red car")
    result = await member.slash(studio.channel, "history", search="red")
    later = studio.clock.now() + timedelta(days=1)
    await studio.database.write(lambda connection: SearchRepository(connection).purge_before(later))
    assert result.response is not None
    pressed = await member.click(result.response, label="Older")
    (answer,) = pressed.followups
    assert answer.ephemeral
    assert answer.content == "This search is no longer stored.\nRun `/history search:` again."
    assert prompt(result) == "a red car"


async def test_nobody_sees_anothers_pictures(studio: BotHarness) -> None:
    """Each member has their own history."""
    await made(studio, studio.member("ann"), "a fox")
    result = await studio.member("eve").slash(studio.channel, "history")
    assert page(result)[0].startswith("## Nothing here yet\n")


async def test_a_picture_whose_time_is_over(studio: BotHarness) -> None:
    """When the retention has ended the page says so and where the picture may still be."""
    ann = studio.member("ann")
    await made(studio, ann, "a fox")
    later = studio.clock.now().replace(year=2030)
    await studio.database.write(
        lambda connection: ResultImageRepository(connection).remove_stored_before(later, studio.clock.now(), 9)
    )
    result = await ann.slash(studio.channel, "history")
    assert page(result)[1].splitlines()[0] == (
        "The picture is no longer kept here: the studio keeps pictures for a while only. The card may still have it."
    )


async def test_pictures_too_large_for_here_are_made_smaller(studio: BotHarness) -> None:
    """What Discord refuses for its size is tried smaller, and left out at the end."""
    ann = studio.member("ann")
    await made(studio, ann, "a fox")
    for refusals, shown in ((3, True), (4, False)):
        studio.env.inject_error("PATCH", "/webhooks/*", status=413, code=40005, times=refusals)
        result = await ann.slash(studio.channel, "history")
        assert prompt(result) == "a fox"
        assert ("1 picture could not be shown here." in page(result)[1]) is not shown


async def test_pictures_that_came_late(studio: BotHarness) -> None:
    """Pictures of a job that had been given up are there, and free."""
    ann = studio.member("ann")
    studio.server.faults.add("submit", "fail", reason="content")
    result = await studio.imagine(ann, prompt="a fox")
    await studio.finish(result)
    (job_id,) = await studio.column("id")
    late = ResultImage(job_id=job_id, position=0, file=make_image_file())
    await studio.database.write(
        lambda connection: ResultImageRepository(connection).add_all([late], studio.clock.now())
    )
    history = await ann.slash(studio.channel, "history")
    assert "-# Came late, so free: 12 credits returned · by SkillBoss · " in page(history)[1]
