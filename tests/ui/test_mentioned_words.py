"""The change and the picture's number in the words of a mention."""

import pytest

from bot.ui.handlers.mentioned_pictures import Instruction


@pytest.mark.parametrize(
    ("content", "text", "number"),
    [
        ("<@7> make it red", "make it red", None),
        ("<@!7>make it red <@7>", "make it red", None),
        ("<@7> 2: make it red", "make it red", 2),
        ("<@7> 12) make it red", "make it red", 12),
        ("3. <@7> make it red", "make it red", 3),
        ("<@7> 16:9 please", "16:9 please", None),
        ("<@7> 2.5 metres tall", "2.5 metres tall", None),
        ("<@7> 2:", "", 2),
        ("<@77> make it red", "<@77> make it red", None),
        ("<@7>", "", None),
    ],
)
def test_words_are_split_into_change_and_number(content: str, text: str, number: int | None) -> None:
    asked = Instruction.read(content, 7)
    assert (asked.text, asked.number) == (text, number)
