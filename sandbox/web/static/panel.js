// The side panel: fault injection, the bot's process, and the member's ledger.
import { act, byId, fill, h, morph } from "./dom.js";
import { automodGroup, showAutomod } from "./automod.js";
import { hooksGroup, showHooks } from "./hooks.js";
import { icon } from "./icons.js";
import { group } from "./panel_group.js";
import { showTime, timeGroup } from "./clock.js";
import { drawLedger } from "./ledger.js";
import { ask } from "./socket.js";
import { say } from "./actions.js";
import { channelsGroup, rolesGroup, serversGroup, showServers } from "./server_admin.js";
import { userGroup } from "./user_settings.js";
import { serviceName, store } from "./store.js";
import { showStore, storeGroup } from "./store_group.js";

const BOT = { on: "The bot is on", starting: "The bot is starting", off: "The bot is off" };
const SPEEDS = [["At once", 0, 0.2], ["Usual", 1, 3], ["Slow", 5, 20], ["Very slow", 30, 120]];

let timer = 0;

const press = (what, body) => ask(what, body).then((state) => showPanel(state)).catch(say);
const button = (id, label, run, style = "secondary") => h("button", { type: "button", id, class: `button ${style}`, on: { click: run } }, label);

// `again` reloads the current person.
export function buildPanel(again) {
  const { table, zones, has_process: process, has_ledger: ledger } = store.world;
  fill(
    byId("panel"),
    h("header", { class: "panel-head" }, h("h2", {}, "Sandbox controls"), h("button", { type: "button", class: "plain", id: "close-panel", "data-act": "toggle-panel", "aria-label": "Close" }, icon("close", 22))),
    ledger && h("div", { id: "ledger-account", role: "group", "aria-label": "Credits in the database" }),
    h("p", { class: "hint" }, "This affects only the sandbox."),
    group("bot", "The bot", { open: true }, h("p", { id: "panel-bot-state", role: "status" }),
      process && h("div", { class: "buttons" },
        button("bot-kill", "Kill the bot", () => press("bot", { action: "kill" }), "danger"),
        button("bot-start", "Start the bot", () => press("bot", { action: "start" }), "success"),
        button("bot-stop", "Shut down gracefully", () => press("bot", { action: "stop" }))),
      h("div", { class: "buttons" },
        button("gateway-drop", "Drop the gateway", () => press("gateway", { action: "drop" })),
        button("gateway-reconnect", "Ask to reconnect", () => press("gateway", { action: "reconnect" })),
        button("gateway-invalidate", "End the session", () => press("gateway", { action: "invalidate" })),
        button("expire-tokens", "Expire interaction tokens", () => press("tokens", {})),
        button("expire-addresses", "Expire file addresses", () => press("addresses", {})))),
    zones.length > 0 && timeGroup(),
    rolesGroup(),
    channelsGroup(),
    serversGroup(),
    automodGroup(),
    hooksGroup(),
    store.panel.store.skus.length > 0 && storeGroup(),
    userGroup(again),
    table.some((row) => row.service !== "discord") && latency(),
    group("faults", "Failures", { open: true }, faultForm(table), h("ul", { id: "active-faults", "aria-label": "What is broken now" }), button("reset-all", "Fix everything", () => press("reset", {}), "success")),
    ledger && group("ledger", "The ledger", { open: true }, h("p", { class: "hint" }, "From the database, for the current person in this server."), h("div", { id: "ledger" })),
  );
  showPanel(store.panel);
}

function latency() {
  const queue = h("input", { id: "latency-queue", type: "number", class: "text-input", min: "0", max: "3600", step: "any" });
  const work = h("input", { id: "latency-work", type: "number", class: "text-input", min: "0", max: "3600", step: "any" });
  const set = () => press("latency", { queue: queue.valueAsNumber, work: work.valueAsNumber });
  queue.addEventListener("change", set);
  work.addEventListener("change", set);
  return group(
    "latency",
    "Speed of the image APIs",
    {},
    h("div", { class: "buttons" }, SPEEDS.map(([label, inLine, drawing]) => button(`latency-${label.toLowerCase().replace(" ", "-")}`, label, () => press("latency", { queue: inLine, work: drawing })))),
    h("div", { class: "pair" }, h("label", { for: "latency-queue" }, "Seconds in queue", queue), h("label", { for: "latency-work" }, "Seconds at work", work)),
    h("p", { class: "hint" }, "For jobs made from now on."),
  );
}

function faultForm(table) {
  const service = h("select", { id: "fault-service", "aria-describedby": "fault-model" }, [...new Set(table.map((row) => row.service))].map((each) => h("option", { value: each }, serviceName(each))));
  const model = h("p", { id: "fault-model", class: "hint" });
  const row = h("select", { id: "fault-row", "aria-describedby": "fault-hint" });
  const hint = h("p", { id: "fault-hint", class: "hint", hidden: true });
  const times = h("select", { id: "fault-times" }, [["1", "Once"], ["3", "Three times"], ["10", "Ten times"], ["", "Until fixed"]].map(([value, label]) => h("option", { value }, label)));

  function offer() {
    const tried = store.world.services[service.value]?.model;
    model.textContent = tried ? `/imagine model:${tried} goes there first.` : "";
    model.hidden = !tried;
    const groups = Map.groupBy ? Map.groupBy(own(), (each) => each.group) : grouped(own());
    fill(row, [...groups].map(([label, rows]) => h("optgroup", { label }, rows.map((each) => h("option", { value: each.id }, each.label)))));
    explain();
  }

  function explain() {
    hint.textContent = own().find((each) => each.id === row.value)?.hint ?? "";
    hint.hidden = !hint.textContent;
  }

  const own = () => table.filter((each) => each.service === service.value);
  service.addEventListener("change", offer);
  row.addEventListener("change", explain);
  offer();
  return h(
    "form",
    { id: "fault-form", on: { submit: (event) => {
      event.preventDefault();
      press("break", { row: row.value, times: times.value ? Number(times.value) : null });
    } } },
    h("label", { for: "fault-service" }, "Where", service),
    model,
    h("label", { for: "fault-row" }, "What goes wrong", row),
    hint,
    h("label", { for: "fault-times" }, "How often", times),
    h("button", { type: "submit", id: "break", class: "button danger" }, "Break it"),
  );
}

function grouped(rows) {
  const groups = new Map();
  for (const each of rows) groups.set(each.group, [...(groups.get(each.group) ?? []), each]);
  return groups;
}

// Show the bot's state and the active faults, in the panel and in the header.
export function showPanel(state) {
  store.panel = state;
  showServers();
  showAutomod();
  showTime();
  showHooks();
  showStore();
  const broken = state.active.length;
  const top = byId("bot-state");
  top.dataset.state = state.bot;
  const text = BOT[state.bot];
  if (top.textContent !== text) top.textContent = text;
  byId("toggle-panel").toggleAttribute("data-broken", broken > 0);
  const said = byId("panel-bot-state");
  if (!said) return;
  said.textContent = state.trouble ?? `${text}.`;
  said.dataset.state = state.bot;
  for (const [id, off] of [["bot-kill", state.bot === "off"], ["bot-stop", state.bot === "off"], ["bot-start", state.bot !== "off"]]) {
    if (byId(id)) byId(id).disabled = off;
  }
  for (const key of ["queue", "work"]) {
    const input = byId(`latency-${key}`);
    if (input && document.activeElement !== input) input.value = state.latency[key] ?? "";
  }
  const list = h("ul", { id: "active-faults", "aria-label": "What is broken now" }, broken > 0 ? state.active.map(fault) : h("li", { class: "hint" }, "Nothing is broken."));
  morph(byId("active-faults"), list);
}

function fault(each) {
  const left = each.left === null ? "until fixed" : each.left === 1 ? "once" : `${each.left} times`;
  return h(
    "li",
    { "data-key": `${each.service} ${each.position}` },
    h("span", {}, h("b", {}, serviceName(each.service)), ` ${each.label} `, h("span", { class: "option-facts" }, left)),
    h("button", { type: "button", class: "plain", "data-act": "mend", "data-service": each.service, "data-position": each.position, "aria-label": `Fix: ${each.label}` }, icon("close", 16)),
  );
}

act("mend", (node) => {
  const { service, position } = node.dataset;
  press("mend", { service, position: service === "discord" ? position : Number(position) });
});

act("toggle-panel", () => {
  const panel = byId("panel");
  panel.hidden = !panel.hidden;
  byId("toggle-panel").setAttribute("aria-expanded", String(!panel.hidden));
  document.body.toggleAttribute("data-panel", !panel.hidden);
  if (panel.hidden) byId("toggle-panel").focus();
  else byId("close-panel").focus();
  watchLedger();
});

// Reload the ledger every second while the panel is open.
export function watchLedger() {
  clearTimeout(timer);
  if (byId("panel").hidden || !byId("ledger")) return;
  drawLedger().finally(() => {
    clearTimeout(timer);
    timer = setTimeout(watchLedger, 1000);
  });
}
