"""Limits per member and minute, and caps on stored rows."""

import pytest
from sqlalchemy import func, select

from bot.domain.errors import NotAdmittedError, TooManyRequestsError
from bot.domain.jobs import Action
from bot.domain.saved_forms import CardForm, FilledForm
from bot.services import member_limits
from bot.services.jobs import Actor
from bot.services.member_limits import MAX_STORED, MOST_PER_WINDOW, WINDOW, FreeAction, MemberLimits
from bot.services.preferences import PreferenceService
from bot.services.presets import PresetService
from bot.services.saved_forms import SavedFormService
from db.tables import drafts, forms
from tests.services.conftest import Open, ServiceHarness
from tests.support.catalogue import BOTH
from tests.support.clock import ManualClock
from tests.support.factories import GUILD, MEMBER, make_context, make_id, make_request

FORM = FilledForm(form=CardForm(job_id="0" * 32, action=Action.EDIT, urls={}), prompt="a fox", chosen=(), model=None)


@pytest.mark.parametrize("action", FreeAction)
def test_limit_is_per_member_and_action(clock: ManualClock, action: FreeAction) -> None:
    limits = MemberLimits(clock=clock)
    for _ in range(MOST_PER_WINDOW[action]):
        limits.count(action, MEMBER)
    for _ in range(2):
        with pytest.raises(TooManyRequestsError):
            limits.count(action, MEMBER)
    limits.count(action, MEMBER + 1)
    for other in set(FreeAction) - {action}:
        limits.count(other, MEMBER)
    clock.advance(60)
    limits.count(action, MEMBER)


def test_limit_ends_with_the_oldest_action_of_its_window(clock: ManualClock) -> None:
    limits = MemberLimits(clock=clock)
    begin = clock.now()
    for _ in range(MOST_PER_WINDOW[FreeAction.FORM]):
        limits.count(FreeAction.FORM, MEMBER)
        clock.advance(1)
    with pytest.raises(TooManyRequestsError) as caught:
        limits.count(FreeAction.FORM, MEMBER)
    assert caught.value.retry_at == begin + WINDOW


def test_windows_of_quiet_members_are_dropped(clock: ManualClock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(member_limits, "_MANY_WINDOWS", 10)
    limits = MemberLimits(clock=clock)
    for member in range(11):
        limits.count(FreeAction.FORM, member)
    clock.advance(61)
    limits.count(FreeAction.FORM, MEMBER)
    assert list(limits._windows) == [(FreeAction.FORM, MEMBER)]


async def test_confirmations_are_limited_and_capped(services: ServiceHarness) -> None:
    """720 commands in 12 seconds stored 720 rows."""
    for at in range(MAX_STORED + 5):
        if at and at % MOST_PER_WINDOW[FreeAction.CONFIRMATION] == 0:
            with pytest.raises(TooManyRequestsError):
                await services.confirmations.add(make_context(), make_request(prompt="one more"))
            services.clock.advance(60)
        await services.confirmations.add(make_context(), make_request(prompt=f"fox {at}"))
    await services.confirmations.add(make_context(member_id=MEMBER + 1), make_request())
    stored = await services.database.read(
        lambda connection: (
            connection.execute(select(drafts.c.prompt).where(drafts.c.member_id == MEMBER).order_by(drafts.c.id))
            .scalars()
            .all()
        )
    )
    assert stored == [f"fox {at}" for at in range(5, MAX_STORED + 5)]


async def test_forms_are_limited_and_capped(services: ServiceHarness) -> None:
    service = SavedFormService(
        database=services.database, clock=services.clock, new_id=make_id, limits=MemberLimits(clock=services.clock)
    )
    for _ in range(MAX_STORED + 5):
        await service.keep(MEMBER, FORM)
        services.clock.advance(3)
    for _ in range(MOST_PER_WINDOW[FreeAction.FORM]):
        await service.keep(MEMBER + 1, FORM)
    with pytest.raises(TooManyRequestsError):
        await service.keep(MEMBER + 1, FORM)
    count = select(func.count()).where(forms.c.member_id == MEMBER)
    assert await services.database.read(lambda connection: connection.execute(count).scalar()) == MAX_STORED


async def test_preferences_and_presets_are_limited(services: ServiceHarness) -> None:
    limits = MemberLimits(clock=services.clock)
    preferences = PreferenceService(database=services.database, catalogue=BOTH, now=services.clock.now, limits=limits)
    for _ in range(MOST_PER_WINDOW[FreeAction.PREFERENCE]):
        await preferences.change(MEMBER, {"private": True})
    with pytest.raises(TooManyRequestsError):
        await preferences.change(MEMBER, {"private": False})
    presets = PresetService(
        database=services.database, access=services.access, catalogue=BOTH, now=services.clock.now, limits=limits
    )
    actor = Actor(member_id=MEMBER, guild_id=GUILD, moderator=False)
    for _ in range(MOST_PER_WINDOW[FreeAction.PRESET]):
        await presets.save(actor, name="noir", template="{prompt}, noir", options={})
    with pytest.raises(TooManyRequestsError):
        await presets.save(actor, name="noir", template="{prompt}, noir", options={})
    with pytest.raises(TooManyRequestsError):
        await presets.delete(actor, "noir")


async def test_server_without_admission_stores_no_preset(open_services: Open) -> None:
    services = open_services(admitted=frozenset({GUILD}))
    presets = PresetService(
        database=services.database,
        access=services.access,
        catalogue=BOTH,
        now=services.clock.now,
        limits=MemberLimits(clock=services.clock),
    )
    actor = Actor(member_id=MEMBER, guild_id=GUILD + 1, moderator=False)
    with pytest.raises(NotAdmittedError):
        await presets.save(actor, name="noir", template="{prompt}, noir", options={})
