// The panel's group of purchases: the application's SKUs, and who owns them.
import { act, byId, h, morphInto } from "./dom.js";
import { group } from "./panel_group.js";
import { ask } from "./socket.js";
import { say } from "./actions.js";
import { store } from "./store.js";

export function storeGroup() {
  return group(
    "store",
    "Purchases",
    {},
    h("p", { class: "hint" }, "You buy in the open channel; nothing is paid. Only verified applications may sell."),
    h("div", { class: "buttons", id: "sku-list" }),
    h("ul", { id: "entitlement-list", "aria-label": "Purchases so far" }),
  );
}

// Show the store's state.
export function showStore() {
  const place = byId("sku-list");
  if (!place) return;
  const { skus, entitlements } = store.panel.store;
  morphInto(place, skus.map((sku) => h("button", { type: "button", class: "button secondary", "data-key": sku.id, "data-act": "buy", "data-sku": sku.id }, `${sku.name}${sku.for_guild ? " (server)" : ""}`)));
  morphInto(byId("entitlement-list"), entitlements.length > 0 ? entitlements.map(entitlement) : h("li", { class: "hint" }, "Nothing is bought yet."));
}

function entitlement(each) {
  const button = (label, action) => h("button", { type: "button", class: "button secondary", "data-key": action, "data-act": "entitlement", "data-id": each.id, "data-action": action, "aria-label": `${label}: ${each.name}` }, label);
  return h(
    "li",
    { "data-key": each.id, "data-state": each.state },
    h("span", {}, h("b", {}, each.name), " ", h("span", { class: "option-facts" }, `${each.owner} · ${each.state}`)),
    each.state === "active" && button("End", "end"),
    each.state !== "refunded" && button("Refund", "refund"),
  );
}

act("buy", (node) => ask("buy", { sku: node.dataset.sku, channel: store.channel }).catch(say));
act("entitlement", (node) => ask("entitlement", { id: node.dataset.id, action: node.dataset.action }).catch(say));
