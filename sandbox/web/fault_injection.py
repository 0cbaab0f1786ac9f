"""Fault injection of the page, and the list of active faults."""

from collections.abc import Mapping
from typing import Final

from sandbox.discord import ClientRefusal, DiscordServer
from sandbox.discord import Fault as DiscordFault
from sandbox.discord.encoding import Json
from sandbox.providers import ImageApiServer, Latency
from sandbox.web.fault_catalogue import FaultRow, rows
from sandbox.web.services import SERVICES

_ALWAYS: Final = 1_000_000_000
_MAX_SECONDS: Final = 3600.0
_MAX_TIMES: Final = 1000


class FaultInjector:
    """Switches faults on and off. `providers` are the image APIs by name."""

    def __init__(self, discord: DiscordServer, providers: Mapping[str, ImageApiServer]) -> None:
        self._discord = discord
        self._providers = providers
        self._default_latencies = {name: provider.latency for name, provider in providers.items()}
        self._rows = {row.id: row for row in rows() if row.service == "discord" or row.service in providers}
        self._discord_faults: list[tuple[FaultRow, DiscordFault]] = []

    def table(self) -> list[Json]:
        """Return all available rows."""
        return [
            {"id": row.id, "service": row.service, "group": row.group, "label": row.label, "hint": row.hint}
            for row in self._rows.values()
        ]

    def services(self) -> dict[str, Json]:
        """Return the name and a model of each service with rows."""
        used = dict.fromkeys(row.service for row in self._rows.values())
        return {each: {"name": SERVICES[each].name, "model": SERVICES[each].model} for each in used}

    def state(self) -> Json:
        """Return the active faults and the latency.

        `left` is the number of hits left; None is unlimited.
        """
        active: list[Json] = []
        for name, provider in self._providers.items():
            for position, fault in enumerate(provider.faults.as_json()):
                row = self._best_match(name, fault)
                label = f"{row.group}: {row.label}" if row else f"{fault['endpoint']}: {fault['kind']}"
                active.append({"service": name, "position": position, "label": label, "left": fault["times"]})
        for row, active_fault in self._discord_faults:
            left = active_fault.times - active_fault.hits
            if left > 0:
                always = active_fault.times == _ALWAYS
                label = f"{row.group}: {row.label}"
                active.append(
                    {"service": "discord", "position": row.id, "label": label, "left": None if always else left}
                )
        latency = next((provider.latency for provider in self._providers.values()), Latency())
        return {"active": active, "latency": {"queue": latency.queue, "work": latency.work}}

    def enable(self, row_id: object, times: object) -> None:
        """Switch a row on for `times` requests; None lasts until it is disabled.

        Raises:
            ClientRefusal: There is no such row, or `times` is out of range.
        """
        row = self._rows.get(row_id) if isinstance(row_id, str) else None
        if row is None:
            raise ClientRefusal("There is no such fault.")
        if times is not None and not (type(times) is int and 1 <= times <= _MAX_TIMES):
            raise ClientRefusal(f"Times is a number from 1 to {_MAX_TIMES:,}.")
        if row.service == "discord":
            self._discord_faults.append((row, self._discord.faults.add(times=times or _ALWAYS, **row.how)))
        else:
            self._providers[row.service].faults.add(times=times, **row.how)

    def disable(self, service: object, position: object) -> None:
        """Remove one active fault; a fault without hits left is ignored."""
        if service == "discord":
            for row, fault in self._discord_faults:
                if row.id == position:
                    fault.times = fault.hits
        elif isinstance(service, str) and service in self._providers:
            faults = self._providers[service].faults
            faults.add_json([fault for at, fault in enumerate(faults.as_json()) if at != position])

    def set_latency(self, queue: object, work: object) -> None:
        """Set the seconds in the queue and at work for jobs from now on.

        Raises:
            ClientRefusal: A number is out of range.
        """
        latency = Latency(queue=_seconds(queue), work=_seconds(work))
        for provider in self._providers.values():
            provider.latency = latency

    async def disturb_gateway(self, action: object) -> None:
        """Drop the bot's connection, ask it to reconnect, or end its session.

        Raises:
            ClientRefusal: There is no such action.
        """
        match action:
            case "drop":
                await self._discord.gateway.drop()
            case "reconnect":
                self._discord.gateway.ask_reconnect()
            case "invalidate":
                self._discord.gateway.invalidate()
            case _:
                raise ClientRefusal("The gateway can drop, reconnect or invalidate.")

    def expire_tokens(self) -> None:
        """Expire the tokens of all interactions so far."""
        self._discord.expire_tokens()

    def expire_addresses(self) -> None:
        """Expire the signed addresses of all files so far."""
        self._discord.expire_addresses()

    def reset(self) -> None:
        """Remove all faults and restore the default latency."""
        self._discord.faults.clear()
        self._discord_faults.clear()
        for name, provider in self._providers.items():
            provider.latency = self._default_latencies[name]
            provider.clear_faults()

    def _best_match(self, service: str, fault: Json) -> FaultRow | None:
        """Return the row with the most fields in common with a fault."""
        fitting = [
            row
            for row in self._rows.values()
            if row.service == service and all(fault.get(key) == value for key, value in row.how.items())
        ]
        return max(fitting, key=lambda row: len(row.how), default=None)


def _seconds(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= _MAX_SECONDS:
        raise ClientRefusal(f"Seconds are a number from 0 to {_MAX_SECONDS:,.0f}.")
    return float(value)
