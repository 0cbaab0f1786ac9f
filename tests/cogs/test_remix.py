"""Actions on finished cards: permissions, double presses, late presses."""

from functools import partial
from typing import Any

import pytest
from sqlalchemy import Connection, delete, select, update

from bot.domain.errors import AlreadyAskedError
from bot.domain.jobs import State
from bot.services import confirmations as confirmations_service
from bot.services import jobs as jobs_service
from bot.ui import buttons as buttons_module
from bot.ui.component_tree import walk
from bot.ui.handlers import card_actions, job_requests
from db.tables import jobs, movements, pictures
from tests.cogs.bot_harness import BotHarness, InteractionResult, MemberActor, buttons, private, texts
from tests.cogs.test_edit import fields
from tests.support.catalogue import price
from tests.support.clock import let_others_run
from tests.support.polling import poll


async def finished(bot: BotHarness, who: MemberActor, **options: Any) -> InteractionResult:
    """Return a command's result once its card shows the images."""
    card = await bot.imagine(who, **{"prompt": "a fox"} | options)
    await bot.finish(card)
    return card


async def press(who: MemberActor, card: InteractionResult, label: str) -> InteractionResult:
    """Press a button of a card; its price need not be named."""
    assert card.response is not None
    labels = [each for each in buttons(card) if each.split(" · ")[0] == label] or [label]
    return await who.click(card.response, label=labels[0])


async def choose(who: MemberActor, card: InteractionResult, entry: str) -> InteractionResult:
    """Choose an entry of the More menu."""
    assert card.response is not None
    return await who.select(card.response, [entry])


def entries(card: InteractionResult) -> list[str]:
    """Return the entries of the More menu."""
    assert card.response is not None
    (container,) = card.response.components
    return [option["label"] for row in container["components"] for menu in row.get("components", [])
            for option in menu.get("options", [])]  # fmt: skip


def edits_of(bot: BotHarness, card: InteractionResult) -> int:
    """Return the number of edits of a card."""
    assert card.response is not None
    return sum(bot.requests("PATCH", ending) for ending in ("messages/@original", f"messages/{card.response.id}"))


def rise(monkeypatch: pytest.MonkeyPatch) -> None:
    """Raise the price of every request by one credit."""
    before = price
    for module in (jobs_service, confirmations_service, job_requests, card_actions):
        monkeypatch.setattr(module, "price", lambda request, catalogue: before(request, catalogue) + 1)


def told(result: InteractionResult) -> list[str]:
    """Return the texts of an ephemeral panel."""
    assert result.response is not None
    assert result.response.ephemeral
    return texts(result.response.components)


async def test_card_without_editing_model_offers_text_actions_only(bot: BotHarness) -> None:
    card = await finished(bot, bot.member("member"))
    assert buttons(card) == ["Again · 12"]
    assert entries(card) == ["Again, edited…", "Favourite", "Details", "Delete"]


@pytest.mark.bot(reve2img=True)
async def test_card_with_editing_model_offers_all_actions(bot: BotHarness) -> None:
    """Frequent actions are buttons, the rest is in the menu."""
    card = await finished(bot, bot.member("member"))
    assert buttons(card) == ["Again · 12", "Vary · 20", "Edit", "Upscale"]
    assert entries(card) == [
        "Again, edited…",
        "Vary, edited…",
        "Cut out",
        "Use as reference",
        "Favourite",
        "Details",
        "Delete",
    ]


@pytest.mark.bot(reve2img=True)
async def test_spending_presses_show_their_price(bot: BotHarness) -> None:
    """On the buttons and in the entries of the menu."""
    member = bot.member("member")
    card = await finished(bot, member, images=2)
    assert buttons(card) == ["V1", "V2", "U1", "U2", "Again · 24", "Edit"]
    assert "-# V: a variation, 20 credits\n-# U: upscaled 2×, 26 credits" in bot.card(card)[-1]
    assert card.response is not None
    described = [each.get("description") for each in walk(card.response.components) for each in each.get("options", [])]
    assert described[:4] == [
        "Change prompt or options · 24 credits as is",
        "Change prompt, options, number · from 20 credits",
        "Choose picture and size · from 26 credits",
        "Remove the background · 26 credits",
    ]
    opened = await choose(member, card, "cutout")
    assert opened.modal is not None
    assert [each["content"] for each in opened.modal["components"] if "content" in each] == ["-# 26 credits"]


@pytest.mark.bot(reve2img=True)
async def test_vary_makes_as_many_as_chosen(bot: BotHarness) -> None:
    member = bot.member("member")
    card = await finished(bot, member)
    counts = fields(await press(member, card, "Vary"))["How many"]["options"]
    assert [each["label"] for each in counts] == [
        "1 · 20 credits",
        "2 · 40 credits",
        "3 · 60 credits",
        "4 · 80 credits",
    ]
    assert [each["value"] for each in counts if each.get("default")] == ["1"]
    one = await member.submit_modal(await press(member, card, "Vary"), {"images": ["1"]})
    two = await member.submit_modal(await press(member, card, "Vary"), {"images": ["2"]})
    assert "1 picture · from" in bot.card(one)[0]
    assert "2 pictures · from" in bot.card(two)[0]
    assert await bot.column("price") == [12, 20, 40]


@pytest.mark.bot(reve2img=True)
async def test_button_of_a_picture_makes_one_of_it_at_once(bot: BotHarness) -> None:
    """After a restart, too, and for others at their own cost."""
    member = bot.member("member")
    card = await finished(bot, member, images=3)
    await bot.restart()
    varied = await press(bot.member("other"), card, "V3")
    assert "1 picture · from" in bot.card(varied)[0]
    upscaled = await press(member, card, "U2")
    assert "upscaled 2×" in bot.card(upscaled)[0]
    assert await bot.column("price") == [36, 20, 26]
    assert await bot.column("parent_picture") == [None, 2, 1]


@pytest.mark.bot(reve2img=True)
async def test_button_of_a_picture_above_shown_price_asks_first(
    bot: BotHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    member = bot.member("member")
    card = await finished(bot, member, images=2)
    rise(monkeypatch)
    for label, dearer in (("V2", 21), ("U1", 27)):
        asked = await press(member, card, label)
        assert buttons(asked) == [f"Generate · {dearer} credits", "Cancel"]
        assert bot.card(asked)[-1].startswith("The price has changed since it was shown.")
    assert len(await bot.column("id")) == 1


@pytest.mark.bot(reve2img=True)
async def test_button_of_a_picture_that_is_gone_makes_no_other(bot: BotHarness) -> None:
    member = bot.member("member")
    card = await finished(bot, member, images=2)
    await bot.reaches(State.DONE)
    gone = delete(pictures).where(pictures.c.position == 1)
    await bot.database.write(partial(Connection.execute, statement=gone))
    for label in ("V2", "U2"):
        assert private(await press(member, card, label)).splitlines() == [
            "The studio no longer keeps this picture, and it is not on this message any more. Nothing was charged.",
            "If you have it elsewhere, attach it to `/edit`.",
        ]
    assert len(await bot.column("id")) == 1
    await press(member, card, "V1")
    assert await bot.column("parent_picture") == [None, 0]


@pytest.mark.bot(reve2img=True)
@pytest.mark.parametrize("shown", ["lower", "none"])
async def test_press_above_shown_price_asks_first(bot: BotHarness, monkeypatch: pytest.MonkeyPatch, shown: str) -> None:
    """The price rose since, or the card is older than the prices."""
    member = bot.member("member")
    price = {"lower": 11, "none": None}[shown]
    build = buttons_module.custom_id
    monkeypatch.setattr(
        buttons_module,
        "custom_id",
        lambda *to, **more: build(*to, **more | ({"price": price} if "price" in more else {})),
    )
    card = await finished(bot, member)
    monkeypatch.setattr(buttons_module, "custom_id", build)
    asked = await press(member, card, "Again")
    assert buttons(asked) == ["Generate · 12 credits", "Cancel"]
    words = "The price has changed since it was shown.\nThis takes 12 credits."
    assert bot.card(asked)[-1] == (words if shown == "lower" else "This takes 12 credits.")
    cut = await choose(member, card, "cutout")
    assert buttons(cut) == ["Generate · 26 credits", "Cancel"]
    assert len(await bot.column("id")) == 1
    await press(member, asked, "Generate")
    assert await bot.column("price") == [12, 12]


@pytest.mark.bot(reve2img=True)
async def test_form_above_shown_price_asks_first(bot: BotHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    """The price rose while the form was open."""
    member = bot.member("member")
    card = await finished(bot, member)
    opened = await press(member, card, "Vary")
    rise(monkeypatch)
    asked = await member.submit_modal(opened, {"images": ["1"]})
    assert buttons(asked)[0].startswith("Generate · ")
    assert bot.card(asked)[-1].startswith("The price has changed since it was shown.")
    assert len(await bot.column("id")) == 1


async def test_again_by_other_member_uses_their_credits(bot: BotHarness) -> None:
    """The new card is a separate message of the presser; the old one stays."""
    member, other = bot.member("member"), bot.member("other")
    card = await finished(bot, member, images=2)
    before = bot.card(card)
    again = await press(other, card, "Again")
    assert bot.card(again)[0].splitlines()[1] == f"-# reve-2.0 · 1:1 · 2 pictures · for <@{other.id}>"
    await bot.reaches(State.DONE, State.QUEUED)
    bot.server.finish()
    await bot.polls_until(lambda: " credits" in bot.card(again)[-1])
    assert "24 credits" in bot.card(again)[-1]
    assert bot.card(card) == before
    assert await bot.column("member_id") == [member.id, other.id]


async def test_double_press_makes_one_job(bot: BotHarness) -> None:
    """The second press gets a private refusal."""
    member = bot.member("member")
    card = await finished(bot, member)
    await press(member, card, "Again")
    words = "This has begun already: you pressed twice, and it is made and charged once."
    assert private(await press(member, card, "Again")) == words
    assert len(await bot.column("id")) == 2


async def test_double_press_above_threshold_asks_once(bot: BotHarness) -> None:
    """One question; the second press or command gets a private refusal."""
    bot.expected = [AlreadyAskedError]
    member = bot.member("member")
    card = await finished(bot, member)
    await member.slash(bot.channel, "settings set", ask_over=0)
    words = "You have been asked about this already: this came twice. Answer that question to make it, once."
    asked = await press(member, card, "Again")
    assert buttons(asked) == ["Generate · 12 credits", "Cancel"]
    assert private(await press(member, card, "Again")) == words
    assert buttons(await bot.imagine(member, prompt="a boat")) == ["Generate · 12 credits", "Cancel"]
    assert private(await bot.imagine(member, prompt="a boat")) == words
    await press(member, asked, "Generate · 12 credits")
    assert len(await bot.column("id")) == 2


async def test_menu_after_restart_works(bot: BotHarness) -> None:
    member = bot.member("member")
    card = await finished(bot, member)
    await bot.restart()
    assert told(await choose(member, card, "details"))[0] == "## Details"


async def test_menu_choice_edits_card_to_itself(bot: BotHarness) -> None:
    """Discord's client forgets the selected entry at an edit only."""
    member = bot.member("member")
    card = await finished(bot, member, images=2)
    await poll(lambda: bot.column("delivery"), until=lambda delivery: delivery == ["card"])
    assert card.response is not None
    before, edits = card.response.components, edits_of(bot, card)
    for count in (1, 2):
        await choose(member, card, "details")
        assert edits_of(bot, card) == edits + count
    assert card.response.components == before
    assert len(card.response.attachments) == 2


async def test_menu_choice_on_changed_card_leaves_it(bot: BotHarness) -> None:
    """The job moved on in another process: the press shows an older card."""
    member = bot.member("member")
    card = await finished(bot, member)
    while await bot.column("delivery") != ["card"] or bot._card_updater._shown:
        await let_others_run()
    edits = edits_of(bot, card)
    for changes in ({"delivered_at": None}, {"message_id": 7}):
        await bot.database.write(partial(Connection.execute, statement=update(jobs).values(changes)))
        await choose(member, card, "details")
        assert edits_of(bot, card) == edits


async def test_menu_choice_with_limited_edits_is_still_answered(bot: BotHarness) -> None:
    member = bot.member("member")
    card = await finished(bot, member)
    await bot.reaches(State.DONE)
    bot.env.inject_error("PATCH", "/webhooks/*/messages/*", status=500)
    assert told(await choose(member, card, "details"))[0] == "## Details"


async def test_details_show_ids_to_member_only(bot: BotHarness) -> None:
    """The member sees options, times, price and ids.

    Others see how it was made.
    """
    member = bot.member("member")
    card = await finished(bot, member, aspect_ratio="16:9")
    await bot.reaches(State.DONE)
    (job_id,) = await bot.column("id")
    heading, prompt, options, story, ids = told(await choose(member, card, "details"))
    assert heading == "## Details"
    assert "a fox" in prompt
    assert options == "`model` reve-2.0 · `aspect_ratio` 16:9 · `images` 1 · `detail` 1"
    assert "12 credits charged" in story
    assert f"job {job_id}" in ids
    assert "provider skillboss, attempt 1 (completed)" in ids
    others = told(await choose(bot.member("other"), card, "details"))
    assert len(others) == 4
    assert "credits" not in "".join(others)


async def test_details_send_long_prompt_as_file(bot: BotHarness) -> None:
    member = bot.member("member")
    prompt = "a fox in the snow under a tree, " * 70
    details = await choose(member, await finished(bot, member, prompt=prompt), "details")
    assert details.response is not None
    (file,) = details.response.attachments
    assert (await file.read()).decode() == prompt


async def test_delete_asks_once_and_needs_permission(bot: BotHarness) -> None:
    """A stranger is refused. No credits return."""
    member, other = bot.member("member"), bot.member("other")
    card = await finished(bot, member)
    assert private(await choose(other, card, "delete")) == "Only its member or a moderator can do that."
    asked = await choose(member, card, "delete")
    assert "Its pictures go for good" in told(asked)[1]
    assert buttons(asked) == ["Delete"]
    assert len(bot.channel.history()) >= 1
    assert asked.response is not None
    await member.click(asked.response, label="Delete")
    assert card.response is None
    assert told(asked) == ["Deleted."]
    kinds = await bot.database.read(lambda connection: connection.execute(select(movements.c.kind)).scalars().all())
    assert "capture" in kinds
    assert await bot.column("charged") == [12]


async def test_delete_without_timely_answer_deletes_nothing(bot: BotHarness) -> None:
    """Discord gave up waiting for the answer."""
    member = bot.member("member")
    card = await finished(bot, member)
    asked = await choose(member, card, "delete")
    assert asked.response is not None
    bot.env.inject_error("POST", "/interactions/*/callback", status=404, code=10062)
    await member.click(asked.response, label="Delete")
    assert await bot.column("deleted_at") == [None]
    await member.click(asked.response, label="Delete")
    assert card.response is None
    assert told(asked) == ["Deleted."]


async def test_button_of_deleted_job_is_refused(bot: BotHarness) -> None:
    """The message itself could not be removed."""
    member = bot.member("member")
    card = await finished(bot, member, prompt="a fox in the snow under a tree, " * 7)
    gone = update(jobs).values(deleted_at=bot.clock.now())
    await bot.database.write(lambda connection: connection.execute(gone))
    deleted = "This was deleted, so there is nothing left to work with."
    assert private(await press(member, card, "Again")) == deleted
    assert private(await choose(member, card, "details")) == deleted


@pytest.mark.parametrize(("label", "state"), [("Again", "running")])
async def test_action_on_running_job_is_refused(bot: BotHarness, label: str, state: str) -> None:
    """An overtaken process showed the card as ended."""
    member = bot.member("member")
    card = await finished(bot, member)
    back = update(jobs).values(state=state)
    await bot.database.write(lambda connection: connection.execute(back))
    words = "This is still being made.\nPress again once it is finished."
    assert private(await press(member, card, label)) == words
    done = update(jobs).values(state="done")
    await bot.database.write(lambda connection: connection.execute(done))


async def test_failed_card_offers_again(bot: BotHarness) -> None:
    """Unless the prompt was refused."""
    member = bot.member("member")
    card = await bot.imagine(member, prompt="a fox")
    await bot.reaches(State.QUEUED)
    await press(member, card, "Cancel")
    await bot.until(lambda: bot.card(card)[-1].startswith("Cancelled."))
    assert buttons(card) == ["Again · 12"]
    again = await press(member, card, "Again")
    assert "Queued" in bot.card(again)[-1]
