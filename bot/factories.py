"""Parts built from the settings alone."""

import hashlib
import hmac
import os
import ssl
from collections.abc import Callable, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Final

import httpx

from bot.catalogue_file import load_catalogue
from bot.domain.attachments import MAX_BYTES, InputPolicy
from bot.domain.catalogue import Catalogue
from bot.engine.callback_urls import hash_token, input_url_for, new_token, webhook_url_for
from bot.engine.claimer import CallbackUrl
from bot.engine.clock import Clock, SystemClock
from bot.engine.config import EngineConfig
from bot.engine.shifted_clock import OFFSET_FILE_VARIABLE, ShiftedClock
from bot.images.address_policy import TrustedNetworks
from bot.images.disk_space import MEGABYTE, DiskSpace
from bot.images.download import ImageDownloader
from bot.images.image_service import ImageService
from bot.images.local_copies import LocalCopies
from bot.images.object_client import connect
from bot.images.object_store import ObjectImageStore
from bot.images.picture_store import PictureStore
from bot.images.store import ImageStore
from bot.images.thread_pool import ImageThreadPool
from bot.providers.base import Provider
from bot.providers.http import RecordExchange, utc_now
from bot.secret_key import SecretKey, load_secret_key
from bot.settings import DISCORD_API_URL, Settings
from bot.web.server import HealthAddress

_CONNECTIONS_FOR_CANCELS: Final = 16
# They mostly wait for answers.
_THREADS_FOR_OBJECTS: Final = 16


def build_catalogue(settings: Settings, providers: Sequence[str], today: date) -> Catalogue:
    """Return the models and offers of these providers on a day."""
    return load_catalogue(
        settings.models_file,
        providers=providers,
        today=today,
        defaults=settings.default_model,
        found=settings.found_models,
        openrouter=settings.openrouter_list,
    )


def build_clock(settings: Settings) -> Clock:
    """Return the machine's clock; in the sandbox one that can be moved."""
    file = os.environ.get(OFFSET_FILE_VARIABLE)
    if file is None or settings.discord_api_url == DISCORD_API_URL:
        return SystemClock()
    return ShiftedClock(Path(file))


def build_providers(
    settings: Settings,
    client: httpx.AsyncClient,
    record: RecordExchange | None = None,
    *,
    now: Callable[[], datetime] = utc_now,
) -> dict[str, Provider]:
    """Return the providers with a key, in the operator's order.

    `record` is called with each of their exchanges.
    """
    providers: dict[str, Provider] = {}
    for name in settings.providers:
        key = settings.key_of(name)
        secret = None if key is None else key.get_secret_value()
        providers[name] = build_provider(settings, client, name, secret, record, now=now)
    return providers


def build_provider(
    settings: Settings,
    client: httpx.AsyncClient,
    name: str,
    key: str | None,
    record: RecordExchange | None = None,
    *,
    now: Callable[[], datetime] = utc_now,
) -> Provider:
    """Return a provider with a key; see `build_providers`."""
    spec = settings.specs[name]
    http = spec.open_http(client, settings.api_url_of(name), key, clock=now, record=record)
    return spec.build(http, **settings.extras_of(name))


def build_result_downloader(settings: Settings, verify: ssl.SSLContext | None = None) -> ImageDownloader:
    """Return the downloader of result images."""
    # The configured API hosts may serve images even from this machine; all others must be public.
    exempt = [url for name in settings.specs if (url := settings.api_url_of(name))]
    trusted = TrustedNetworks(settings.trusted_download_networks)
    return ImageDownloader(exempt=exempt, verify=verify, proxies=settings.proxies, trusted=trusted)


def build_image_service(settings: Settings, verify: ssl.SSLContext | None = None) -> ImageService:
    """Return the image service.

    Results and members' images are downloaded by separate rules. `verify` has the certificates that both trust.
    """
    verify = verify or httpx.create_ssl_context(trust_env=False)
    trusted = TrustedNetworks(settings.trusted_download_networks)
    return ImageService(
        downloader=build_result_downloader(settings, verify),
        # Discord alone serves members' images and never redirects. The engine itself tries again.
        inputs=ImageDownloader(
            exempt=[settings.discord_api_url],
            max_bytes=MAX_BYTES,
            total_seconds=30,
            pauses=(0.5,),
            redirects=0,
            verify=verify,
            proxies=settings.proxies,
            trusted=trusted,
        ),
        store=build_picture_store(settings),
        space=build_disk_space(settings),
        workers=ImageThreadPool() if settings.object_store is None else ImageThreadPool(_THREADS_FOR_OBJECTS),
        marks=settings.mark_pictures,
    )


def build_picture_store(settings: Settings) -> PictureStore:
    """Return the folder or the object store of pictures; nothing is sent yet."""
    address = settings.object_store
    if address is None:
        return ImageStore(settings.picture_folder)
    objects = connect(address, settings.object_store_options, settings.proxies)
    return ObjectImageStore(objects, LocalCopies(settings.picture_folder))


def build_disk_space(settings: Settings) -> DiskSpace:
    """Return the accounting of the disks of images and database."""
    return DiskSpace(
        settings.storage_folders,
        min_free=settings.min_free_disk_mb * MEGABYTE,
        total=settings.max_stored_mb * MEGABYTE,
    )


def build_engine_config(settings: Settings) -> EngineConfig:
    """Return the limits and deadlines of the engine."""
    return EngineConfig(
        active_per_member=settings.max_active_jobs_per_member,
        active_per_guild=settings.max_active_jobs_per_community,
        active_per_provider=settings.max_active_jobs,
        poll_floor=settings.poll_interval_seconds,
        # 10 seconds for the usual floor of 3; never below the floor.
        poll_ceiling=max(settings.poll_interval_seconds, min(10.0, settings.poll_interval_seconds * 10 / 3)),
        soft_deadline=settings.job_soft_deadline_seconds,
        hard_deadline=settings.job_hard_deadline_seconds,
        member_megabytes=settings.max_stored_mb_per_member,
    )


def build_callback_url(settings: Settings, provider: Provider) -> CallbackUrl | None:
    """Return a new webhook URL for one submit.

    None if the provider takes none or no public URL is set.
    """
    public_url = settings.webhook_public_url
    if public_url is None or not provider.takes_webhooks:
        return None
    token = new_token()
    return CallbackUrl(url=webhook_url_for(public_url, provider.name, token), hash=hash_token(token))


def build_input_url(settings: Settings) -> CallbackUrl | None:
    """Return a new URL of an input image; None without a public URL."""
    public_url = settings.webhook_public_url
    if public_url is None:
        return None
    token = new_token()
    return CallbackUrl(url=input_url_for(public_url, token), hash=hash_token(token))


def build_member_tag(settings: Settings) -> Callable[[int], str]:
    """Return the function of member ids to their tags for providers.

    Nobody without the bot's token can find the member of a tag.
    """
    token = "" if settings.discord_token is None else settings.discord_token.get_secret_value()
    key = hashlib.sha256(b"member-tag:" + token.encode()).digest()
    return lambda member_id: hmac.new(key, str(member_id).encode(), hashlib.sha256).hexdigest()[:32]


def build_secret_key(settings: Settings) -> SecretKey:
    """Return the key of SECRET_KEY, or the one in the data folder.

    Raises:
        SecretKeyError: the file in the data folder cannot be used.
    """
    configured = settings.secret_key
    return load_secret_key(None if configured is None else configured.get_secret_value(), settings.data_dir)


def build_health_address(settings: Settings) -> HealthAddress | None:
    """Return the separate address of the health checks, if any."""
    port = settings.health_port
    return None if port is None else HealthAddress(host=settings.health_host, port=port)


def provider_connections(settings: Settings) -> int:
    """Return the HTTP connections for all slots, with room for cancels."""
    return len(settings.providers) * settings.max_active_jobs + _CONNECTIONS_FOR_CANCELS


def build_input_policy(settings: Settings) -> InputPolicy:
    """Return the rules for input images."""
    return InputPolicy(
        extra_origin=None if settings.discord_api_url == DISCORD_API_URL else settings.discord_api_url,
        served=settings.webhook_public_url is not None,
    )


def admitted_guilds(settings: Settings) -> frozenset[int] | str | None:
    """Return the operator's list of servers.

    `*` for all, None if the owner admits each.
    """
    return frozenset(settings.communities) if isinstance(settings.communities, tuple) else settings.communities
