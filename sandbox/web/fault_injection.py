"""Breaking things on purpose, and what is broken now."""

from collections.abc import Mapping
from typing import Final

from sandbox.discord import ClientRefusal, DiscordServer
from sandbox.discord import Fault as DiscordFault
from sandbox.discord.encoding import Json
from sandbox.providers import ImageApiServer, Latency
from sandbox.web.fault_catalogue import Row, rows

_ALWAYS: Final = 1_000_000_000
_LONGEST: Final = 3600.0
_MOST_TIMES: Final = 1000


class Sabotage:
    """The switches of the page. `providers` are the image APIs by name."""

    def __init__(self, discord: DiscordServer, providers: Mapping[str, ImageApiServer]) -> None:
        self._discord = discord
        self._providers = providers
        self._usual = {name: provider.latency for name, provider in providers.items()}
        self._rows = {row.id: row for row in rows() if row.service == "discord" or row.service in providers}
        self._set: list[tuple[Row, DiscordFault]] = []

    def table(self) -> list[Json]:
        """Return every row that can be switched on."""
        return [
            {"id": row.id, "service": row.service, "group": row.group, "label": row.label, "hint": row.hint}
            for row in self._rows.values()
        ]

    def state(self) -> Json:
        """Return what is switched on now; `left` is how often it will still hit, None for always."""
        active: list[Json] = []
        for name, provider in self._providers.items():
            for position, fault in enumerate(provider.faults.as_json()):
                row = self._row_of(name, fault)
                label = f"{row.group}: {row.label}" if row else f"{fault['endpoint']}: {fault['kind']}"
                active.append({"service": name, "position": position, "label": label, "left": fault["times"]})
        for row, set_ in self._set:
            left = set_.times - set_.hits
            if left > 0:
                always = set_.times == _ALWAYS
                label = f"{row.group}: {row.label}"
                active.append(
                    {"service": "discord", "position": row.id, "label": label, "left": None if always else left}
                )
        latency = next((provider.latency for provider in self._providers.values()), Latency())
        return {"active": active, "latency": {"queue": latency.queue, "work": latency.work}}

    def switch_on(self, row_id: object, times: object) -> None:
        """Switch a row on for so many requests, or (None) until it is taken off."""
        row = self._rows.get(row_id) if isinstance(row_id, str) else None
        if row is None:
            raise ClientRefusal("There is no such fault.")
        if times is not None and not (type(times) is int and 1 <= times <= _MOST_TIMES):
            raise ClientRefusal(f"Times is a number from 1 to {_MOST_TIMES:,}.")
        if row.service == "discord":
            self._set.append((row, self._discord.faults.add(times=times or _ALWAYS, **row.how)))
        else:
            self._providers[row.service].faults.add(times=times, **row.how)

    def take_off(self, service: object, position: object) -> None:
        """Take one fault off; one that has just spent itself is no mistake."""
        if service == "discord":
            for row, fault in self._set:
                if row.id == position:
                    fault.times = fault.hits
        elif isinstance(service, str) and service in self._providers:
            faults = self._providers[service].faults
            faults.add_json([fault for at, fault in enumerate(faults.as_json()) if at != position])

    def set_latency(self, queue: object, work: object) -> None:
        """Say how long jobs made from now on wait and are drawn, in seconds."""
        latency = Latency(queue=_seconds(queue), work=_seconds(work))
        for provider in self._providers.values():
            provider.latency = latency

    async def disturb_gateway(self, action: object) -> None:
        """Hang up on the bot, ask it to reconnect, or end its session."""
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
        """Let the tokens of all interactions so far run out."""
        self._discord.expire_tokens()

    def expire_addresses(self) -> None:
        """Let the signed addresses of all files so far run out."""
        self._discord.expire_addresses()

    def reset(self) -> None:
        """Mend everything."""
        self._discord.faults.clear()
        self._set.clear()
        for name, provider in self._providers.items():
            provider.latency = self._usual[name]
            provider.clear_faults()

    def _row_of(self, service: str, fault: Json) -> Row | None:
        """Return the row that best says what a fault does: the one that agrees in most fields."""
        fitting = [
            row
            for row in self._rows.values()
            if row.service == service and all(fault.get(key) == value for key, value in row.how.items())
        ]
        return max(fitting, key=lambda row: len(row.how), default=None)


def _seconds(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= _LONGEST:
        raise ClientRefusal(f"Seconds are a number from 0 to {_LONGEST:,.0f}.")
    return float(value)
