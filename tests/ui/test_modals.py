"""Modals filled in with unoffered choices."""

import pytest

from bot.domain.attachments import AttachmentInfo
from bot.domain.errors import NotOfferedError
from bot.domain.images import InputImage
from bot.domain.quotes import quotes
from bot.domain.saved_forms import FilledForm, MessageForm
from bot.services.remix import RemixOptions
from bot.ui.handlers.edit_menu import EditForm, EditModal
from bot.ui.handlers.modals import ModalSpec
from tests.support.catalogue import REVE2IMG

MORE_THAN_FIT = (
    "-# This message has 31 pictures, and a form has room for the first 25. "
    "To edit another, save it and attach it to `/edit`."
)


def wish(**chosen: list[str]) -> RemixOptions:
    """Return the remix options of a form about the second image."""
    prices = {"reve-2.0": 20, "seedream-5": 25}
    prompt = ("What", "How", "such as")
    spec = ModalSpec(
        title="t", urls={0: "first", 1: "second"}, factors={2: 26, 3: 29}, models=prices, prompt=prompt, counts={1: 20}
    )
    return spec.read({"prompt": ["make it snow"], **chosen}, 1)


def message_form(count: int, unshown: int = 0) -> EditForm:
    """Return the form for the images of a message."""
    pictures = tuple(AttachmentInfo(url=str(at)) for at in range(count))
    able = quotes({}, REVE2IMG, inputs=(InputImage(),))
    return EditForm.build(MessageForm(pictures=pictures, unshown=unshown), able, "reve-2.0")


def test_chosen_values_are_passed_on() -> None:
    assert wish(factor=["3"], model=["seedream-5"], images=["1"]) == RemixOptions(
        position=1, url="second", factor=3, model="seedream-5", prompt="make it snow", images=1
    )


@pytest.mark.parametrize(
    "chosen",
    [{"factor": ["x"]}, {"model": ["gone"]}, {"factor": []}, {"factor": ["2", "3"]}, {"images": ["2"]}],
    ids=["no number", "model of another bot", "nothing", "too many", "more pictures"],
)
def test_unoffered_values_are_refused(chosen: dict[str, list[str]]) -> None:
    with pytest.raises(NotOfferedError):
        wish(**{"factor": ["2"], "model": ["reve-2.0"]} | chosen)


@pytest.mark.parametrize("chosen", [[], ["99"], ["x"], ["1", "1"], ["0", "99"], [str(at) for at in range(8)]])
def test_unknown_message_images_are_refused(chosen: list[str]) -> None:
    with pytest.raises(NotOfferedError):
        message_form(8).read_pictures({"pictures": chosen})


def test_offered_message_images_keep_their_order() -> None:
    assert message_form(3).read_pictures({"pictures": ["2", "1"]}) == (1, 2)
    assert message_form(1).read_pictures({}) == ()


def test_checksum_changes_with_a_price() -> None:
    urls = {0: None}
    sums = {ModalSpec(title="t", urls=urls, models={"a": 20, "b": price}).checksum for price in (20, 25, 26)}
    assert len(sums) == 3
    assert max(sums) < 10**9


@pytest.mark.parametrize("unshown", [0, 6])
async def test_form_names_omitted_images(unshown: int) -> None:
    """Discord's select has a limit; the form says where to go instead."""
    view = message_form(25, unshown)
    modal = EditModal(view, FilledForm(form=view.form, prompt="", chosen=(0,)), range(25), "f" * 32)
    assert modal.is_finished()
    kinds = [each["type"] for each in modal.to_components()]
    said = [each["content"] for each in modal.to_components() if "content" in each]
    if unshown:
        assert kinds == [18, 10, 18, 18]
        assert said == [MORE_THAN_FIT]
    else:
        assert (kinds, said) == ([18, 18, 18], [])
