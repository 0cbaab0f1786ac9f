"""`/studio budget`, `/studio pause` and `/studio resume`."""

from bot.domain.errors import BudgetLimitError, BudgetSpentError, NotAllowedError, StudioPausedError
from tests.cogs.bot_harness import BotHarness, panel, private


async def test_admin_limits_the_server_and_sees_its_state(bot: BotHarness) -> None:
    bot.expected = [BudgetLimitError, BudgetSpentError, NotAllowedError]
    boss, member = bot.member("boss", manage_guild=True), bot.member("member")
    bot.client.owner_id = member.id
    before = panel(await boss.slash(bot.channel, "studio budget"))
    assert "No limit is set" in before[2]
    wrong = await boss.slash(bot.channel, "studio budget", amount="1,000")
    assert private(wrong).splitlines() == [
        "“\u20681,000\u2069” isn't an amount of credits.",
        "Type digits only, such as `20000`, up to 1,000,000,000; or `none`.",
    ]
    high = await boss.slash(bot.channel, "studio budget", amount="1000000")
    assert private(high).splitlines() == [
        "1000000 is more than the bot's operator gives.",
        "Choose 100,000 or less, or `none`.",
    ]
    refused = await boss.slash(bot.channel, "studio budget", cap="5")
    assert private(refused) == "Only the bot's owner can do that."
    saved = panel(await boss.slash(bot.channel, "studio budget", amount="5"))
    assert saved[:2] == ["Saved.", "## 5 of 5 credits left this month"]
    spent = await bot.imagine(member, prompt="a fox")
    assert "budget" in private(spent)
    freed = panel(await boss.slash(bot.channel, "studio budget", amount="none"))
    assert "No limit is set" in freed[3]


async def test_owner_caps_the_server_and_admins_limit_stays_below(bot: BotHarness) -> None:
    bot.expected = [BudgetLimitError]
    boss = bot.member("boss", manage_guild=True)
    bot.client.owner_id = boss.id
    capped = panel(await boss.slash(bot.channel, "studio budget", cap="500"))
    assert "-# The bot's operator gives this server 500 credits a month." in capped
    high = await boss.slash(bot.channel, "studio budget", amount="501")
    assert private(high).splitlines()[1] == "Choose 500 or less, or `none`."


async def test_paused_server_refuses_commands_forms_and_menus_with_the_reason(bot: BotHarness) -> None:
    bot.expected = [StudioPausedError]
    boss, member = bot.member("boss", manage_guild=True), bot.member("member")
    running = await bot.imagine(member, prompt="a fox")
    paused = await boss.slash(bot.channel, "studio pause", reason="new @everyone rules")
    assert private(paused).startswith("The studio is paused in this server.")
    again = await boss.slash(bot.channel, "studio pause", reason="new @everyone rules")
    assert private(again).splitlines()[0].endswith("The reason stays the same.")
    await boss.slash(bot.channel, "studio pause", reason="other *rules*")
    replaced = private(await boss.slash(bot.channel, "studio pause", reason="new @everyone rules"))
    assert replaced.splitlines() == [
        "The studio was paused here already, <t:1772625600:R>. Members now read your new reason.",
        "Its reason was: \u2068other \\*rules\\*\u2069",
        "`/studio resume` ends the pause.",
    ]

    refused = private(await bot.imagine(member, prompt="a cat"))
    assert refused.splitlines()[1].startswith("Nothing was charged.")
    assert "paused in this server by its admins" in refused
    assert "@everyone" not in refused
    assert "`/studio resume`" in refused
    status = panel(await member.slash(bot.channel, "status"))
    assert status[0] == "## The studio is paused"
    assert "paused in this server by its admins" in status[1]
    await bot.finish(running)
    assert bot.card(running)[-1].startswith("-# 12 credits")
    assert running.response is not None
    assert "paused in this server" in private(await member.click(running.response, label="Again · 12"))
    words = await member.send(bot.channel, "just words")
    assert "paused in this server" in private(await member.context_menu(bot.channel, "Edit this image", words))

    goes_on = await boss.slash(bot.channel, "studio resume")
    assert private(goes_on) == "The studio is open again in this server."
    again = await boss.slash(bot.channel, "studio resume")
    assert private(again) == "The studio is not paused by this server's admins."
    await bot.imagine(member, prompt="a cat")
    assert len(await bot.column("id")) == 2
