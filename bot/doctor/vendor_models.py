"""Check of the offers against the providers' own lists of models."""

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Final

from bot.catalogue_file import load_catalogue
from bot.doctor.finding import Finding
from bot.domain.errors import FaultKind, ProviderError
from bot.domain.models import WARNING_DAYS, Offer
from bot.providers.model_list import ListedModel
from bot.providers.transport import provider_client
from bot.settings import Settings

# The check of the keys reports these.
_REPORTED: Final = frozenset({FaultKind.KEY_REJECTED, FaultKind.ACCOUNT_EMPTY, FaultKind.UNAVAILABLE})


async def check_vendor_models(settings: Settings) -> list[Finding]:
    """Look for the offers' models in the providers' lists.

    A model that is missing or ends soon is a warning.
    """
    today = datetime.now(UTC).date()
    catalogue = load_catalogue(
        settings.models_file,
        providers=settings.providers,
        today=today,
        found=settings.found_models,
        openrouter=settings.openrouter_list,
    )
    offers = catalogue.offers
    findings: list[Finding] = []
    async with provider_client(proxies=settings.proxies) as client:
        for name in settings.providers:
            spec, key = settings.specs[name], settings.key_of(name)
            own = [offer for offer in offers if offer.provider == name]
            if spec.list_models is None or not own:
                continue
            http = spec.open_http(client, settings.api_url_of(name), None if key is None else key.get_secret_value())
            try:
                listed = await spec.list_models(http)
            except ProviderError as error:
                if error.kind not in _REPORTED:
                    what = f"the models of {name} were not compared: its list cannot be read"
                    findings.append(Finding(good=True, what=what))
            else:
                findings += compare_models(name, own, listed, today)
    return findings


def compare_models(
    provider: str, offers: Iterable[Offer], listed: Iterable[ListedModel], today: date
) -> Iterator[Finding]:
    """Yield the findings about a provider's offers, at least one."""
    by_id = {model.id: model for model in listed}
    is_fine = True
    for offer, remote in [(each, remote) for each in offers for remote in _remote_models(each)]:
        model = by_id.get(remote)
        named = offer.model if offer.model == remote else f"{offer.model} ({remote})"
        if model is None:
            is_fine = False
            what = f"{provider} does not list {named}"
            remedy = "Look for its new name, or for the access of your account; end the offer in MODELS_FILE otherwise."
            yield Finding(good=True, is_warning=True, what=what, remedy=remedy)
        elif model.shuts_down is not None and model.shuts_down - today <= timedelta(days=WARNING_DAYS):
            is_fine = False
            what = f"{provider} shuts {named} down on {model.shuts_down}"
            remedy = "Set its `retires` in MODELS_FILE to that day, and offer its successor."
            yield Finding(good=True, is_warning=True, what=what, remedy=remedy)
    if is_fine:
        yield Finding(good=True, what=f"{provider} lists all its models of the catalogue")


def _remote_models(offer: Offer) -> tuple[str, ...]:
    """Return the provider's names of a model, for text and edits."""
    return tuple(dict.fromkeys(name for name in (offer.remote_model, offer.remote_edit_model) if name))
