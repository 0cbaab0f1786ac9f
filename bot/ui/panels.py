"""The answers of `/credits`, `/status` and `/help`: small cards for one person."""

from collections.abc import Sequence
from typing import Final

from discord import ui

from bot.domain.catalogue import DEFAULT_MODEL, Model
from bot.domain.errors import FaultKind
from bot.services.credits import Balance
from bot.services.status import Status
from bot.ui.cards import AMBER, BLURPLE, GREEN, PROVIDER_NAMES
from bot.ui.text import ago, counted, in_credits, usually

_CLOSED: Final = frozenset({FaultKind.KEY_REJECTED, FaultKind.ACCOUNT_EMPTY})


def balance_panel(balance: Balance) -> ui.LayoutView:
    """Return what a member can spend now, first, and where it comes from."""
    lines = [f"## {in_credits(balance.available)} to spend"]
    lines.append(f"-# {balance.allowance:,} left of today's allowance · the next one {ago(balance.renews_at)}")
    if balance.granted:
        lines.append(f"-# {balance.granted:,} granted, which do not expire")
    if balance.held:
        lines.append(f"-# {balance.held:,} held for pictures under way")
    return _panel("\n".join(lines), GREEN if balance.available else AMBER)


def status_panel(status: Status) -> ui.LayoutView:
    """Return how the studio is doing: providers, the line, how long a picture usually takes."""
    open_ = any(health.fault not in _CLOSED for health in status.providers)
    lines = ["## The studio is open" if open_ else "## The studio is closed"]
    lines.append(f"{counted(status.waiting, 'job')} in line · {status.working:,} being drawn")
    for health in status.providers:
        name = PROVIDER_NAMES.get(health.provider, health.provider)
        if health.fault is None:
            lines.append(f"-# {name}: working")
        else:
            what = "closed" if health.fault in _CLOSED else "in trouble"
            lines.append(f"-# {name}: {what}" + (f" since {ago(health.since)}" if health.since else ""))
    for model, measured in status.usual_seconds.items():
        lines.append(f"-# {model}: {usually(measured) or 'not measured yet'}")
    fine = open_ and all(health.fault is None for health in status.providers)
    return _panel("\n".join(lines), GREEN if fine else AMBER)


def help_panel(models: Sequence[Model]) -> ui.LayoutView:
    """Return how to begin, and every model with its strength and price, from the catalogue."""
    lines = [
        "## Make pictures from words",
        "Write `/imagine` with a prompt. The answer becomes your pictures; you pay only for those that arrive.",
        "`/credits balance` shows what you can spend, `/status` how busy the studio is.",
        "### Models",
    ]
    for model in models:
        usual = " · the one you get unless you choose" if model.id == DEFAULT_MODEL else ""
        lines.append(f"**{model.id}** · {in_credits(model.text_price)} a picture{usual}\n-# {_abilities(model)}")
    return _panel("\n".join(lines), BLURPLE)


def admitted_panel() -> ui.LayoutView:
    """Return the answer to `/studio admit`."""
    return _panel("This server is admitted to the studio. Its members can use `/imagine` now.", GREEN)


def _abilities(model: Model) -> str:
    can = model.abilities
    parts = [model.strength, f"1-{can.max_images} pictures"]
    if can.max_detail > 1:
        parts.append(f"detail 1-{can.max_detail}, which multiplies the price")
    if can.resolutions:
        dearer = f" ({model.price_factor_4k}x at 4K)" if model.price_factor_4k > 1 else ""
        parts.append(", ".join(can.resolutions) + dearer)
    extras = _extras(model)
    return " · ".join(parts) + (f"\n-# adds to each picture: {' · '.join(extras)}" if extras else "")


def _extras(model: Model) -> list[str]:
    """Return what can be done to a finished picture, with what it adds to the price."""
    can, prices = model.abilities, model.extra_prices
    extras = []
    if can.upscales:
        extras.append("upscale " + ", ".join(f"{factor}x {prices.upscale[factor]:,}" for factor in can.upscales))
    if can.remove_background:
        extras.append(f"remove background {prices.remove_background:,}")
    if can.effects:
        extras.append(f"effect {prices.effect:,}")
    if can.fit:
        extras.append(f"fit {prices.fit or 'nothing'}")
    return extras


def _panel(text: str, colour: object) -> ui.LayoutView:
    view = ui.LayoutView(timeout=None)
    view.add_item(ui.Container(ui.TextDisplay(text), accent_colour=colour))  # type: ignore[arg-type]
    view.stop()
    return view
