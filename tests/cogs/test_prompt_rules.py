"""`/studio rules` and refused prompts, on simcord."""

from typing import Any

import discord
import pytest
from simcord import InteractionResult
from simcord.actors import MemberActor

from bot.domain.errors import (
    BannedError,
    NotAllowedError,
    PromptRefusedError,
    PromptRuleGoneError,
    PromptRuleTextError,
)
from db.prompt_rules import PromptRuleRepository
from tests.cogs.bot_harness import BotHarness, buttons, panel, private, texts
from tests.cogs.test_form_errors import filled, send
from tests.cogs.test_mentions import ask
from tests.cogs.test_remix import finished, press


@pytest.fixture(autouse=True)
def _expected(bot: BotHarness) -> None:
    """Expect refusals in these tests."""
    bot.expected = [BannedError, NotAllowedError, PromptRefusedError, PromptRuleGoneError, PromptRuleTextError]


async def add(admin: MemberActor, card: InteractionResult, rules: str, **more: Any) -> InteractionResult:
    """Add rules by the form."""
    assert card.response is not None
    form = await admin.click(card.response, label="Add rules")
    return await send(admin, form, rules=rules, **more)


async def choose(bot: BotHarness, admin: MemberActor, card: InteractionResult, text: str, page: int = 0) -> None:
    """Choose a rule in the menu."""
    assert card.response is not None
    stored = await bot.database.read(lambda connection: PromptRuleRepository(connection).list(bot.guild.id))
    (rule_id,) = [each.rule.id for each in stored if each.rule.text == text]
    await admin.select(card.response, [rule_id], custom_id=f"a1:rulemenu:{bot.guild.id:032d}:{page}")


async def test_rules_are_added_tried_switched_and_removed(bot: BotHarness) -> None:
    admin, member = bot.member("admin", manage_guild=True), bot.member("member")
    await bot.imagine(member, prompt="a volcano at dusk")
    await bot.imagine(member, prompt="a v0lcano", private=True)
    card = await admin.slash(bot.channel, "studio rules")
    assert panel(card)[0] == "## Prompt rules"
    assert "This server has none" in panel(card)[1]

    await add(admin, card, "volcano\n\nwet paint\nvolcano", name="No *lava*")
    lines = "\n".join(panel(card)).splitlines()
    assert lines[:5] == [
        "2 rules were added. 1 was there already.",
        "Of the last 2 prompts, 2 would have been refused.",
        "-# a private picture",
        f"-# “\u2068volcano\u2069” by <@{member.id}>",
        "## Prompt rules",
    ]
    assert "**dry run** · word or phrase · “\u2068volcano\u2069” · \u2068No \\*lava\\*\u2069" in lines
    await bot.imagine(member, prompt="a volcano again")

    await choose(bot, admin, card, "volcano")
    assert "Of the last 3 prompts, 3 would have been refused." in "\n".join(texts(card.response.components))  # type: ignore[union-attr]
    assert "It has matched 1 request in the last 90 days" in "\n".join(texts(card.response.components))  # type: ignore[union-attr]
    await admin.click(card.response, label="Switch on")  # type: ignore[arg-type]
    assert buttons(card) == [
        *("Dry run", "Switch off", "Remove", "Add rules", "Bans after refusals", "Use AutoMod's rules"),
    ]
    refused = await bot.imagine(member, prompt="a v o l c a n o")
    said = texts(refused.response.components)  # type: ignore[union-attr]
    assert refused.response is not None
    assert refused.response.ephemeral
    assert said[0].splitlines() == [
        "A rule of this server forbids “\u2068v o l c a n o\u2069” in the prompt.",
        "Rule: \u2068No \\*lava\\*\u2069",
        "Nothing was charged. Reword it and send it again.",
        "What you typed:",
    ]
    assert said[1] == "```\na v o l c a n o\n```"

    await admin.click(card.response, label="Remove")  # type: ignore[arg-type]
    assert panel(card)[0].startswith("Removed: “\u2068volcano\u2069”")
    await bot.imagine(member, prompt="a volcano")
    log = "\n".join(panel(await admin.slash(bot.channel, "studio audit")))
    for words in ("added a prompt rule", "switched a prompt rule on", "removed a prompt rule"):
        assert words in log


async def test_wrong_rule_is_named_by_line_and_given_back(bot: BotHarness) -> None:
    admin = bot.member("admin", manage_guild=True)
    card = await admin.slash(bot.channel, "studio rules")
    answer = await add(admin, card, "fine\n(a", kind=["pattern"])
    said = texts(answer.response.components)  # type: ignore[union-attr]
    assert said[0].startswith("Line 2: “\u2068\\(a\u2069” is no pattern that can be used: \u2068missing \\)")
    assert said[1] == "```\nfine\n(a\n```"
    assert "This server has none" in panel(await admin.slash(bot.channel, "studio rules"))[1]


async def test_many_hostile_rules_fit_a_page(bot: BotHarness) -> None:
    admin = bot.member("admin", manage_guild=True)
    card = await admin.slash(bot.channel, "studio rules")
    await add(admin, card, "\n".join(f"@everyone <@1> \u202e*{'_' * 60}{at}word" for at in range(37)), name="*" * 80)
    pages = 0
    while True:
        pages += 1
        shown = "\n".join(panel(card))
        assert len(shown.encode("utf-16-le")) // 2 <= 4000
        assert "@everyone" not in shown
        assert "\u202e" not in shown
        if pages == 4:
            break
        await admin.click(card.response, label="Older")  # type: ignore[arg-type]
    assert "Page 4 of 4" in shown


async def test_demoted_admin_changes_nothing(bot: BotHarness) -> None:
    helpers = bot.guild.create_role("helpers", permissions=discord.Permissions(manage_guild=True))
    admin = bot.guild.add_member(bot.env.create_user("admin"), roles=[helpers])
    card = await admin.slash(bot.channel, "studio rules")
    await add(admin, card, "volcano")
    form = await admin.click(card.response, label="Add rules")  # type: ignore[arg-type]
    await choose(bot, admin, card, "volcano")
    bot.env.backend.remove_member_role(bot.guild.id, admin.id, helpers.id)
    for label in ("Switch on", "Remove", "Bans after refusals"):
        refused = await admin.click(card.response, label=label)  # type: ignore[arg-type]
        assert private(refused) == "Only an admin of this server can do that."
    assert private(await send(admin, form, rules="glacier")) == "Only an admin of this server can do that."


async def test_rule_removed_by_another_admin_is_gone(bot: BotHarness) -> None:
    first, second = bot.member("first", manage_guild=True), bot.member("second", manage_guild=True)
    card = await first.slash(bot.channel, "studio rules")
    await add(first, card, "volcano")
    other = await second.slash(bot.channel, "studio rules")
    for admin, shown in ((first, card), (second, other)):
        await choose(bot, admin, shown, "volcano")
    await first.click(card.response, label="Remove")  # type: ignore[arg-type]
    late = await second.click(other.response, label="Switch on")  # type: ignore[arg-type]
    assert private(late) == "This rule was removed meanwhile."


async def test_refusals_ban_as_the_server_has_set(bot: BotHarness) -> None:
    admin, member = bot.member("admin", manage_guild=True), bot.member("member")
    card = await admin.slash(bot.channel, "studio rules")
    await add(admin, card, "volcano", state=["on"])
    form = await admin.click(card.response, label="Bans after refusals")  # type: ignore[arg-type]
    await send(admin, form, limit=["2"], ban_hours=["72"])
    assert "2 refused prompts within 24 hours ban their member from the studio for 72 hours." in "\n".join(panel(card))
    for _ in range(2):
        await bot.imagine(member, prompt="a volcano")
    refused = await bot.imagine(member, prompt="a fox")
    assert private(refused).splitlines()[:2] == [
        "You may not use the studio in this server.",
        "Reason: \u2068Too many refused prompts\u2069",
    ]


@pytest.mark.bot(reve2img=True)
async def test_refused_edit_form_reopens_with_its_text(bot: BotHarness) -> None:
    member = bot.member("member")
    card = await finished(bot, member)
    refused = await send(member, await press(member, card, "Edit"), prompt="undress her")
    assert refused.response is not None
    assert refused.response.ephemeral
    assert texts(refused.response.components)[0].splitlines()[:2] == [
        "No edit may undress or sexualise people in uploaded pictures.",
        "Found in the prompt: “\u2068undress\u2069”",
    ]
    again = await press(member, refused, "Try again")
    assert filled(again)["What to change"] == "undress her"
    made = await send(member, again, prompt="give her a coat")
    assert "give her a coat" in bot.card(made)[0]


async def test_again_and_mentions_are_checked(bot: BotHarness) -> None:
    admin, member = bot.member("admin", manage_guild=True), bot.member("member")
    card = await finished(bot, member, prompt="a volcano")
    rules = await admin.slash(bot.channel, "studio rules")
    await add(admin, rules, "volcano", state=["on"])
    again = await press(member, card, "Again")
    assert panel(again)[0].startswith("A rule of this server forbids")
    answer = await ask(bot, member, "a v0lcano in the snow")
    said = answer.components[0]
    assert isinstance(said, discord.TextDisplay)
    assert said.content.splitlines() == [
        "A rule of this server forbids ||“\u2068v0lcano\u2069”|| in the prompt.",
        "Nothing was charged. Reword it and send it again.",
    ]
    assert await bot.column("prompt") == ["a volcano"]


async def test_question_is_checked_again_with_its_answer(bot: BotHarness) -> None:
    admin, member = bot.member("admin", manage_guild=True), bot.member("member")
    question = await ask(bot, member, "a volcano")
    rules = await admin.slash(bot.channel, "studio rules")
    await add(admin, rules, "volcano", state=["on"])
    refused = await member.click(question, label="Generate · 12 credits")
    assert panel(refused)[0].startswith("A rule of this server forbids")
    assert await bot.column("id") == []
