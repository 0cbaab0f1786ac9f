// The panel's group of alerts to other services: addresses to send to, and what arrived.
import { byId, h, morphInto } from "./dom.js";
import { group } from "./panel_group.js";
import { ask } from "./socket.js";
import { say } from "./actions.js";
import { store } from "./store.js";
import { format } from "./time.js";

const ANSWERS = [[204, "204 No Content"], [400, "400 Bad Request"], [404, "404 Not Found"], [500, "500 Server Error"]];

export function hooksGroup() {
  const answer = h("select", { id: "hook-status", on: { change: () => ask("hook_answer", { status: Number(answer.value) }).catch(say) } }, ANSWERS.map(([value, label]) => h("option", { value: String(value) }, label)));
  const show = () => ask("hook", { channel: store.channel }).then(({ url }) => {
    const field = byId("hook-channel-url");
    field.hidden = false;
    field.value = url;
    field.select();
  }).catch(say);
  return group(
    "hooks",
    "Webhooks",
    {},
    h("label", { for: "hook-url" }, "Another service, where the bot's alerts go", address("hook-url")),
    h("label", { for: "hook-status" }, "It answers", answer),
    h("ul", { id: "hook-list", "aria-label": "What arrived there" }),
    h("div", { class: "buttons" }, h("button", { type: "button", id: "hook-channel", class: "button secondary", on: { click: show } }, "Address of a webhook of this channel")),
    address("hook-channel-url", { hidden: true, "aria-label": "Address of the channel's webhook" }),
  );
}

const address = (id, more = {}) => h("input", { id, class: "text-input", readonly: true, spellcheck: "false", on: { focus: (event) => event.target.select() }, ...more });

// Show the receiver's state.
export function showHooks() {
  const list = byId("hook-list");
  if (!list) return;
  const { url, status, received } = store.panel.hooks;
  byId("hook-url").value = url;
  if (document.activeElement !== byId("hook-status")) byId("hook-status").value = String(status);
  morphInto(list, received.length > 0 ? received.map(arrival) : h("li", { class: "hint" }, "Nothing arrived yet."));
}

function arrival(each) {
  return h("li", { "data-key": String(each.at) }, h("span", { class: "option-facts" }, `${format(each.at, "T")}${each.is_json ? "" : " · no JSON"}`), h("pre", { class: "md-pre" }, each.text || "(empty)"));
}
