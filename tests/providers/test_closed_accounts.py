"""Accounts that a provider closed: the key is to blame, not a prompt."""

import json

import httpx
import pytest

from bot.domain.errors import FaultKind, ProviderError
from bot.providers.registry import PROVIDERS
from tests.providers.provider_harness import KEY, RawServer, json_reply

WORDS = "Your account has been suspended for a violation of our content policy (safety)."
ANSWERS = {
    "openai": {"error": {"message": WORDS, "type": "invalid_request_error", "code": "account_deactivated"}},
    "azure": {"error": {"message": WORDS, "code": "organization_deactivated"}},
    "gemini": {"error": {"code": 403, "message": WORDS, "status": "PERMISSION_DENIED"}},
    "bfl": {"detail": WORDS},
}


@pytest.mark.parametrize("provider", ANSWERS)
async def test_closed_account_is_no_refusal_of_content(client: httpx.AsyncClient, provider: str) -> None:
    async with RawServer(json_reply(json.dumps(ANSWERS[provider]), "403 Forbidden")) as server:
        http = PROVIDERS[provider].open_http(client, server.url, KEY)
        with pytest.raises(ProviderError) as caught:
            await http.submit("/v1/run", {}, hide=("a lighthouse",))

    assert (caught.value.kind, caught.value.maybe_accepted) == (FaultKind.KEY_REJECTED, False)
