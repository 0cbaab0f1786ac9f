"""What the settings say, as the parts that the product is built from."""

from collections.abc import Callable, Mapping
from datetime import timedelta

import httpx
from aiohttp.web import RouteDef

from bot.domain.attachments import MAX_BYTES, InputPolicy
from bot.engine.callback_urls import hash_of, input_address, new_token, webhook_address
from bot.engine.claimer import CallbackUrl
from bot.engine.config import EngineConfig
from bot.engine.engine import Engine
from bot.images.download import ImageDownloader
from bot.images.image_service import ImageService
from bot.images.store import ImageStore
from bot.images.thread_pool import ImageThreadPool
from bot.providers.base import Provider
from bot.providers.http import ProviderHttp
from bot.providers.reve2img import Reve2Img
from bot.providers.skillboss import SkillBoss
from bot.services.served_files import ServedFileService
from bot.services.webhooks import WebhookService
from bot.settings import DISCORD_API_URL, Settings
from bot.web.served_files import ServedFileEndpoint
from bot.web.webhooks import WebhookEndpoint


def build_providers(settings: Settings, client: httpx.AsyncClient) -> dict[str, Provider]:
    """Return the providers that have a key, in the operator's order."""
    made: dict[str, Callable[[ProviderHttp], Provider]] = {"skillboss": SkillBoss, "reve2img": Reve2Img}
    addresses = {"skillboss": settings.skillboss_api_url, "reve2img": settings.reve2img_api_url}
    providers: dict[str, Provider] = {}
    for name in settings.providers:
        key = settings.key_of(name)
        if key is not None:
            http = ProviderHttp(name=name, base_url=addresses[name], key=key.get_secret_value(), client=client)
            providers[name] = made[name](http)
    return providers


def picture_keeper(settings: Settings) -> ImageService:
    """Return what keeps pictures in the data folder and fetches them, of providers and of members apart."""
    # Pictures may come from where the operator says the APIs are, even on this machine; else from public hosts alone.
    exempt = [settings.skillboss_api_url, settings.reve2img_api_url]
    verify = httpx.create_ssl_context(trust_env=False)
    return ImageService(
        downloader=ImageDownloader(exempt=exempt, verify=verify),
        # What members give comes from Discord alone, which sends nobody elsewhere. The engine tries again by itself.
        inputs=ImageDownloader(
            exempt=[settings.discord_api_url],
            max_bytes=MAX_BYTES,
            total_seconds=30,
            pauses=(0.5,),
            redirects=0,
            verify=verify,
        ),
        store=ImageStore(settings.data_dir / "pictures"),
        workers=ImageThreadPool(),
    )


def limits_of(settings: Settings) -> EngineConfig:
    """Return what the engine keeps to."""
    return EngineConfig(
        active_per_member=settings.max_active_jobs_per_member,
        active_per_guild=settings.max_active_jobs_per_community,
        active_per_provider=settings.max_active_jobs,
        poll_floor=settings.poll_interval_seconds,
        # 10 seconds for the usual floor of 3; never below the floor.
        poll_ceiling=max(settings.poll_interval_seconds, min(10.0, settings.poll_interval_seconds * 10 / 3)),
        soft_deadline=settings.job_soft_deadline_seconds,
        hard_deadline=settings.job_hard_deadline_seconds,
    )


def hooks(settings: Settings, providers: Mapping[str, Provider]) -> Callable[[str], CallbackUrl | None]:
    """Return what makes an address for a provider to call, a new one for each submit."""
    public_url = settings.webhook_public_url

    def hook(provider: str) -> CallbackUrl | None:
        if public_url is None or not providers[provider].takes_webhooks:
            return None
        token = new_token()
        return CallbackUrl(url=webhook_address(public_url, provider, token), hash=hash_of(token))

    return hook


def input_addresses(settings: Settings) -> Callable[[], CallbackUrl | None]:
    """Return what makes an address for a provider to fetch a picture from, a new one for each submit."""
    public_url = settings.webhook_public_url

    def address() -> CallbackUrl | None:
        if public_url is None:
            return None
        token = new_token()
        return CallbackUrl(url=input_address(public_url, token), hash=hash_of(token))

    return address


def input_policy(settings: Settings) -> InputPolicy:
    """Return what can be started from: where providers cannot fetch from us, Discord's addresses outlive the job."""
    lasting = timedelta(seconds=settings.job_hard_deadline_seconds)
    return InputPolicy(
        stand_in=None if settings.discord_api_url == DISCORD_API_URL else settings.discord_api_url,
        lasting=None if settings.webhook_public_url is not None else lasting,
    )


def public_routes(
    settings: Settings, engine: Engine, providers: Mapping[str, Provider], inputs: ServedFileService
) -> tuple[RouteDef, ...]:
    """Return what is served for providers: their calls and what they fetch; nothing where none can come."""
    if settings.webhook_public_url is None:
        return ()
    webhooks = WebhookEndpoint(WebhookService(engine=engine, providers=providers))
    return (*webhooks.routes, *ServedFileEndpoint(inputs).routes)


def admitted_to(settings: Settings) -> frozenset[int] | str | None:
    """Return the servers that the operator lists, `*` for all, None where admission is the owner's word."""
    return frozenset(settings.communities) if isinstance(settings.communities, tuple) else settings.communities
