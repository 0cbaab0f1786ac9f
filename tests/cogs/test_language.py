"""A server's card uses its language, a private answer the reader's."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import simcord.interactions

from bot.domain.errors import PromptError
from bot.domain.jobs import State
from bot.ui import i18n
from tests.cogs.bot_harness import BotHarness, buttons, panel, private
from tests.ui.pseudo_locale import english, write_foreign

Speaking = Callable[[str, str], None]


@pytest.fixture
def use_locale(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Speaking:
    """Return a setter for the locales of members and servers.

    The German catalogue is the pseudo locale.
    """
    monkeypatch.setattr(i18n, "CATALOGUES", write_foreign(tmp_path / "locale"))
    made = simcord.interactions.base_payload

    def set_locales(member: str, server: str) -> None:
        def spoken(*args: Any, **kwargs: Any) -> Any:
            record, payload = made(*args, **kwargs)
            return record, payload | {"locale": member, "guild_locale": server}

        monkeypatch.setattr(simcord.interactions, "base_payload", spoken)

    return set_locales


async def test_card_uses_server_language(bot: BotHarness, use_locale: Speaking) -> None:
    """From the first state to the receipt, buttons included."""
    use_locale("en-US", "de")
    result = await bot.imagine(bot.member("member"), prompt="42")
    assert [word for text in [*bot.card(result), *buttons(result)] for word in english(text)] == []
    await bot.reaches(State.QUEUED)
    bot.server.finish()
    await bot.polls_until(lambda: "12" in bot.card(result)[-1])
    assert [word for text in bot.card(result) for word in english(text)] == []
    assert await bot.column("locale") == ["de"]


async def test_private_answer_uses_member_language(bot: BotHarness, use_locale: Speaking) -> None:
    """A panel, an error, a history page; the card keeps the server's language."""
    bot.expected = [PromptError]
    use_locale("de", "en-GB")
    member = bot.member("member")
    assert [word for line in panel(await member.slash(bot.channel, "credits balance")) for word in english(line)] == []
    assert english(private(await bot.imagine(member, prompt=" "))) == []
    card = await bot.imagine(member, prompt="42")
    assert bot.card(card)[-1].startswith("Queued")


async def test_button_answer_uses_language_of_presser(bot: BotHarness, use_locale: Speaking) -> None:
    use_locale("en-US", "en-US")
    result = await bot.imagine(bot.member("member"), prompt="42")
    use_locale("de", "en-US")
    assert result.response is not None
    answer = await bot.member("other").click(result.response, label="Cancel")
    assert english(private(answer)) == []
    assert private(answer)
