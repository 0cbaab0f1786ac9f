"""Edited forms and card menus within Discord's limits, in any language."""

from collections.abc import Mapping
from typing import Any

import pytest

from bot.domain.options import RATIOS
from bot.ui import buttons
from bot.ui.buttons import MenuEntry, card_menu, custom_id
from bot.ui.handlers import modals, remix_forms
from bot.ui.handlers.modals import ModalSpec, RequestModal
from bot.ui.handlers.remix_forms import EditedForm, EditedFormSpec
from bot.ui.i18n import use_locale
from sandbox.discord.components import Kind
from sandbox.discord.errors import FormErrors
from sandbox.discord.limits import check_components, check_modal
from tests.support.factories import make_request
from tests.ui.pseudo_locale import english, write_foreign

ID = custom_id("againedited", "f" * 32, 3, price=10**9 - 1)
PRICES = {f"nano-banana-pro{each}": 10**9 for each in range(25)}


def edited_form(prompt: str = "a fox", *, asks_picture: bool = False, prices: Mapping[str, int] = PRICES) -> EditedForm:
    """Return a form with as many fields as possible."""
    request = make_request(prompt=prompt, model=next(iter(prices)), images=4, detail=15)
    spec = EditedFormSpec(
        title="T",
        request=request,
        prices=prices,
        ratios=RATIOS,
        max_prompt=4000,
        has_detail=True,
        urls=dict.fromkeys(range(4)) if asks_picture else {},
        asks_picture=asks_picture,
    )
    return EditedForm(spec, ID)


def request_form() -> RequestModal:
    """Return another form of a card."""
    spec = ModalSpec(
        title="Upscale" * 9,
        urls=dict.fromkeys(range(4)),
        prompt=("What to change" * 9, "The rest stays as it is." * 9, "make it snow" * 9),
        factors={2: 10**9, 3: 10**9},
        models=PRICES,
    )
    return RequestModal(spec, ID)


def require_valid(form: modals.Form) -> None:
    """Fail with Discord's complaints about a form, if any."""
    found = FormErrors()
    check_modal(form.to_dict(), found)
    found.raise_if_any()


@pytest.mark.parametrize("times", [1, 9], ids=["English", "a wordy language"])
@pytest.mark.parametrize("asks_picture", [False, True])
@pytest.mark.parametrize("prompt", ["a fox", "🦊" * 2000, "🦊" * 2001])
def test_fullest_form_is_valid(monkeypatch: pytest.MonkeyPatch, prompt: str, times: int, *, asks_picture: bool) -> None:
    """Longer translations are cut."""
    for module in (modals, remix_forms):
        monkeypatch.setattr(module, "_", lambda text: text * times)
    require_valid(edited_form(prompt, asks_picture=asks_picture))
    require_valid(request_form())


def test_card_menu_in_wordy_language_is_valid(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(buttons, "_", lambda text: text * 9)
    menu = card_menu("f" * 32, list(MenuEntry), prices=dict.fromkeys(MenuEntry, "from 1,000,000 credits"))
    found = FormErrors()
    row = {"type": 1, "components": [menu.to_component_dict()]}
    check_components([row], found, top=frozenset({Kind.ACTION_ROW}))
    found.raise_if_any()


@pytest.mark.parametrize("asks_picture", [False, True])
@pytest.mark.parametrize("prices", [PRICES, {"reve-2.0": 12}], ids=["models", "one model"])
def test_edited_form_is_translated(
    tmp_path_factory: pytest.TempPathFactory, prices: Mapping[str, int], *, asks_picture: bool
) -> None:
    with use_locale("de", write_foreign(tmp_path_factory.mktemp("locale"))):
        sent = edited_form("🦊" * 2001, prices=prices, asks_picture=asks_picture).to_dict()
    said = []
    for item in sent["components"]:
        component: dict[str, Any] = item.get("component", {})
        labels = [option["label"] for option in component.get("options", [])]
        said += [item.get("label", ""), item.get("description", ""), item.get("content", ""), *labels]
    assert [word for text in said for word in english(text)] == []
