"""Calls as the engine describes them to a provider."""

from bot.domain.models import Offer
from bot.domain.requests import GenerationRequest
from bot.providers.base import InputFile, Submission

CALL_ID = "5d3c1f0e-6b1a-5c7e-9a53-2f4e8d1b7c60"
SEED = 1_234_567


def submission(
    request: GenerationRequest,
    offer: Offer,
    *,
    webhook_url: str | None = None,
    inputs: tuple[InputFile, ...] = (),
    call_id: str = CALL_ID,
    seed: int = SEED,
) -> Submission:
    """Return the call of a request to an offer."""
    return Submission(
        request=request,
        offer=offer,
        call_id=call_id,
        seed=seed,
        inputs=inputs,
        webhook_url=webhook_url,
        member_tag="member-tag",
    )
