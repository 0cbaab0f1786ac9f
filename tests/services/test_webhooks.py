"""Webhooks: the engine gets a token hash and a handle, nothing else."""

from collections.abc import Mapping
from typing import cast

import pytest

from bot.engine.callback_urls import hash_token, new_token, webhook_url_for
from bot.providers.base import Provider, ProviderDefaults
from bot.providers.skillboss import SkillBoss
from bot.services.webhooks import WebhookService

TOKEN = new_token()
PUBLIC_URL = "https://studio.example"


class Engine:
    """A fake engine with recorded hints and one webhook."""

    def __init__(self) -> None:
        self.hints: list[tuple[str, str, str | None]] = []

    async def handle_webhook(self, webhook_hash: str, provider: str, handle: str | None) -> bool:
        """Record the hint."""
        self.hints.append((webhook_hash, provider, handle))
        return (webhook_hash, provider) == (hash_token(TOKEN), "skillboss")


@pytest.fixture
def engine() -> Engine:
    """Return the fake engine."""
    return Engine()


@pytest.fixture
def service(engine: Engine) -> WebhookService:
    """Return the service with one provider; its HTTP is never used."""
    skillboss = cast("Provider", SkillBoss.__new__(SkillBoss))
    return WebhookService(engine=engine, providers={"skillboss": skillboss}, public_url=PUBLIC_URL)


async def test_receive_passes_hash_provider_and_handle_to_engine(service: WebhookService, engine: Engine) -> None:
    assert await service.receive("skillboss", TOKEN, {}, b'{"request_id": "c546", "status": "OK"}')
    assert engine.hints == [(hash_token(TOKEN), "skillboss", "c546")]


@pytest.mark.parametrize("body", [b"", b"\xff", b"[" * 100_000, b"[]", b'{"request_id": 5.5}', b'"c546"'])
async def test_receive_body_without_handle_is_still_a_hint(
    service: WebhookService, engine: Engine, body: bytes
) -> None:
    assert await service.receive("skillboss", TOKEN, {}, body)
    assert engine.hints == [(hash_token(TOKEN), "skillboss", None)]


@pytest.mark.parametrize("token", ["", "x", "x" * 100_000, "\ud800", "\x00"])
async def test_receive_looks_up_every_token(service: WebhookService, engine: Engine, token: str) -> None:
    assert not await service.receive("skillboss", token, {}, b"")
    assert [len(webhook_hash) for webhook_hash, _, _ in engine.hints] == [64]


async def test_receive_unknown_provider_is_looked_up_as_empty_name(service: WebhookService, engine: Engine) -> None:
    assert not await service.receive("no\x00body", TOKEN, {}, b'{"request_id": "c546"}')
    assert engine.hints == [(hash_token(TOKEN), "", None)]


async def test_receive_propagates_engine_errors() -> None:
    """The caller may then try again."""

    class Away:
        async def handle_webhook(self, *_: object, **__: object) -> bool:
            raise ConnectionRefusedError

    with pytest.raises(ConnectionRefusedError):
        await WebhookService(engine=Away(), providers={}, public_url=PUBLIC_URL).receive("skillboss", TOKEN, {}, b"")


async def test_receive_refuses_webhook_without_the_providers_signature(engine: Engine) -> None:
    class Signing(ProviderDefaults):
        name = "skillboss"

        async def verify_webhook(self, url: str, headers: Mapping[str, str], body: bytes) -> bool:
            return (url, headers["X-Signature"], body) == (webhook_url_for(PUBLIC_URL, self.name, TOKEN), "good", b"{}")

    service = WebhookService(engine=engine, providers={"skillboss": cast("Provider", Signing())}, public_url=PUBLIC_URL)
    assert not await service.receive("skillboss", TOKEN, {"X-Signature": "bad"}, b"{}")
    assert engine.hints == []
    assert await service.receive("skillboss", TOKEN, {"X-Signature": "good"}, b"{}")
    assert engine.hints == [(hash_token(TOKEN), "skillboss", None)]


def test_tokens_are_unique_url_safe_and_not_in_their_hash() -> None:
    tokens = {new_token() for _ in range(100)}
    assert len(tokens) == 100
    assert all(len(token) == 43 and token.replace("-", "").replace("_", "").isalnum() for token in tokens)
    assert hash_token("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_webhook_url_extends_public_url_path() -> None:
    assert webhook_url_for("https://studio.example", "skillboss", "t") == "https://studio.example/webhooks/skillboss/t"
    assert webhook_url_for("https://a.example/bot", "skillboss", "t") == "https://a.example/bot/webhooks/skillboss/t"
