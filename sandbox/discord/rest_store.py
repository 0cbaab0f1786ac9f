"""Routes of the application's SKUs and entitlements."""

from typing import Final

from sandbox.discord.entities import CONSUMABLE, FOR_GUILD, FOR_USER, SUBSCRIPTION, Entitlement
from sandbox.discord.errors import (
    FOREIGN_APPLICATION,
    UNKNOWN_ENTITLEMENT,
    UNKNOWN_GUILD,
    UNKNOWN_SKU,
    UNKNOWN_USER,
    FormErrors,
    api_error,
)
from sandbox.discord.http_request import NO_CONTENT, Call, Reply, Route
from sandbox.discord.state import World
from sandbox.discord.store import Store, entitlement_payload, group_payload, sku_payload

_APPLICATION: Final = "/applications/{application_id}"
_ENTITLEMENTS: Final = _APPLICATION + "/entitlements"
_ENTITLEMENT: Final = _ENTITLEMENTS + "/{entitlement_id}"
_MOST: Final = 100
_TRUE: Final = ("1", "true", "True")


class StoreRoutes:
    """Serves the bot's reads of purchases, and its test entitlements."""

    def __init__(self, world: World, store: Store) -> None:
        self._world = world
        self._store = store

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            Route("GET", _APPLICATION + "/skus", self.list_skus),
            Route("GET", _ENTITLEMENTS, self.list_entitlements),
            Route("POST", _ENTITLEMENTS, self.create_test),
            Route("GET", _ENTITLEMENT, self.get),
            Route("DELETE", _ENTITLEMENT, self.delete_test),
            Route("POST", _ENTITLEMENT + "/consume", self.consume),
        ]

    def list_skus(self, call: Call) -> Reply:
        """Return all SKUs, with the group of each subscription."""
        self._require_own(call)
        listed = []
        for sku in self._world.skus.values():
            if sku.kind == SUBSCRIPTION:
                listed.append(group_payload(sku, self._world))
            listed.append(sku_payload(sku, self._world))
        return Reply(listed)

    def list_entitlements(self, call: Call) -> Reply:
        """Return the entitlements by id, active and expired."""
        self._require_own(call)
        found = sorted((each for each in self._world.entitlements.values() if self._matches(each, call)), key=_number)
        limit = min(int(call.query.get("limit", _MOST)), _MOST)
        if "before" in call.query:
            found = [each for each in found if _number(each) < int(call.query["before"])][-limit:]
        if "after" in call.query:
            found = [each for each in found if _number(each) > int(call.query["after"])]
        return Reply([entitlement_payload(each, self._world) for each in found[:limit]])

    def get(self, call: Call) -> Reply:
        """Return an entitlement."""
        return Reply(entitlement_payload(self._entitlement(call), self._world))

    def create_test(self, call: Call) -> Reply:
        """Create a test entitlement of a subscription."""
        self._require_own(call)
        body, form = call.json, FormErrors()
        for field in ("sku_id", "owner_id", "owner_type"):
            if body.get(field) is None:
                form.required((field,))
        if body.get("owner_type") not in (None, FOR_GUILD, FOR_USER):
            form.add(("owner_type",), "BASE_TYPE_CHOICES", "Value must be one of {1, 2}.")
        form.raise_if_any()
        sku, owner = self._world.skus.get(str(body["sku_id"])), str(body["owner_id"])
        if sku is None or sku.kind != SUBSCRIPTION:
            raise api_error(UNKNOWN_SKU)
        if body["owner_type"] == FOR_GUILD and owner not in self._world.guilds:
            raise api_error(UNKNOWN_GUILD)
        if body["owner_type"] == FOR_USER and owner not in self._world.users:
            raise api_error(UNKNOWN_USER)
        return Reply(entitlement_payload(self._store.grant_test(sku, owner, body["owner_type"]), self._world))

    def delete_test(self, call: Call) -> Reply:
        """Delete a test entitlement."""
        entitlement = self._entitlement(call)
        if not entitlement.test:
            raise api_error(UNKNOWN_ENTITLEMENT)
        self._store.refund(entitlement)
        return NO_CONTENT

    def consume(self, call: Call) -> Reply:
        """Mark a consumable purchase as consumed."""
        entitlement = self._entitlement(call)
        if self._world.skus[entitlement.sku_id].kind != CONSUMABLE:
            form = FormErrors()
            form.add(("sku_id",), "ENTITLEMENT_NOT_CONSUMABLE", "This SKU cannot be consumed.")
            form.raise_if_any()
        if not entitlement.consumed:
            self._store.consume(entitlement)
        return NO_CONTENT

    def _matches(self, entitlement: Entitlement, call: Call) -> bool:
        query = call.query
        skus = query.get("sku_ids")
        return (
            query.get("user_id") in (None, entitlement.user_id)
            and query.get("guild_id") in (None, entitlement.guild_id)
            and (not skus or entitlement.sku_id in skus.split(","))
            and not (entitlement.deleted and query.get("exclude_deleted", "true") in _TRUE)
            and not (query.get("exclude_ended") in _TRUE and entitlement.has_ended(self._world.now()))
        )

    def _entitlement(self, call: Call) -> Entitlement:
        self._require_own(call)
        entitlement = self._world.entitlements.get(call.params["entitlement_id"])
        if entitlement is None or entitlement.deleted:
            raise api_error(UNKNOWN_ENTITLEMENT)
        return entitlement

    def _require_own(self, call: Call) -> None:
        if call.params["application_id"] != self._world.application.id:
            raise api_error(FOREIGN_APPLICATION)


def _number(entitlement: Entitlement) -> int:
    return int(entitlement.id)
