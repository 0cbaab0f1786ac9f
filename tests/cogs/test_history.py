"""`/history` and its pages, on simcord."""

from datetime import timedelta
from functools import partial

from bot.domain.images import ResultImage
from db.pictures import ResultImageRepository
from db.searches import SearchRepository
from tests.cogs.bot_harness import BotHarness, InteractionResult, MemberActor, buttons, texts
from tests.support.factories import make_image_file


def page(result: InteractionResult) -> list[str]:
    """Return the texts of an ephemeral page."""
    assert result.response is not None
    assert result.response.ephemeral
    return texts(result.response.components)


def prompt(result: InteractionResult) -> str:
    """Return the prompt of the current page."""
    (heading,) = [text for text in page(result) if text.startswith("## ")]
    return heading.splitlines()[0].removeprefix("## \u2068").removesuffix("\u2069")


async def made(bot: BotHarness, who: MemberActor, *prompts: str) -> list[InteractionResult]:
    """Make an image for each prompt, one after the other."""
    results = []
    for each in prompts:
        result = await bot.imagine(who, prompt=each)
        while not bot.server.jobs or bot.server.jobs[-1].terminal:
            await bot.look()
        bot.server.finish()
        await bot.polls_until(partial(is_done, bot, result))
        while None in await bot.column("delivery"):
            await bot.look()
        results.append(result)
    return results


def is_done(bot: BotHarness, result: InteractionResult) -> bool:
    """Return whether a card shows its end."""
    return " credits" in bot.card(result)[-1]


async def turn(who: MemberActor, result: InteractionResult, label: str) -> None:
    """Press a paging button."""
    assert result.response is not None
    pressed = await who.click(result.response, label=label)
    assert pressed.acknowledged
    assert pressed.followups == []


async def test_empty_history_explains_first_step(bot: BotHarness) -> None:
    result = await bot.member("member").slash(bot.channel, "history")
    assert page(result) == [
        "## Nothing here yet\nMake your first picture with `/imagine`; it is kept here for a while."
    ]
    assert buttons(result) == []


async def test_history_pages_in_place(bot: BotHarness) -> None:
    """One private message pages back and forth, after a restart too."""
    member = bot.member("member")
    cards = await made(bot, member, "one fox", "two foxes", "three boats")
    result = await member.slash(bot.channel, "history")
    assert result.response is not None
    message = result.response.id
    assert cards[2].response is not None
    assert page(result)[1] == (
        "-# 12 credits charged · by SkillBoss · <t:1772625600:R>\n"
        f"-# Posted in https://discord.com/channels/{bot.guild.id}/{bot.channel.id}"
        f"/{cards[2].response.id}"
    )
    assert [each.filename for each in result.response.attachments] == ["atelier-1.png"]
    seen = [prompt(result)]
    for label in ("Older", "Older", "Newer"):
        await turn(member, result, label)
        seen.append(prompt(result))
    assert seen == ["three boats", "two foxes", "one fox", "two foxes"]
    await bot.restart()
    await turn(member, result, "Newer")
    assert prompt(result) == "three boats"
    assert result.response.id == message
    assert [each.filename for each in result.response.attachments] == ["atelier-1.png"]
    assert len(bot.channel.history()) == 3


async def test_history_search_persists_across_pages(bot: BotHarness) -> None:
    """Matching ignores case; the page shows the search."""
    member = bot.member("member")
    await made(bot, member, "a *red* fox", "a boat", "a *RED* car")
    result = await member.slash(bot.channel, "history", search="*Red*")
    assert page(result)[0] == "-# Search: \u2068\\*Red\\*\u2069"
    assert prompt(result) == "a \\*RED\\* car"
    await turn(member, result, "Older")
    assert prompt(result) == "a \\*red\\* fox"
    nothing = await member.slash(bot.channel, "history", search="50%")
    assert page(nothing)[0].startswith("## Nothing found\n")


async def test_search_with_markup_and_bidi_control_pages_within_its_matches_after_restart(bot: BotHarness) -> None:
    odd = "a*b_c `x` ~~y~~ \u202e"
    member = bot.member("member")
    await made(bot, member, f"first {odd} z", "a boat", f"second {odd} z")
    result = await member.slash(bot.channel, "history", search=odd)
    assert "second" in prompt(result)
    await bot.restart()
    await turn(member, result, "Older")
    assert "first" in prompt(result)
    await turn(member, result, "Newer")
    assert "second" in prompt(result)


async def test_turning_a_page_of_a_purged_search_says_how_to_search_again(bot: BotHarness) -> None:
    member = bot.member("member")
    await made(bot, member, "a red fox", "a boat", "a red car")
    result = await member.slash(bot.channel, "history", search="red")
    later = bot.clock.now() + timedelta(days=1)
    await bot.database.write(lambda connection: SearchRepository(connection).purge_before(later))
    assert result.response is not None
    pressed = await member.click(result.response, label="Older")
    (answer,) = pressed.followups
    assert answer.ephemeral
    assert answer.content == "This search is no longer stored.\nRun `/history search:` again."
    assert prompt(result) == "a red car"


async def test_history_shows_own_images_only(bot: BotHarness) -> None:
    await made(bot, bot.member("member"), "a fox")
    result = await bot.member("stranger").slash(bot.channel, "history")
    assert page(result)[0].startswith("## Nothing here yet\n")


async def test_history_of_removed_image_explains_retention(bot: BotHarness) -> None:
    """The page says where the image may still exist."""
    member = bot.member("member")
    await made(bot, member, "a fox")
    later = bot.clock.now().replace(year=2030)
    await bot.database.write(
        lambda connection: ResultImageRepository(connection).remove_stored_before(later, bot.clock.now(), 9)
    )
    result = await member.slash(bot.channel, "history")
    assert page(result)[1].splitlines()[0] == (
        "The picture is no longer kept here: the studio keeps pictures for a while only. The card may still have it."
    )


async def test_history_shrinks_images_too_large_for_place(bot: BotHarness) -> None:
    """Images without a fitting size are left out."""
    member = bot.member("member")
    await made(bot, member, "a fox")
    for refusals, shown in ((3, True), (4, False)):
        bot.env.inject_error("PATCH", "/webhooks/*", status=413, code=40005, times=refusals)
        result = await member.slash(bot.channel, "history")
        assert prompt(result) == "a fox"
        assert ("1 picture could not be shown here." in page(result)[1]) is not shown


async def test_history_lists_late_images(bot: BotHarness) -> None:
    """They are free."""
    member = bot.member("member")
    bot.server.faults.add("submit", "fail", reason="content")
    result = await bot.imagine(member, prompt="a fox")
    await bot.finish(result)
    (job_id,) = await bot.column("id")
    late = ResultImage(job_id=job_id, position=0, file=make_image_file())
    await bot.database.write(lambda connection: ResultImageRepository(connection).add_all([late], bot.clock.now()))
    history = await member.slash(bot.channel, "history")
    assert "-# Came late, so free: 12 credits returned · by SkillBoss · " in page(history)[1]
