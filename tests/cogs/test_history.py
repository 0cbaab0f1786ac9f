"""`/history` and its pages, on simcord."""

import asyncio
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from sqlalchemy import Connection

from bot.domain.errors import JobDeletedError, NotAllowedError
from bot.domain.images import ResultImage
from bot.images.image_service import ImageService
from bot.ui.component_tree import walk
from bot.ui.delivery.card_updater import CardUpdater
from db.jobs import JobRepository
from db.pictures import ResultImageRepository
from db.searches import SearchRepository
from tests.cogs.bot_harness import BotHarness, InteractionResult, MemberActor, buttons, private, texts
from tests.cogs.test_remix import edits_of
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


def menu(result: InteractionResult) -> list[tuple[str, str]]:
    """Return label and description of each entry of an overview's menu."""
    assert result.response is not None
    (select,) = (each for each in walk(result.response.components) if "options" in each)
    return [(option["label"], option["description"]) for option in select["options"]]


def values(result: InteractionResult) -> list[str]:
    """Return the jobs in an overview's menu."""
    assert result.response is not None
    (select,) = (each for each in walk(result.response.components) if "options" in each)
    return [option["value"] for option in select["options"]]


async def choose(who: MemberActor, result: InteractionResult, place: int) -> None:
    """Open an entry of an overview."""
    assert result.response is not None
    pressed = await who.select(result.response, [values(result)[place]])
    assert pressed.acknowledged
    assert pressed.followups == []


async def test_history_pages_in_place(bot: BotHarness) -> None:
    """One private message leads to pages and back, after a restart too."""
    member = bot.member("member")
    cards = await made(bot, member, "one fox", "two foxes", "three boats")
    result = await member.slash(bot.channel, "history")
    assert result.response is not None
    message = result.response.id
    assert page(result)[0] == "## Your pictures\n-# 1-3 of 3 · the latest first"
    assert menu(result) == [
        (f"{place} · {title}", "1 picture · reve-2.0")
        for place, title in enumerate(["three boats", "two foxes", "one fox"], 1)
    ]
    assert [each.filename for each in result.response.attachments] == [f"thumbnail-{place}.jpg" for place in range(3)]
    (pictures,) = (each["items"] for each in walk(result.response.components) if "items" in each)
    assert [each["description"] for each in pictures] == ["1 · three boats", "2 · two foxes", "3 · one fox"]
    await choose(member, result, 0)
    assert cards[2].response is not None
    assert page(result)[1] == (
        "-# 1 of 3\n-# 12 credits charged · by SkillBoss · <t:1772625600:R>\n"
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
    await turn(member, result, "Overview")
    assert len(menu(result)) == 3
    assert len(bot.channel.history()) == 3


async def test_overview_turns_in_steps_of_nine(bot: BotHarness) -> None:
    member = bot.member("member")
    await made(bot, member, *(f"fox {number}" for number in range(1, 11)))
    result = await member.slash(bot.channel, "history")
    assert page(result)[0].endswith("1-9 of 10 · the latest first")
    await turn(member, result, "Older")
    assert page(result)[0].endswith("10 of 10 · the latest first")
    assert [label for label, _ in menu(result)] == ["10 · fox 1"]
    await choose(member, result, 0)
    assert page(result)[1].startswith("-# 10 of 10\n")
    await turn(member, result, "Overview")
    await turn(member, result, "Newer")
    assert [label for label, _ in menu(result)][::8] == ["1 · fox 10", "9 · fox 2"]


async def test_favourite_is_listed_alone_until_it_is_none(bot: BotHarness) -> None:
    member = bot.member("member")
    await made(bot, member, "one fox", "two foxes", "three boats")
    result = await member.slash(bot.channel, "history")
    await turn(member, result, "Favourites")
    assert page(result)[0].startswith("## No favourites here\n")
    await turn(member, result, "All pictures")
    await choose(member, result, 1)
    await turn(member, result, "Favourite")
    assert page(result)[1].startswith("-# 2 of 3 · favourite\n")
    assert result.response is not None
    assert [each.filename for each in result.response.attachments] == ["atelier-1.png"]
    await turn(member, result, "Overview")
    assert menu(result)[1] == ("2 · two foxes", "1 picture · reve-2.0 · favourite")
    await turn(member, result, "Favourites")
    assert page(result)[0].startswith(
        "## Your favourites\n-# 1 of 1 · the latest first\n-# Favourites are kept as long"
    )
    await choose(member, result, 0)
    await turn(member, result, "Unfavourite")
    assert page(result)[1].startswith("-# 12 credits charged")
    await turn(member, result, "Overview")
    assert page(result)[0].startswith("## No favourites here\n")


async def test_entry_of_job_deleted_meanwhile_is_refused(bot: BotHarness) -> None:
    bot.expected = [JobDeletedError]
    member = bot.member("member")
    await made(bot, member, "one fox", "two foxes")
    result = await member.slash(bot.channel, "history")
    gone = values(result)[0]
    await bot.database.write(lambda connection: JobRepository(connection).set_deleted(gone, bot.clock.now()))
    assert result.response is not None
    pressed = await member.select(result.response, [gone])
    (answer,) = pressed.followups
    assert answer.ephemeral
    assert answer.content == "This was deleted, so there is nothing left to work with."


async def test_overview_without_readable_picture_has_its_entry_alone(bot: BotHarness) -> None:
    member = bot.member("member")
    await made(bot, member, "one fox", "two foxes", "three boats")
    ids = await bot.column("id")
    later = bot.clock.now().replace(year=2030)
    await bot.database.write(
        lambda connection: ResultImageRepository(connection).remove_stored_before(later, bot.clock.now(), 1)
    )
    (broken,) = await bot.database.read(lambda connection: ResultImageRepository(connection).list_for(ids[1]))
    (await bot.images.local_file(broken.file)).write_bytes(b"no picture")
    result = await member.slash(bot.channel, "history")
    assert page(result)[1:] == [
        "-# 1 of these is no longer kept here, so it has no picture above.\n-# 1 picture could not be shown here."
    ]
    assert menu(result)[1:] == [
        ("2 · two foxes", "1 picture · reve-2.0"),
        ("3 · one fox", "1 picture · reve-2.0 · no longer kept here"),
    ]
    assert result.response is not None
    assert len(result.response.attachments) == 1


async def test_overview_of_refused_thumbnails_is_shown_without_them(bot: BotHarness) -> None:
    member = bot.member("member")
    await made(bot, member, "one fox", "two foxes")
    bot.env.inject_error("PATCH", "/webhooks/*", status=413, code=40005, times=1)
    result = await member.slash(bot.channel, "history")
    assert len(menu(result)) == 2
    assert page(result)[1] == "-# 2 pictures could not be shown here."


async def test_history_search_persists_across_pages(bot: BotHarness) -> None:
    """Matching ignores case; the page shows the search."""
    member = bot.member("member")
    await made(bot, member, "a *red* fox", "a boat", "a *RED* car")
    result = await member.slash(bot.channel, "history", search="*Red*")
    assert page(result)[0] == "-# Search: \u2068\\*Red\\*\u2069"
    assert page(result)[1] == "## Your pictures\n-# 1-2 of 2 · the latest first"
    await choose(member, result, 0)
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
    await bot.restart()
    await choose(member, result, 0)
    assert "second" in prompt(result)
    await turn(member, result, "Older")
    assert "first" in prompt(result)
    await turn(member, result, "Newer")
    assert "second" in prompt(result)


async def test_turning_a_page_of_a_purged_search_says_how_to_search_again(bot: BotHarness) -> None:
    member = bot.member("member")
    await made(bot, member, "a red fox", "a boat", "a red car")
    result = await member.slash(bot.channel, "history", search="red")
    await choose(member, result, 0)
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


async def test_again_on_page_makes_new_card_in_channel(bot: BotHarness) -> None:
    """Also in another channel than the first one."""
    member = bot.member("member")
    await made(bot, member, "one fox")
    other = bot.guild.create_text_channel("corner")
    result = await member.slash(other, "history")
    assert buttons(result) == ["Again · 12", "Newer", "Older", "Favourite"]
    assert result.response is not None
    again = await member.click(result.response, label="Again · 12")
    assert again.response is not None
    assert not again.response.ephemeral
    assert len(other.history()) == 1
    assert await bot.column("channel_id") == [bot.channel.id, other.id]
    assert await bot.column("price") == [12, 12]


async def test_again_on_page_of_private_job_stays_private(bot: BotHarness) -> None:
    member = bot.member("member")
    await bot.finish(await bot.imagine(member, prompt="one fox", private=True))
    result = await member.slash(bot.channel, "history")
    assert page(result)[1].startswith("-# 1 of 1 · private\n")
    assert result.response is not None
    again = await member.click(result.response, label="Again · 12")
    assert again.response is not None
    assert again.response.ephemeral
    assert await bot.column("private") == [True, True]


async def test_page_of_removed_picture_offers_again_alone(bot: BotHarness) -> None:
    member = bot.member("member")
    await made(bot, member, "one fox")
    later = bot.clock.now().replace(year=2030)
    await bot.database.write(
        lambda connection: ResultImageRepository(connection).remove_stored_before(later, bot.clock.now(), 9)
    )
    result = await member.slash(bot.channel, "history")
    assert buttons(result) == ["Again · 12", "Newer", "Older", "Favourite"]
    assert [label for label, _ in menu(result)] == ["Again, edited…", "Details", "Delete"]


async def test_delete_on_page_asks_first_and_removes_card(bot: BotHarness) -> None:
    bot.expected = [JobDeletedError]
    member = bot.member("member")
    await made(bot, member, "one fox", "two foxes")
    result = await member.slash(bot.channel, "history")
    await choose(member, result, 0)
    assert result.response is not None
    question = await member.select(result.response, ["delete"])
    assert page(question)[1].startswith("Delete this? Its pictures go for good")
    assert len(bot.channel.history()) == 2
    assert question.response is not None
    await member.click(question.response, label="Delete")
    assert page(question) == ["Deleted."]
    assert len(bot.channel.history()) == 1
    pressed = await member.click(result.response, label="Again · 12")
    assert pressed.response is not None
    assert pressed.response.content == "This was deleted, so there is nothing left to work with."
    await turn(member, result, "Overview")
    assert [label for label, _ in menu(result)] == ["1 · one fox"]


async def test_menu_entry_of_page_can_be_chosen_again(bot: BotHarness) -> None:
    """Discord's client keeps the entry until the page is sent again."""
    member = bot.member("member")
    await made(bot, member, "one fox")
    result = await member.slash(bot.channel, "history")
    assert result.response is not None
    for _ in range(2):
        before, edits = texts(result.response.components), edits_of(bot, result)
        details = await member.select(result.response, ["details"])
        assert page(details)[0] == "## Details"
        assert texts(result.response.components) == before
        assert edits_of(bot, result) == edits + 1
        assert [each.filename for each in result.response.attachments] == ["atelier-1.png"]


async def opened(bot: BotHarness, member: MemberActor) -> InteractionResult:
    """Return the page of the second of three pictures."""
    await made(bot, member, "one fox", "two foxes", "three boats")
    result = await member.slash(bot.channel, "history")
    await choose(member, result, 1)
    return result


async def test_page_turned_before_menu_is_reset_stays_turned(bot: BotHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    member = bot.member("member")
    result = await opened(bot, member)
    assert result.response is not None
    reset, calls = CardUpdater.reset_menu, list[tuple[Any, ...]]()

    async def reset_later(*arguments: Any) -> None:
        calls.append(arguments)

    monkeypatch.setattr(CardUpdater, "reset_menu", reset_later)
    await member.select(result.response, ["details"])
    await turn(member, result, "Older")
    (arguments,) = calls
    await reset(*arguments)
    assert prompt(result) == "one fox"
    assert [each.filename for each in result.response.attachments] == ["atelier-1.png"]


async def mark_all(bot: BotHarness, *, favourite: bool) -> None:
    """Make all jobs favourites, or none."""
    ids, at = await bot.column("id"), bot.clock.now() if favourite else None

    def write(connection: Connection) -> None:
        for each in ids:
            JobRepository(connection).set_favourite(each, at)

    await bot.database.write(write)


async def test_turn_among_favourites_that_are_gone_says_so(bot: BotHarness) -> None:
    member = bot.member("member")
    await made(bot, member, "one fox", "two foxes")
    await mark_all(bot, favourite=True)
    result = await member.slash(bot.channel, "history")
    await turn(member, result, "Favourites")
    await choose(member, result, 0)
    await mark_all(bot, favourite=False)
    await turn(member, result, "Older")
    assert page(result)[0].startswith("## No favourites here\n")


async def test_overview_waits_for_thumbnails_so_long_and_no_longer(
    bot: BotHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    member = bot.member("member")
    await made(bot, member, "one fox", "two foxes")

    async def never(*_: Any, **__: Any) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(ImageService, "prepare_thumbnail", never)
    monkeypatch.setattr("bot.ui.delivery.thumbnails._SECONDS", 0)
    result = await member.slash(bot.channel, "history")
    assert len(menu(result)) == 2
    assert page(result)[1] == "-# 2 pictures could not be shown here."


async def test_card_is_made_favourite_in_its_menu_and_no_longer_one(bot: BotHarness) -> None:
    member = bot.member("member")
    (card, _) = await made(bot, member, "one fox", "two foxes")
    assert card.response is not None
    marked = await member.select(card.response, ["favourite"])
    assert page(marked)[0].startswith("A favourite now: find it in `/history` under *Favourites*.\n")
    result = await member.slash(bot.channel, "history")
    await turn(member, result, "Favourites")
    assert [label for label, _ in menu(result)] == ["1 · one fox"]
    unmarked = await member.select(card.response, ["favourite"])
    assert page(unmarked) == ["No longer a favourite. It stays in `/history`."]
    assert await bot.column("favourite_at") == [None, None]


async def test_favourite_on_card_of_another_member_is_refused(bot: BotHarness) -> None:
    bot.expected = [NotAllowedError]
    (card,) = await made(bot, bot.member("member"), "one fox")
    assert card.response is not None
    refused = await bot.member("stranger").select(card.response, ["favourite"])
    assert private(refused) == "Only its member can do that."
    assert await bot.column("favourite_at") == [None]
