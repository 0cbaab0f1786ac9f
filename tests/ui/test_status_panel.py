from bot.domain.credits import Budget
from bot.engine.health import HealthRegistry
from bot.services.status import Status
from bot.ui.render.panels import status_panel
from tests.ui.view_reader import texts


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


def test_unmeasured_models_are_named_once() -> None:
    budget = Budget(month="2026-03", limit=100)
    none = {"reve-2.0": None, "nano-banana": None, "seedream-5": None}

    def lines(usual: dict[str, tuple[int, int] | None]) -> list[str]:
        status = Status(providers=(), waiting=0, working=0, usual_seconds=usual, budget=budget)
        return [line for text in texts(status_panel(status)) for line in text.splitlines() if "Budget" not in line][2:]

    assert lines(dict(none)) == ["-# Usual times: not measured yet"]
    assert lines(none | {"reve-2.0": (25, 40)}) == [
        "-# reve-2.0: usually 25-40 s",
        "-# not measured yet: nano-banana, seedream-5",
    ]


def test_status_has_the_display_name_of_a_service() -> None:
    budget = Budget(month="2026-03", limit=100)
    providers = HealthRegistry(("together",)).list()
    status = Status(providers=providers, waiting=0, working=0, usual_seconds={}, budget=budget)

    names = {"together": "Together AI"}
    assert "-# Together AI: working" in "\n".join(texts(status_panel(status, names.__getitem__)))
