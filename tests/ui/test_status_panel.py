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


def test_status_names_closed_models_and_counts_other_ratios() -> None:
    health = HealthRegistry(("skillboss", "reve2img"))
    health.record_closed_models("reve2img", ("nano-banana", "seedream-5"))
    health.record_other_ratio("skillboss")
    text = shown(health)
    assert "reve2img: working · without nano-banana, seedream-5" in text
    assert "SkillBoss: working · 1 picture in another aspect ratio than asked" in text

    health.record_closed_models("reve2img", ())
    assert "without" not in shown(health)
