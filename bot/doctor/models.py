"""Checks of the models of the configured providers."""

from datetime import UTC, datetime

from bot.catalogue_file import load_catalogue
from bot.catalogue_file.openrouter import ALL
from bot.doctor.finding import Finding
from bot.domain.catalogue import Catalogue
from bot.providers.openrouter import OpenRouter
from bot.settings import Settings


async def check_models(settings: Settings) -> list[Finding]:
    """Check for retired and retiring models, and for an absent default."""
    today = datetime.now(UTC).date()
    catalogue = load_catalogue(
        settings.models_file,
        providers=settings.providers,
        today=today,
        defaults=settings.default_model,
        found=settings.found_models,
        openrouter=settings.openrouter_list,
    )
    if not catalogue.models:
        if not settings.providers:
            return []  # the check of the keys says so
        remedy = "Switch a model on in MODELS_FILE, or set another provider's key."
        return [Finding(good=False, what="no provider with a key has a model that is on", remedy=remedy)]
    offered = [model.id for model in catalogue.models]
    findings = [Finding(good=True, what=f"models: {', '.join(offered)}; the default is {catalogue.default_model}")]
    for name in settings.default_model:
        if name in offered:
            continue
        remedy = "It is switched off or retired, or no provider with a key has it. The next one takes its place."
        what = f"DEFAULT_MODEL: {name} is not offered"
        findings.append(Finding(good=True, is_warning=True, what=what, remedy=remedy))
    findings += _missing_from_openrouter(settings, catalogue)
    for model in catalogue.known:
        if model.id in offered and model.retires_soon(today):
            what = f"{model.id} retires on {model.retires}"
            remedy = "It is off from that day on. `force = true` in MODELS_FILE keeps it on."
            findings.append(Finding(good=True, is_warning=True, what=what, remedy=remedy))
        elif model.enabled and not model.is_on(today):
            what = f"{model.id} is off: it retired on {model.retires}"
            remedy = "`enabled = false` in MODELS_FILE ends this warning; `force = true` switches the model on."
            findings.append(Finding(good=True, is_warning=True, what=what, remedy=remedy))
        elif model.id in offered and model.retired_upstream is not None and model.retired_upstream <= today:
            what = f"{model.id} is on, although its maker ended its own service on {model.retired_upstream}"
            findings.append(Finding(good=True, what=f"{what}: {model.note}" if model.note else what))
    return findings


def _missing_from_openrouter(settings: Settings, catalogue: Catalogue) -> list[Finding]:
    """Return a warning for each model of OPENROUTER_MODELS without an offer."""
    wanted = settings.openrouter_list
    if wanted is None or ALL in wanted.wanted:
        return []
    offered = {offer.remote_model for offer in catalogue.offers if offer.provider == OpenRouter.name}
    remedy = (
        "Start the bot once: it reads the list. If it has, the list lacks the model or its price for a picture, or"
        " another model has its name."
    )
    return [
        Finding(good=True, is_warning=True, what=f"OPENROUTER_MODELS: {name} is not offered", remedy=remedy)
        for name in wanted.wanted
        if name not in offered
    ]
