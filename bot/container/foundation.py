"""Parts below the engine: configuration, providers, images, credits."""

import random
import secrets
import ssl
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING

import httpx
import uuid6

from bot.domain.attachments import InputPolicy
from bot.domain.catalogue import Catalogue
from bot.domain.guild_budgets import AlertLevels
from bot.domain.pseudonyms import pseudonym_of
from bot.engine.claimer import CallbackUrl
from bot.engine.clock import Clock
from bot.engine.config import EngineConfig
from bot.engine.lease import Lease
from bot.engine.ledger import Ledger
from bot.engine.member_identity import MemberIdentity
from bot.engine.observer import JobObserver
from bot.factories import (
    build_callback_url,
    build_catalogue,
    build_clock,
    build_engine_config,
    build_image_service,
    build_input_policy,
    build_input_url,
    build_providers,
    build_secret_key,
)
from bot.images.image_service import ImageService
from bot.providers.base import InputForm, Provider
from bot.secret_key import SecretKey
from bot.settings import Settings
from db.database import Database

if TYPE_CHECKING:
    from bot.monitoring import Instruments


def new_id() -> str:
    """Return a new time-ordered id of 32 hexadecimal digits."""
    return uuid6.uuid7().hex


def seeded_random() -> random.Random:
    """Return a generator for jitter with a fresh seed."""
    return random.Random(secrets.randbits(64))  # noqa: S311 - jitter, not a secret


class FoundationContainer:
    """The wired product. Each part is built once, when it is first read.

    The constructor takes the settings and the replaceable parts: database, HTTP client, clock, ids, randomness, trusted
    certificates. A test harness or a benchmark replaces any other part by assigning it before it is first read. The
    caller closes the database and the HTTP client; `close` closes everything built here.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        database: Database,
        http: httpx.AsyncClient,
        clock: Clock | None = None,
        new_id: Callable[[], str] = new_id,
        randomness: random.Random | None = None,
        verify: ssl.SSLContext | None = None,
    ) -> None:
        self.settings = settings
        self.database = database
        self.http = http
        self.clock = clock or build_clock(settings)
        self.new_id = new_id
        self.randomness = randomness or seeded_random()
        self.verify = verify

    async def close(self) -> None:
        """Close the parts built here."""
        for provider in self.__dict__.get("providers", {}).values():  # not built only to be closed
            await provider.close()
        await self.image_service.close()

    @cached_property
    def observer(self) -> JobObserver:
        """Receiver of job changes."""
        raise LookupError("assign an observer, or use the whole Container")

    @cached_property
    def instruments(self) -> "Instruments | None":
        """Counters of events, for the metrics; None unless they are on."""
        if not self.settings.metrics:
            return None
        # Not at the top: the library of Prometheus is not needed without metrics.
        from bot.monitoring import Instruments  # noqa: PLC0415 - see above

        return Instruments()

    @cached_property
    def engine_config(self) -> EngineConfig:
        """Limits and deadlines of the engine."""
        return build_engine_config(self.settings)

    @cached_property
    def providers(self) -> Mapping[str, Provider]:
        """Configured providers by name, in the operator's order."""
        record = None if self.instruments is None else self.instruments.record_exchange
        return build_providers(self.settings, self.http, record, now=self.clock.now)

    @cached_property
    def provider_names(self) -> tuple[str, ...]:
        """Names of the configured providers, in the operator's order."""
        return tuple(self.providers)

    @cached_property
    def catalogue(self) -> Catalogue:
        """Models and offers of the configured providers."""
        return build_catalogue(self.settings, self.provider_names, self.clock.now().date())

    @cached_property
    def input_policy(self) -> InputPolicy:
        """Rules for input images."""
        return build_input_policy(self.settings)

    @cached_property
    def image_service(self) -> ImageService:
        """Download, check and store images."""
        return build_image_service(self.settings, self.verify)

    @cached_property
    def is_alone(self) -> bool:
        """True if no other process can share the database."""
        return self.database.dialect == "sqlite"

    @cached_property
    def lease(self) -> Lease:
        """This worker's lease."""
        return Lease(
            worker_id=self.new_id(), seconds=self.settings.lease_seconds, is_alone=self.is_alone, clock=self.clock
        )

    @cached_property
    def secret_key(self) -> SecretKey:
        """The bot's own key.

        Raises:
            SecretKeyError: its file cannot be used.
        """
        return build_secret_key(self.settings)

    def load_secret_key(self) -> None:
        """Read or create the bot's key, so that a start fails without it.

        Raises:
            SecretKeyError: its file cannot be used.
        """
        _ = self.secret_key

    @cached_property
    def _member_hash_key(self) -> bytes:
        return self.secret_key.for_member_hashes

    def pseudonym_of(self, member_id: int) -> int:
        """Return a member's pseudonym for after a deletion."""
        return pseudonym_of(member_id, self._member_hash_key)

    @cached_property
    def member_identity(self) -> MemberIdentity:
        """Pending deletions, and returning members."""
        return MemberIdentity(pseudonym_of=self.pseudonym_of, now=self.clock.now)

    @cached_property
    def cheapest_picture(self) -> int:
        """The lowest price of a picture, in credits."""
        return self.catalogue.cheapest_picture

    @cached_property
    def ledger(self) -> Ledger:
        """Credits of members and the monthly budget."""
        return Ledger(
            allowance=self.settings.default_allowance,
            budget=self.settings.monthly_budget,
            guild_budget=self.settings.community_budget,
            alerts=AlertLevels(percentages=self.settings.budget_alerts, cheapest=self.cheapest_picture),
            free_repeats=self.settings.free_repeats,
            new_id=self.new_id,
            identity=self.member_identity,
            premium=self.settings.premium_plan,
        )

    @cached_property
    def new_callback_url(self) -> Callable[[str], CallbackUrl | None]:
        """Factory of webhook URLs, one for each submit to the named provider."""
        return lambda provider: build_callback_url(self.settings, self.providers[provider])

    @cached_property
    def new_input_url(self) -> Callable[[], CallbackUrl | None]:
        """Factory of URLs for input images, one for each submit."""
        return lambda: build_input_url(self.settings)

    @cached_property
    def takes_urls(self) -> Callable[[str], bool]:
        """Tells whether a provider downloads its input images."""
        files = frozenset(name for name, each in self.providers.items() if each.input_form is InputForm.FILE)
        return lambda provider: provider not in files
