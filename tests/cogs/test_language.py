"""Who sees a text decides its language: a server's card speaks the server's, what one person sees speaks theirs."""

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
    """Return what sets the language of members and of servers; German is one that nobody speaks."""
    monkeypatch.setattr(i18n, "CATALOGUES", write_foreign(tmp_path / "locale"))
    made = simcord.interactions.base_payload

    def set_locales(member: str, server: str) -> None:
        def spoken(*args: Any, **kwargs: Any) -> Any:
            record, payload = made(*args, **kwargs)
            return record, payload | {"locale": member, "guild_locale": server}

        monkeypatch.setattr(simcord.interactions, "base_payload", spoken)

    return set_locales


async def test_a_card_speaks_the_servers_language(studio: BotHarness, use_locale: Speaking) -> None:
    """From its first state to its receipt, whoever called; so do its buttons."""
    use_locale("en-US", "de")
    result = await studio.imagine(studio.member("ann"), prompt="42")
    assert [word for text in [*studio.card(result), *buttons(result)] for word in english(text)] == []
    await studio.reaches(State.QUEUED)
    studio.server.finish()
    await studio.polls_until(lambda: "188" in studio.card(result)[-1])
    assert [word for text in studio.card(result) for word in english(text)] == []
    assert await studio.column("locale") == ["de"]


async def test_what_one_person_sees_speaks_theirs(studio: BotHarness, use_locale: Speaking) -> None:
    """A panel, an error, a page of the history; the card stays in the server's."""
    studio.expected = [PromptError]
    use_locale("de", "en-GB")
    ann = studio.member("ann")
    assert [word for line in panel(await ann.slash(studio.channel, "credits balance")) for word in english(line)] == []
    assert english(private(await studio.imagine(ann, prompt=" "))) == []
    card = await studio.imagine(ann, prompt="42")
    assert studio.card(card)[-1].startswith("In line")


async def test_a_button_answers_in_the_language_of_whoever_presses(studio: BotHarness, use_locale: Speaking) -> None:
    """Here a refusal, on a card in another language."""
    use_locale("en-US", "en-US")
    result = await studio.imagine(studio.member("ann"), prompt="42")
    use_locale("de", "en-US")
    assert result.response is not None
    answer = await studio.member("bob").click(result.response, label="Cancel")
    assert english(private(answer)) == []
    assert private(answer)
