"""Modals filled in with unoffered choices."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import discord
import pytest
from discord import ui

from bot.domain.attachments import AttachmentInfo
from bot.domain.errors import NotOfferedError
from bot.domain.images import InputImage
from bot.domain.quotes import quotes
from bot.domain.saved_forms import FilledForm, MessageForm
from bot.services.remix import RemixOptions
from bot.ui.handlers.edit_menu import EditModal
from bot.ui.handlers.modals import ModalSpec, RequestModal

MORE_THAN_FIT = (
    "-# This message has 31 pictures, and a form has room for the first 25. "
    "To edit another, save it and attach it to `/edit`."
)


async def nobody(*_: object) -> None:
    """Answer no refusal."""


async def sent(form: ui.Modal, **chosen: list[str]) -> None:
    """Submit a form with these choices and any text."""
    interaction: Any = SimpleNamespace(locale=discord.Locale.american_english)
    values: list[Any] = [{"type": 3, "custom_id": name, "values": values} for name, values in chosen.items()]
    words: Any = {"type": 4, "custom_id": "prompt", "value": "make it snow"}
    form._refresh(interaction, [*values, words], {})
    await form.on_submit(interaction)


async def wish(**chosen: list[str]) -> RemixOptions:
    """Return the remix options of a form with two images."""
    heard: list[RemixOptions] = []

    async def hear(_: discord.Interaction[Any], wish: RemixOptions) -> None:
        heard.append(wish)

    prices = {"reve-2.0": 20, "seedream-5": 25}
    prompt = ("What", "How", "such as")
    spec = ModalSpec(title="t", urls={0: "first", 1: "second"}, factors={2: 26, 3: 29}, models=prices, prompt=prompt)
    await sent(RequestModal(spec, hear, nobody), **chosen)
    return heard[0]


async def test_chosen_values_are_passed_on() -> None:
    assert await wish(picture=["1"], factor=["3"], model=["seedream-5"]) == RemixOptions(
        position=1, url="second", factor=3, model="seedream-5", prompt="make it snow"
    )


@pytest.mark.parametrize(
    "chosen",
    [{"picture": ["99"]}, {"factor": ["x"]}, {"model": ["gone"]}, {"factor": []}, {"factor": ["2", "3"]}],
    ids=["missing image", "no number", "model of another bot", "nothing", "too many"],
)
async def test_unoffered_values_are_refused(chosen: dict[str, list[str]]) -> None:
    with pytest.raises(NotOfferedError):
        await wish(**{"picture": ["0"], "factor": ["2"], "model": ["reve-2.0"]} | chosen)


async def test_unknown_message_images_are_refused() -> None:
    """Offered ones keep their order."""
    heard: list[tuple[str | None, list[str]]] = []

    async def hear(
        _: discord.Interaction[Any], __: str, model: str | None, pictures: Sequence[AttachmentInfo], ___: int
    ) -> None:
        heard.append((model, [picture.url for picture in pictures]))

    offered = [AttachmentInfo(url=url) for url in ("first", "second", "third")]
    able = quotes({}, ("reve2img",), inputs=(InputImage(),))
    form = MessageForm(pictures=tuple(offered))
    filled = FilledForm(form=form, prompt="", chosen=(0,), model="reve-2.0")
    for pictures, model in ((["99", "1"], "reve-2.0"), (["1"], "gone")):
        with pytest.raises(NotOfferedError):
            await sent(EditModal(form, able, filled, hear, nobody), pictures=pictures, model=[model])
    await sent(EditModal(form, able, filled, hear, nobody), pictures=["2", "1"], model=["seedream-5"])
    assert heard == [("seedream-5", ["second", "third"])]


@pytest.mark.parametrize("unshown", [0, 6])
def test_form_names_omitted_images(unshown: int) -> None:
    """Discord's select has a limit; the form says where to go instead."""
    form = MessageForm(pictures=tuple(AttachmentInfo(url=str(at)) for at in range(25)), unshown=unshown)
    able = quotes({}, ("reve2img",), inputs=(InputImage(),))
    modal = EditModal(form, able, FilledForm(form=form, prompt="", chosen=(0,)), nobody, nobody)
    kinds = [each["type"] for each in modal.to_components()]
    said = [each["content"] for each in modal.to_components() if "content" in each]
    if unshown:
        assert kinds == [18, 10, 18, 18]
        assert said == [MORE_THAN_FIT]
    else:
        assert (kinds, said) == ([18, 18, 18], [])
