// The panel's group of AutoMod: rules about words, which the bot may read with Manage Server.
import { act, byId, h, morphInto } from "./dom.js";
import { group, toggle } from "./panel_group.js";
import { ask } from "./socket.js";
import { say } from "./actions.js";
import { guildHere, store } from "./store.js";

const change = (body) => ask("automod", { guild: guildHere()?.id ?? "", ...body }).catch(say);

export function automodGroup() {
  const name = h("input", { id: "automod-name", type: "text", class: "text-input", maxlength: "100", autocomplete: "off", value: "Words" });
  const words = h("textarea", { id: "automod-words", class: "text-input", rows: "2" });
  const submit = async (event) => {
    event.preventDefault();
    if (await change({ action: "create", name: name.value, words: words.value })) words.value = "";
  };
  return group(
    "automod",
    "AutoMod",
    {},
    h("p", { class: "hint" }, "The sandbox keeps these rules and does not apply them. The bot reads them with Manage Server."),
    h("ul", { id: "automod-rules", "aria-label": "Rules of AutoMod" }),
    h("form", { id: "automod-form", class: "group-form", on: { submit } }, h("label", { for: "automod-name" }, "Name of the rule", name), h("label", { for: "automod-words" }, "Words, one a line; * stands for any text", words), h("button", { type: "submit", id: "automod-add", class: "button secondary" }, "Create rule")),
  );
}

export function showAutomod() {
  if (!byId("automod-rules")) return;
  const rules = store.panel?.automod?.[guildHere()?.id] ?? [];
  byId("automod-form").hidden = !guildHere();
  morphInto(byId("automod-rules"), rules.map((rule) => h("li", { "data-key": rule.id }, toggle(rule.name, rule.enabled, "switch-automod", { rule: rule.id }), h("span", { class: "hint" }, rule.words.join(", ")), h("button", { type: "button", class: "plain", "data-act": "delete-automod", "data-rule": rule.id, "aria-label": `Delete ${rule.name}` }, "×"))));
}

act("switch-automod", (node) => change({ action: "switch", rule: node.dataset.rule, on: node.getAttribute("aria-pressed") !== "true" }));
act("delete-automod", (node) => change({ action: "delete", rule: node.dataset.rule }));
