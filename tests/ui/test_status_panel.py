import pytest

from bot.domain.credits import Budget
from bot.domain.pauses import Pause, Pauses, PauseScope
from bot.engine.health import HealthRegistry
from bot.services.status import Status
from bot.ui.render.panels import status_panel
from tests.support.clock import START
from tests.ui.view_reader import texts

SINCE = f"<t:{START.timestamp():.0f}:R>"


def shown(health: HealthRegistry) -> str:
    """Return the text of the panel."""
    budget = Budget(month="2026-03", limit=100)
    status = Status(providers=health.list(), waiting=0, working=0, usual_seconds={}, budget=budget)
    return "\n".join(texts(status_panel(status)))


def test_studio_without_budget_is_closed() -> None:
    """Its providers may well work."""
    providers = HealthRegistry(("skillboss",)).list()
    for spent, heading in ((False, "The studio is open"), (True, "The studio is closed")):
        budget = Budget(month="2026-03", limit=100, captured=95 if spent else 0)
        status = Status(providers=providers, waiting=0, working=0, usual_seconds={}, budget=budget, budget_spent=spent)
        said = "\n".join(texts(status_panel(status)))
        assert heading in said
        assert ("used up" in said) is spent


def test_status_names_closed_models_and_counts_other_ratios() -> None:
    health = HealthRegistry(("skillboss", "reve2img"))
    health.record_closed_models("reve2img", ("nano-banana", "seedream-5"))
    health.record_other_ratio("skillboss")
    text = shown(health)
    assert "reve2img: working · without nano-banana, seedream-5" in text
    assert "SkillBoss: working · 1 picture in another aspect ratio than asked" in text

    health.record_closed_models("reve2img", ())
    assert "without" not in shown(health)


def lines(usual: dict[str, tuple[int, int] | None], *pauses: Pause, providers: tuple[str, ...] = ()) -> list[str]:
    """Return the lines but that of the budget."""
    status = Status(
        providers=HealthRegistry(providers).list(),
        waiting=0,
        working=0,
        usual_seconds=usual,
        budget=Budget(month="2026-03", limit=100),
        guild_id=7,
        pauses=Pauses(pauses),
    )
    return [line for text in texts(status_panel(status)) for line in text.splitlines() if "Budget" not in line]


def pause(scope: PauseScope, name: str = "", reason: str = "") -> Pause:
    """Return a pause since the start."""
    return Pause(scope=scope, name=name, reason=reason, actor_id=0, at=START)


def test_unmeasured_models_are_counted_in_one_line() -> None:
    none = dict.fromkeys(("reve-2.0", "nano-banana", "seedream-5"))
    assert lines(dict(none))[2:] == ["-# Usual times: not measured yet"]
    assert lines(none | {"reve-2.0": (25, 40)})[2:] == [
        "-# reve-2.0: usually 25-40 s",
        "-# 2 other models: not measured yet",
    ]


def test_paused_models_and_providers_say_so_with_the_reason() -> None:
    usual = {"reve-2.0": (25, 40), "nano-banana": None, "seedream-5": None}
    pauses = [pause(PauseScope.MODEL, "nano-banana", "a *bill*"), pause(PauseScope.PROVIDER, "reve2img")]
    assert lines(usual, *pauses, providers=("skillboss", "reve2img")) == [
        "## The studio is open",
        "0 jobs queued · 0 generating",
        "-# SkillBoss: working",
        f"-# reve2img: paused since {SINCE}",
        "-# reve-2.0: usually 25-40 s",
        f"-# nano-banana: paused since {SINCE}: \u2068a \\*bill\\*\u2069",
        "-# 1 other model: not measured yet",
    ]


@pytest.mark.parametrize(
    "pauses",
    [
        [pause(PauseScope.ALL)],
        [pause(PauseScope.STUDIO, "7")],
        [pause(PauseScope.PROVIDER, "skillboss")],
        [pause(PauseScope.MODEL, "reve-2.0")],
    ],
    ids=["all", "server", "every-provider", "every-model"],
)
def test_studio_without_anything_unpaused_is_paused(pauses: list[Pause]) -> None:
    assert lines({"reve-2.0": None}, *pauses, providers=("skillboss",))[0] == "## The studio is paused"


def test_status_has_the_display_name_of_a_service() -> None:
    budget = Budget(month="2026-03", limit=100)
    providers = HealthRegistry(("together",)).list()
    status = Status(providers=providers, waiting=0, working=0, usual_seconds={}, budget=budget)

    names = {"together": "Together AI"}
    assert "-# Together AI: working" in "\n".join(texts(status_panel(status, names.__getitem__)))
