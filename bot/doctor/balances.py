"""Check of the balances at the providers."""

from bot.doctor.finding import Finding
from bot.domain.errors import ProviderError
from bot.providers.transport import provider_client
from bot.settings import Settings


async def check_balances(settings: Settings) -> list[Finding]:
    """Read the balances; a low one is a warning.

    The check of the keys reports a provider without an answer.
    """
    findings: list[Finding] = []
    async with provider_client(proxies=settings.proxies) as client:
        for name in settings.providers:
            spec, key = settings.specs[name], settings.key_of(name)
            http = spec.open_http(client, settings.api_url_of(name), None if key is None else key.get_secret_value())
            provider = spec.build(http, **settings.extras_of(name))
            try:
                balance = await provider.balance()
            except ProviderError:
                continue
            finally:
                await provider.close()
            if balance is None:
                continue
            what = f"the account at {name} has {balance.amount:.2f} {balance.currency.upper()} left"
            is_low = balance.is_low(settings.low_balance_usd)
            remedy = "Top it up at the provider. LOW_BALANCE_USD sets the limit of this warning." if is_low else ""
            findings.append(Finding(good=True, is_warning=is_low, what=what, remedy=remedy))
    return findings
