"""Rejected modal input: content, permission and lifetime."""

from datetime import timedelta

import pytest

from bot.domain.attachments import AttachmentInfo
from bot.domain.errors import FormGoneError
from bot.domain.jobs import Action
from bot.domain.saved_forms import FORM_LIFE, CardForm, FilledForm, MessageForm
from bot.services.member_limits import MemberLimits
from bot.services.saved_forms import SavedFormService
from db.database import Database
from db.saved_forms import SavedFormRepository
from tests.support.clock import ManualClock
from tests.support.factories import MEMBER, make_id

CARD = FilledForm(
    form=CardForm(job_id="a" * 32, action=Action.REFERENCE, urls={0: "https://cdn.discordapp.com/a?hm=1", 2: None}),
    prompt="ein Fuchs 🦊\nim “Schnee” \\",
    chosen=(2,),
)
PICTURE = AttachmentInfo(url="https://cdn.discordapp.com/b", filename="b.png", media_type="image/png", size=9, width=5)
MESSAGE = FilledForm(
    form=MessageForm(pictures=(PICTURE, AttachmentInfo(url="https://cdn.discordapp.com/c")), unshown=3),
    prompt="x",
    chosen=(1, 0),
    model="seedream-5",
)


@pytest.fixture
def forms(database: Database, clock: ManualClock) -> SavedFormService:
    """Return the service."""
    return SavedFormService(database=database, clock=clock, new_id=make_id, limits=MemberLimits(clock=clock))


@pytest.mark.parametrize("filled", [CARD, MESSAGE], ids=["of a card", "of a message"])
async def test_form_is_read_back_unchanged(forms: SavedFormService, filled: FilledForm) -> None:
    assert await forms.get(await forms.keep(MEMBER, filled), MEMBER) == filled


async def test_get_form_of_another_member_raises_gone(forms: SavedFormService) -> None:
    form_id = await forms.keep(MEMBER, CARD)
    for wrong_id, member in ((form_id, MEMBER + 1), (make_id(), MEMBER)):
        with pytest.raises(FormGoneError):
            await forms.get(wrong_id, member)


async def test_form_expires_after_a_day_and_is_purged(
    forms: SavedFormService, database: Database, clock: ManualClock
) -> None:
    form_id = await forms.keep(MEMBER, CARD)
    clock.advance(FORM_LIFE.total_seconds())
    assert await forms.get(form_id, MEMBER) == CARD
    clock.advance(1)
    with pytest.raises(FormGoneError):
        await forms.get(form_id, MEMBER)
    purged = [
        await database.write(lambda connection: SavedFormRepository(connection).purge_before(clock.now() - life))  # noqa: B023 - run before the next turn
        for life in (FORM_LIFE + timedelta(seconds=2), FORM_LIFE)
    ]
    assert purged == [0, 1]
