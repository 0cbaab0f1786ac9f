"""What becomes of a webhook: a hash and the handle that its body names, and nothing else."""

from typing import cast

import pytest

from bot.engine.callback_urls import hash_of, new_token, webhook_address
from bot.providers.base import Provider
from bot.providers.skillboss import SkillBoss
from bot.services.webhooks import WebhookService

TOKEN = new_token()


class Engine:
    """Remembers hints, and knows one webhook."""

    def __init__(self) -> None:
        self.hints: list[tuple[str, str, str | None]] = []

    async def handle_webhook(self, webhook_hash: str, provider: str, handle: str | None) -> bool:
        """Remember it."""
        self.hints.append((webhook_hash, provider, handle))
        return (webhook_hash, provider) == (hash_of(TOKEN), "skillboss")


@pytest.fixture
def engine() -> Engine:
    """Return what takes the hints."""
    return Engine()


@pytest.fixture
def service(engine: Engine) -> WebhookService:
    """Return the service with one provider; its HTTP is never used."""
    skillboss = cast("Provider", SkillBoss.__new__(SkillBoss))
    return WebhookService(engine=engine, providers={"skillboss": skillboss})


async def test_a_webhook_becomes_a_hint(service: WebhookService, engine: Engine) -> None:
    """The token's hash, the provider and the handle in the body go to the engine, whose word is the answer."""
    assert await service.receive("skillboss", TOKEN, {"request_id": "c546", "status": "OK"})
    assert engine.hints == [(hash_of(TOKEN), "skillboss", "c546")]


@pytest.mark.parametrize("body", [None, [], {"request_id": 5.5}, "c546"])
async def test_a_body_that_names_nothing_is_a_hint_too(service: WebhookService, engine: Engine, body: object) -> None:
    """Whoever knows the token may say nothing more."""
    assert await service.receive("skillboss", TOKEN, body)
    assert engine.hints == [(hash_of(TOKEN), "skillboss", None)]


@pytest.mark.parametrize("token", ["", "x", "x" * 100_000, "\ud800", "\x00"])
async def test_every_token_is_looked_up(service: WebhookService, engine: Engine, token: str) -> None:
    """Whatever its form: one hash and one look-up."""
    assert not await service.receive("skillboss", token, None)
    assert [len(webhook_hash) for webhook_hash, _, _ in engine.hints] == [64]


async def test_an_unknown_provider_is_looked_up_under_no_name(service: WebhookService, engine: Engine) -> None:
    """What a stranger wrote in the provider's place does not reach the database."""
    assert not await service.receive("no\x00body", TOKEN, {"request_id": "c546"})
    assert engine.hints == [(hash_of(TOKEN), "", None)]


async def test_a_fault_of_the_engine_is_passed_on() -> None:
    """Whoever called may try again."""

    class Away:
        async def handle_webhook(self, *_: object, **__: object) -> bool:
            raise ConnectionRefusedError

    with pytest.raises(ConnectionRefusedError):
        await WebhookService(engine=Away(), providers={}).receive("skillboss", TOKEN, None)


def test_tokens() -> None:
    """Each is another, has 256 bits, and needs no escaping in an address; the hash does not show it."""
    tokens = {new_token() for _ in range(100)}
    assert len(tokens) == 100
    assert all(len(token) == 43 and token.replace("-", "").replace("_", "").isalnum() for token in tokens)
    assert hash_of("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_the_address() -> None:
    """It stands below the public address, also where that has a path."""
    assert webhook_address("https://studio.example", "skillboss", "t") == "https://studio.example/webhooks/skillboss/t"
    assert webhook_address("https://a.example/bot", "skillboss", "t") == "https://a.example/bot/webhooks/skillboss/t"
