"""The largest card of `/studio rules`."""

from dataclasses import replace

from bot.domain.automod import AutoModRule, AutoModState
from bot.domain.guild_settings import GuildSettings
from bot.domain.prompt_rules import PromptField, PromptRule, PromptRuleKind
from bot.moderation.automod_rules import compile_automod
from bot.services.automod import AutoModView
from bot.services.prompt_rules import Example, Trial
from bot.ui.render.prompt_rule_card import RULES_OF_PAGE, prompt_rule_card
from db.prompt_rules import StoredRule
from tests.support.clock import START
from tests.support.factories import GUILD
from tests.ui.view_reader import texts

HOSTILE = "*_@everyone<@1>"
LIMIT = 4000


def test_largest_card_fits_a_message() -> None:
    rule = PromptRule(id="1", kind=PromptRuleKind.WORD, text=HOSTILE * 6, guild_id=GUILD, name=HOSTILE * 5)
    stored = StoredRule(rule=rule, set_by=2**62, set_at=START)
    example = Example(member_id=2**62, words=HOSTILE * 6, field=PromptField.NEGATIVE)
    broken = tuple(f"({HOSTILE * 16}{number}" for number in range(10))
    automod = [AutoModRule(id=number, name=HOSTILE * 6, keywords=("dragon",), patterns=broken) for number in range(6)]
    unused = tuple(text for each in compile_automod(automod) for text in each.unused)
    view = prompt_rule_card(
        GUILD,
        [replace(stored, rule=replace(rule, id=str(number))) for number in range(3 * RULES_OF_PAGE)],
        GuildSettings(),
        AutoModView(state=AutoModState(is_on=True, read_at=START), rules=tuple(automod), unused=unused),
        reads_automod=True,
        page=1,
        chosen=stored,
        trial=Trial(tried=500, refused=500, examples=(example,) * 5, recorded=10**6),
    )
    assert view.content_length() <= LIMIT
    said = "\n".join(texts(view))
    assert "57 more are not used." in said
    assert "@everyone" not in said
