"""With a complete catalogue no visible text stays English."""

import importlib
import itertools
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from discord import app_commands, ui
from discord.ext import commands

import cogs
from bot.client import AtelierClient
from bot.domain.access_rules import RuleKind
from bot.domain.allowances import Allowance, AllowanceChange, AllowanceEntry, AllowanceSource, PeriodKind
from bot.domain.audit_log import AuditEntry
from bot.domain.bans import BanScope
from bot.domain.credits import Budget, LedgerAccount, MovementKind, Posting
from bot.domain.errors import AtelierError, FaultKind, NotAllowedError, OptionRangeError, UnknownTimeZoneError
from bot.domain.fit import Fit
from bot.domain.guild_settings import GUILD_SETTINGS
from bot.domain.images import InputImage
from bot.domain.jobs import Action, Delivery, Snapshot, State
from bot.domain.ledger_entries import LedgerEntry, LedgerFilter
from bot.domain.options import OPTIONS
from bot.domain.pauses import Pause, PauseScope
from bot.domain.quotes import quotes
from bot.domain.sharing.settings import SHARING_SETTINGS, ReviewMode, SharingSettings, VoteKind
from bot.domain.sharing.submissions import SubmissionState
from bot.domain.statistics_chart import StatisticsChart
from bot.engine.health import ProviderHealth
from bot.engine.ledger import CHANGED_REASON
from bot.services.access import Admission
from bot.services.allowances import AllowanceList, AllowancePreview, Explanation, logged_change
from bot.services.budget_alerts import BudgetAlert
from bot.services.credit_administration import CreditChange
from bot.services.credit_history import DeletedAccount, LedgerLine, LedgerPage
from bot.services.credits import Balance
from bot.services.status import Status
from bot.ui.buttons import BUTTONS, ButtonSpec, MenuEntry, card_menu
from bot.ui.command_options import model_choices, suggested_choices
from bot.ui.command_translator import CommandTranslator
from bot.ui.i18n import use_locale
from bot.ui.render.allowance_panels import (
    allowance_list,
    cancelled_panel,
    explanation_panel,
    preview_panel,
    saved_panel,
)
from bot.ui.render.budget_alerts import budget_alert, closed_log_channel, guild_budget_alert, owner_alert
from bot.ui.render.credit_history import ledger_page
from bot.ui.render.credit_panels import balance_panel, granted_panel, reset_panel, taken_panel
from bot.ui.render.daily_report import daily_report
from bot.ui.render.error_messages import error_message, failure, unexpected
from bot.ui.render.history_page import empty_page, has_search_line, history_page
from bot.ui.render.job_card import job_card
from bot.ui.render.moderation_panels import LOG_KINDS, log_panel
from bot.ui.render.panels import admitted_panel, help_panel, status_panel
from bot.ui.render.pause_panels import all_paused_panel, ask_pause_panel, guild_resumed
from bot.ui.render.pauses import paused_note
from bot.ui.render.sharing.notices import decision_notice
from bot.ui.render.sharing.settings_words import review_words, showcase_words
from bot.ui.render.sharing.share_panels import sent_panel, submission_list, withdraw_question, withdrawn_panel
from bot.ui.render.statistics_charts import charts_of
from bot.ui.render.statistics_numbers import Names
from bot.ui.render.statistics_panel import no_statistics_panel, statistics_panel
from tests.support.catalogue import BOTH, generation_request
from tests.support.clock import START
from tests.support.factories import make_context, make_job, make_request
from tests.ui.pseudo_locale import english, write_foreign
from tests.ui.sharing.test_review_card import snapshot as submission
from tests.ui.test_daily_report import BAD_DAY, FINE
from tests.ui.test_error_messages import WORDED
from tests.ui.test_history import job, page, received, stored
from tests.ui.test_job_card import LIVE_CARDS, SOFT, done, files
from tests.ui.test_statistics import offer, statistics
from tests.ui.view_reader import labels, texts

PROMPT = "a lighthouse at dusk"
PROVIDER = "ComfyUI"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return catalogues with the pseudo locale as German."""
    return write_foreign(tmp_path_factory.mktemp("locale"))


def left(folder: Path, make: Callable[[], ui.LayoutView]) -> list[str]:
    """Return the English words left in the output of `make`."""
    with use_locale("de", folder):
        view = make()
    said = [text.replace(PROMPT, "").replace(PROVIDER, "") for text in [*texts(view), *labels(view)]]
    return [word for text in said for word in english(text)]


EVERYTHING = make_request(
    images=2,
    detail=3,
    resolution="2K",
    format="webp",
    upscale=2,
    remove_background=True,
    fit=Fit(longest=2048),
    effect="42",
    version="20250915",
    inputs=(InputImage(url="https://example.org/1"),),
)
ENDED = [
    *(Snapshot(job=make_job(state=State.FAILED, fault=fault), available=176) for fault in FaultKind),
    Snapshot(job=make_job(state=State.LOST, fault=FaultKind.DEADLINE), available=176),
    Snapshot(job=make_job(state=State.CANCELLED), available=176),
    Snapshot(job=make_job(request=EVERYTHING)),
    Snapshot(job=make_job(), queue_position=2, usual_seconds=(130, 300)),
    Snapshot(job=make_job(), queue_position=2, usual_seconds=(13, 30), forecast_seconds=26, own_first=1),
    Snapshot(job=make_job(), queue_position=2, usual_seconds=(130, 300), forecast_seconds=260, own_first=3),
    Snapshot(job=make_job(), queue_position=200, usual_seconds=(130, 300), forecast_seconds=8000),
    Snapshot(job=make_job(), usual_seconds=(60, 60)),
    Snapshot(job=make_job(), usual_seconds=(130, 130)),
    Snapshot(job=make_job(request=replace(EVERYTHING, prompt="1 " * 200))),
]


@pytest.mark.parametrize(("snapshot", "seconds"), [case[:2] for case in LIVE_CARDS.values()], ids=LIVE_CARDS)
def test_waiting_card_is_translated(folder: Path, snapshot: Snapshot, seconds: float) -> None:
    assert left(folder, lambda: job_card(snapshot, START, seconds - SOFT)) == []


@pytest.mark.parametrize("snapshot", ENDED, ids=range(len(ENDED)))
def test_ended_card_is_translated(folder: Path, snapshot: Snapshot) -> None:
    assert left(folder, lambda: job_card(snapshot, START, SOFT)) == []


@pytest.mark.parametrize("reencoded", [(1,), (1, 2), (1, 2, 3)])
@pytest.mark.parametrize("direct", [False, True])
@pytest.mark.parametrize("asked", [1, 3, 4])
def test_card_with_images_is_translated(folder: Path, asked: int, reencoded: tuple[int, ...], *, direct: bool) -> None:
    snapshot = done(min(asked, 3), asked=asked)
    assert left(folder, lambda: job_card(snapshot, START, SOFT, files(asked, *reencoded), direct=direct)) == []
    assert left(folder, lambda: job_card(snapshot, START, SOFT, files(1, 1), direct=direct)) == []


def test_statistics_are_translated(folder: Path) -> None:
    """In the answer, in the pictures and in their descriptions."""
    numbers = statistics(money=(offer("1", "1", 40, "0", own=60, unpriced=1),))
    numbers = replace(numbers, days=tuple(replace(day, models={"1": day.total}) for day in numbers.days))
    names = Names(provider=lambda name: name)
    with use_locale("de", folder):
        charts = charts_of(numbers, StatisticsChart.OVERVIEW, names)
    said = [each for chart in charts for each in (chart.description, *words_of(chart.chart))]
    assert [word for text in said for word in english(text)] == []
    for filenames in (["1"], None):
        assert left(folder, lambda shown=filenames: statistics_panel(numbers, ["1"], shown)) == []  # type: ignore[misc]
    assert left(folder, lambda: statistics_panel(numbers, [], [])) == []
    assert left(folder, lambda: no_statistics_panel(numbers)) == []


def words_of(chart: Any) -> Iterator[str]:
    """Yield all texts of a chart."""
    if isinstance(chart, str):
        yield chart
    elif isinstance(chart, tuple):
        for each in chart:
            yield from words_of(each)
    elif is_dataclass(chart):
        for each in fields(chart):
            yield from words_of(getattr(chart, each.name))


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_actions_of_card_are_translated(folder: Path, count: int) -> None:
    offered: dict[str, Any] = {"actions": tuple(Action), "prices": dict.fromkeys(Action, 20)}
    assert left(folder, lambda: job_card(done(count), START, SOFT, files(count), **offered)) == []


def raised() -> Iterator[AtelierError]:
    """Yield every worded error, as the domain raises it."""
    for error, _words in WORDED:
        # The names of time zones are the same in all languages.
        if not isinstance(error, OptionRangeError | NotAllowedError) and not getattr(error, "suggestions", ()):
            yield error
    yield UnknownTimeZoneError("?", ("1", "2"))
    for wrong in (
        {"images": 9},
        {"detail": 99},
        {"fit": "0"},
        {"effect": "??"},
        {"version": "?"},
        {"format": "?"},
        {"aspect_ratio": "?"},
    ):
        with pytest.raises(OptionRangeError) as caught:
            generation_request(prompt="1", **wrong)
        yield caught.value
    yield NotAllowedError("its member or a moderator")
    yield NotAllowedError("the bot's owner")


@pytest.mark.parametrize("error", list(raised()), ids=lambda error: error.code)
def test_error_message_is_translated(folder: Path, error: AtelierError) -> None:
    with use_locale("de", folder):
        assert english(error_message(error) or "") == []


def test_failure_message_is_translated(folder: Path) -> None:
    with use_locale("de", folder):
        assert english(unexpected("0a1b2c3d")) == []
        assert [word for fault in FaultKind for text in failure(fault) for word in english(text)] == []


PAGES = [
    page(job(), kept=2, removed=1),
    page(job(), kept=0, removed=1),
    page(job(Delivery.DIRECT), kept=0, removed=2),
    page(job(Delivery.HISTORY), search=stored("42")),
    page(job(None)),
    page(job(state=State.LOST, charged=0, fault=FaultKind.DEADLINE)),
    page(job(request=make_request(images=2), price=24)),
]


@pytest.mark.parametrize("shown", PAGES, ids=range(len(PAGES)))
def test_history_page_is_translated(folder: Path, shown: Any) -> None:
    assert left(folder, lambda: history_page(shown, files(1, 1))) == []
    assert left(folder, lambda: history_page(shown)) == []


def test_empty_history_is_translated(folder: Path) -> None:
    assert left(folder, lambda: empty_page("42")) == []
    assert left(folder, lambda: empty_page(None)) == []


def test_search_line_is_detected_in_any_language(folder: Path) -> None:
    with use_locale("de", folder):
        view = history_page(page(job(), search=stored("a *fox*")))
    assert has_search_line(received(view))


HEALTH = [
    ProviderHealth(provider="skillboss", fault=fault, since=since, closed_models=("reve-2.0",), other_ratios=2)
    for fault in (None, FaultKind.KEY_REJECTED, FaultKind.UNAVAILABLE)
    for since in (None, START)
]


def test_panels_are_translated(folder: Path) -> None:
    for health in HEALTH:
        status = Status(
            providers=(health,),
            waiting=1,
            working=2,
            usual_seconds={"reve-2.0": None},
            budget=Budget(month="2026-03", limit=100),
        )
        assert left(folder, lambda status=status: status_panel(status)) == []  # type: ignore[misc]
    for percentage in (80, 100):
        alert = BudgetAlert(budget=Budget(month="2026-03", limit=100), percentage=percentage)
        with use_locale("de", folder):
            assert english(budget_alert(alert)) == []
            assert english(guild_budget_alert(alert)) == []
            assert english(closed_log_channel(7, None)) == []
        for of_guild in (alert, replace(alert, guild_id=7)):
            assert left(folder, lambda each=of_guild: owner_alert(each, None)) == []  # type: ignore[misc]
    for pause in (Pause(scope=scope, name="7", reason="", actor_id=1, at=START) for scope in PauseScope):
        with use_locale("de", folder):
            assert english(paused_note(pause)) == []
            assert english(guild_resumed([pause], ended=True)) == []
        assert left(folder, lambda pause=pause: all_paused_panel(pause)) == []  # type: ignore[misc]
    assert left(folder, ask_pause_panel) == []
    for report in (FINE, BAD_DAY):
        assert left(folder, lambda report=report: daily_report(report)) == []  # type: ignore[misc]
    assert left(folder, lambda: help_panel(BOTH)) == []
    for admission in Admission:
        assert left(folder, lambda admission=admission: admitted_panel(admission, 700)) == []  # type: ignore[misc]


ALLOWANCES = [
    Allowance(amount=amount, period=period, source=source, role_id=501)
    for amount in (0, 200, None)
    for period in PeriodKind
    for source in AllowanceSource
]
HELD = [make_job(state=State.QUEUED), make_job(place=make_context(private=True), request=make_request(images=2))]


@pytest.mark.parametrize("own", [True, False])
def test_balance_is_translated(folder: Path, *, own: bool) -> None:
    for allowance in ALLOWANCES:
        balance = Balance(
            member_id=42,
            allowance=allowance,
            left=1,
            used=199,
            granted=7,
            held=24,
            renews_at=START,
            running=tuple(HELD * 3),
            roles_known=own,
        )
        assert left(folder, lambda shown=balance: balance_panel(shown, own=own)) == []  # type: ignore[misc]
        page = LedgerPage(
            member_id=42,
            shown=LedgerFilter.ALL,
            lines=(),
            deleted=DeletedAccount(allowance=allowance, used=29),
        )
        assert left(folder, lambda shown=page: ledger_page(shown, own=own)) == []  # type: ignore[misc]


def test_changes_of_credits_are_translated(folder: Path) -> None:
    for available in (None, 50):
        change = CreditChange(member_id=42, asked=30, amount=20, granted=20, available=available)
        for panel in (granted_panel, taken_panel, reset_panel):
            assert left(folder, lambda panel=panel, change=change: panel(change, "1")) == []  # type: ignore[misc]


def test_history_of_credits_is_translated(folder: Path) -> None:
    kinds = [kind for kind in MovementKind if not kind.startswith(("unknown", "risk"))]
    entries = [
        LedgerEntry(
            id=str(number),
            kind=kind,
            at=START,
            job_id=None,
            actor_id=actor,
            reason=reason,
            postings=(
                Posting(account=LedgerAccount.HELD, amount=-24),
                Posting(account=LedgerAccount.EARNED, amount=12),
            ),
        )
        for number, (kind, actor) in enumerate(itertools.product(kinds, (-1, 0, 1)))
        for reason in ("", CHANGED_REASON)
    ]
    for job_shown in (None, *HELD):
        lines = tuple(
            LedgerLine(entry=entry, job=job_shown) for entry in entries if not entry.reason or job_shown is None
        )
        page = LedgerPage(member_id=42, shown=LedgerFilter.SPENT, lines=lines, newer=True)
        with use_locale("de", folder):
            said = texts(ledger_page(page, own=False))
        assert english(" ".join(said).replace(CHANGED_REASON, "")) == []
    assert left(folder, lambda: ledger_page(replace(page, lines=(), newer=False), own=True)) == []


ENTRIES = [
    AllowanceEntry(amount=amount, period=period, **holder)
    for amount in (0, 200, None)
    for period in PeriodKind
    for holder in ({}, {"role_id": 501}, {"role_id": 502}, {"member_id": 42}, {"member_id": -42})
]


def test_allowances_are_translated(folder: Path) -> None:
    for entries in (tuple(ENTRIES), ()):
        found = AllowanceList(entries=entries, default=200)
        for number in (0, 1):
            assert left(folder, lambda: allowance_list(found, {501: "1"}, {501: 1}, number)) == []  # noqa: B023
    for entry in ENTRIES:
        for removes, before, heads in ((False, None, 1), (False, entry, 2), (False, entry, None), (True, entry, None)):
            change = AllowanceChange(entry=entry, removes=removes)
            preview = AllowancePreview(change=change, before=before, default=200, guild_budget=1_000)
            assert left(folder, lambda: preview_panel(preview, heads)) == []  # noqa: B023
            assert left(folder, lambda: saved_panel(preview, is_gone=True)) == []  # noqa: B023
    assert left(folder, cancelled_panel) == []


def test_explained_allowance_is_translated(folder: Path) -> None:
    for allowance in ALLOWANCES:
        for unknown in ((), tuple(ENTRIES)):
            found = Explanation(
                member_id=42,
                allowance=allowance,
                candidates=tuple(ENTRIES),
                used=29,
                granted=7,
                unknown=tuple(each for each in unknown if each.role_id),
            )
            assert left(folder, lambda: explanation_panel(found, {501})) == []  # noqa: B023


def test_sharing_is_translated(folder: Path) -> None:
    for state in SubmissionState:
        shown = submission(PROMPT, state=state)
        assert left(folder, lambda: submission_list([shown], is_first=False, has_older=True)) == []  # noqa: B023
        assert left(folder, lambda: sent_panel(shown, is_told=False)) == []  # noqa: B023
        assert left(folder, lambda: withdrawn_panel(shown)) == []  # noqa: B023
        assert left(folder, lambda: withdraw_question(shown)) == []  # noqa: B023
        if state in (SubmissionState.APPROVED, SubmissionState.REFUSED, SubmissionState.CHANGES_ASKED):
            assert left(folder, lambda: decision_notice(shown, None) or pytest.fail("no notice")) == []  # noqa: B023
    assert left(folder, lambda: submission_list([], is_first=True, has_older=False)) == []
    with use_locale("de", folder):
        for settings in (
            SharingSettings(),
            SharingSettings(allows_anonymous=True, report_threshold=0, reminder_hours=0),
        ):
            assert english(review_words(settings)) == []
            assert english(showcase_words(settings)) == []


def test_audit_log_is_translated(folder: Path) -> None:
    """Names and values, as the services write them."""
    changed = [(None, value) for value in ("200 a week", "unlimited")]
    details: list[tuple[str, dict[str, Any]]] = [
        *((f"allowance.{verb}", logged_change(source, None, entry)) for verb, source, entry in AUDITED),
        *(("allowance.set", {"allowance": {"before": before, "after": after}}) for before, after in changed),
        ("settings.change", {name: {"before": None, "after": None} for name in (*GUILD_SETTINGS, *SHARING_SETTINGS)}),
        *(("settings.change", {"review": {"before": None, "after": each.value}}) for each in ReviewMode),
        *(("settings.change", {"votes": {"before": None, "after": each.value}}) for each in VoteKind),
        ("settings.change", {"private_results": {"before": False, "after": True}}),
        *(("budget.limit", {"before": before, "after": 500}) for before in (None, 7)),
        *(("ban.add", {"scope": scope, "until": START.isoformat()}) for scope in BanScope),
        ("ban.end", {"scopes": list(BanScope)}),
        *(("access.allow", {"kind": kind, "name": "1"}) for kind in RuleKind),
        ("credits.take", {"asked": 5, "amount": 3, "granted": 0}),
        ("credits.reset", {"amount": 3, "period": "2026-03-14"}),
        *((action, {}) for action in ("pause.begin", "pause.end", "admission.begin", "admission.end")),
    ]
    for action, detail in details:
        for target in (None, -1, 42):
            entry = AuditEntry(id="1", guild_id=7, actor_id=0, action=action, at=START, target_id=target, detail=detail)
            assert left(folder, lambda: log_panel([entry], more=True)) == []  # noqa: B023
    for kind in range(len(LOG_KINDS)):
        assert left(folder, lambda: log_panel([], kind=kind)) == []  # noqa: B023


AUDITED = [
    (verb, entry.source, None if verb == "remove" else entry) for verb in ("set", "remove") for entry in ENTRIES[:5]
]


def test_completions_are_translated(folder: Path) -> None:
    with use_locale("de", folder):
        offered = [
            *model_choices(quotes({}, BOTH), ""),
            *model_choices(quotes({"detail": 3}, BOTH), ""),
            *model_choices(quotes({"remove_background": True, "format": "jpeg"}, BOTH), ""),
            *(choice for spec in OPTIONS.values() for choice in suggested_choices(spec, "")),
        ]
    assert [word for choice in offered for word in english(choice.name) if word not in ("x", "K")] == []


@pytest.mark.parametrize("button", BUTTONS, ids=lambda button: button.action)
def test_button_is_translated(folder: Path, button: ButtonSpec) -> None:
    with use_locale("de", folder):
        made = button.build("f" * 32)

    assert english((made.label or "").format(number=3)) == []


def test_card_menu_is_translated(folder: Path) -> None:
    with use_locale("de", folder):
        sent = card_menu("f" * 32, list(MenuEntry)).to_component_dict()

    texts = [text for option in sent["options"] for text in (option["label"], option.get("description", ""))]
    assert [word for text in [sent["placeholder"], *texts] for word in english(text)] == []


def registered() -> Iterator[app_commands.Command[Any, ..., Any] | app_commands.Group | app_commands.ContextMenu]:
    """Yield the commands of every cog without building the cogs."""
    for file in sorted(Path(cogs.__file__).parent.glob("[a-z]*.py")):
        for each in vars(importlib.import_module(f"cogs.{file.stem}")).values():
            if isinstance(each, type) and issubclass(each, commands.Cog) and each.__module__ == f"cogs.{file.stem}":
                cog = each.__new__(each)
                yield from [cog.app_command] if cog.app_command else cog.get_app_commands()


def described(payload: dict[str, Any]) -> Iterator[tuple[str, str, str | None]]:
    """Yield path, text and translation of every visible text of a command."""
    for part in [payload, *payload.get("choices", [])]:
        kind = "description" if part is payload else "name"
        yield part["name"], part[kind], (part.get(f"{kind}_localizations") or {}).get("de")
    for option in payload.get("options", []):
        yield from described(option)


async def test_command_descriptions_are_translated(folder: Path) -> None:
    """Descriptions and choice names; command and option names stay."""
    tree = AtelierClient(shard_count=1).tree
    payloads = [await each.get_translated_payload(tree, CommandTranslator(folder)) for each in registered()]
    found = [entry for payload in payloads for entry in described(payload)]
    assert len(found) > 20
    for name, text, said in found:
        assert said is not None or english(text) in ([], ["x"], ["K"]), f"{name}: {text}"
        assert english(said or "") == [], name
        assert len(said or "") <= 100
    assert re.search(r'"name_localizations": \{[^}]', json.dumps([strip(payload) for payload in payloads])) is None


def strip(payload: dict[str, Any]) -> dict[str, Any]:
    """Return a command without its choices."""
    options = [strip(option) for option in payload.get("options", [])]
    return {name: value for name, value in payload.items() if name != "choices"} | {"options": options}


async def test_english_commands_have_no_translations() -> None:
    tree = AtelierClient(shard_count=1).tree
    payloads = [await each.get_translated_payload(tree, CommandTranslator()) for each in registered()]
    assert "en-US" not in json.dumps(payloads)


@pytest.mark.parametrize("is_translated", [False, True])
async def test_commands_are_sent_with_translations_of_the_catalogues(
    folder: Path, monkeypatch: pytest.MonkeyPatch, *, is_translated: bool
) -> None:
    """Without a catalogue the translator is not even asked."""
    asked: list[str] = []
    translate = CommandTranslator.translate

    async def note(self: CommandTranslator, string: Any, locale: Any, context: Any) -> str | None:
        asked.append(string.message)
        return await translate(self, string, locale, context)

    monkeypatch.setattr(CommandTranslator, "translate", note)
    client = AtelierClient(shard_count=1, translator=CommandTranslator(folder if is_translated else None))
    for each in registered():
        client.tree.add_command(each)
    payload = json.dumps(await client.command_payload())
    assert ('"de": ' in payload) is is_translated
    assert bool(asked) is is_translated
