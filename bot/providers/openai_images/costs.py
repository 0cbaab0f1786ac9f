"""Costs of a call, by the answer's tokens, ticks or headers."""

from decimal import Decimal, InvalidOperation
from typing import Any, Final

import httpx

from bot.domain.costs import Cost, CostSource, usd
from bot.domain.models import Offer, TokenPrices

_MILLION: Final = 1_000_000
_TICKS: Final = Decimal("1e-10")  # US dollars
_MOST_TOKENS: Final = 10**9
_MOST_TICKS: Final = 10**15
_MOST_USD: Final = 100_000
_HEADER: Final = "x-litellm-response-cost"


def by_tokens(usage: object, headers: httpx.Headers, offer: Offer) -> Cost | None:
    """Return the cost of the counted tokens at the offer's prices.

    None if there are no counts or no prices.
    """
    del headers
    if offer.token_prices is None or not isinstance(usage, dict):
        return None
    tokens = _tokens(usage)
    return None if tokens is None else usd(_total(tokens, offer.token_prices), CostSource.COMPUTED)


def by_ticks(usage: object, headers: httpx.Headers, offer: Offer) -> Cost | None:
    """Return the reported cost of xAI, in ticks of 1e-10 US dollars."""
    del headers, offer
    ticks = usage.get("cost_in_usd_ticks") if isinstance(usage, dict) else None
    count = _count(ticks, _MOST_TICKS)
    return None if count is None else usd(count * _TICKS, CostSource.REPORTED)


def by_header(usage: object, headers: httpx.Headers, offer: Offer) -> Cost | None:
    """Return the reported cost of LiteLLM, else the cost of the tokens."""
    try:
        amount = Decimal(headers.get(_HEADER, ""))
    except InvalidOperation:
        return by_tokens(usage, headers, offer)
    if not amount.is_finite() or not 0 <= amount <= _MOST_USD:
        return by_tokens(usage, headers, offer)
    return usd(amount, CostSource.REPORTED)


def of_local_service(usage: object, headers: httpx.Headers, offer: Offer) -> Cost | None:
    """Return no cost, or None if the operator set a list price."""
    del usage, headers
    return None if offer.list_prices else usd(Decimal(0), CostSource.COMPUTED)


def _tokens(usage: dict[str, Any]) -> tuple[int, int, int] | None:
    """Return the tokens of input text, input images and output."""
    details = usage.get("input_tokens_details")
    details = details if isinstance(details, dict) else {}
    output = _count(usage.get("output_tokens"), _MOST_TOKENS)
    whole = _count(usage.get("input_tokens"), _MOST_TOKENS) or 0
    text = _count(details.get("text_tokens"), _MOST_TOKENS) or 0
    image = _count(details.get("image_tokens"), _MOST_TOKENS)
    if output is None:
        return None
    # Without details all input counts as the dearer kind.
    return text, max(0, whole - text) if image is None else image, output


def _total(tokens: tuple[int, int, int], prices: TokenPrices) -> Decimal:
    text, image, output = tokens
    return (text * prices.text_in + image * prices.image_in + output * prices.image_out) / _MILLION


def _count(value: object, most: int) -> int | None:
    is_count = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= most
    return value if is_count and isinstance(value, int) else None
