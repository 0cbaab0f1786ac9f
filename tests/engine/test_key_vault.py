"""Encryption of servers' keys."""

from dataclasses import replace

import pytest

from bot.domain.guild_keys import GuildKey
from bot.engine.key_vault import KeyVault
from tests.support.clock import START
from tests.support.factories import GUILD, MEMBER, make_id

PLAIN = "sk-proj-0123456789"
VAULT = KeyVault(b"k" * 32)


def sealed(vault: KeyVault = VAULT) -> GuildKey:
    """Return a stored key of a server for OpenAI."""
    ciphertext = vault.seal(PLAIN, guild_id=GUILD, provider="openai")
    return GuildKey(id=make_id(), guild_id=GUILD, provider="openai", ciphertext=ciphertext, set_by=MEMBER, set_at=START)


def test_sealed_key_is_opened_and_never_shown() -> None:
    key = sealed()
    assert VAULT.open(key) == PLAIN
    assert PLAIN not in repr(key)
    assert key.ciphertext not in repr(key)
    assert PLAIN not in key.ciphertext


def test_same_key_is_never_sealed_alike() -> None:
    assert sealed().ciphertext != sealed().ciphertext


@pytest.mark.parametrize(
    "moved",
    [
        replace(sealed(), guild_id=GUILD + 1),
        replace(sealed(), provider="fal"),
        replace(sealed(), ciphertext=""),
        replace(sealed(), ciphertext="v1:"),
        replace(sealed(), ciphertext="v1:not base64"),
        replace(sealed(), ciphertext=sealed().ciphertext.replace("v1:", "v2:")),
        replace(sealed(), ciphertext=sealed().ciphertext[:-8]),
        sealed(KeyVault(b"x" * 32)),
    ],
)
def test_copied_damaged_or_foreign_key_is_not_opened(moved: GuildKey) -> None:
    assert VAULT.open(moved) is None
