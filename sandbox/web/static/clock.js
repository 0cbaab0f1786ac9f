// The panel's group of the studio's time: it is shown, and moves forward.
import { byId, h } from "./dom.js";
import { group } from "./panel_group.js";
import { ask } from "./socket.js";
import { say } from "./actions.js";
import { store } from "./store.js";
import { seconds } from "./time.js";

const STEPS = [["1 hour", 3600], ["1 day", 86_400], ["1 week", 604_800]];
const EVENTS = [["Before midnight", "midnight"], ["Before next month", "month"], ["Before summer time changes", "change"]];

const move = (body) => ask("move_time", body).catch(say);

export function timeGroup() {
  const zone = h("select", { id: "time-zone", on: { change: () => {
    localStorage.setItem("zone", zone.value);
    showTime();
  } } }, store.world.zones.map((each) => h("option", { value: each }, each)));
  const kept = localStorage.getItem("zone");
  zone.value = store.world.zones.includes(kept) ? kept : store.world.zones[0];
  const at = h("input", { id: "time-at", type: "datetime-local", class: "text-input" });
  const submit = (event) => {
    event.preventDefault();
    move({ zone: zone.value, at: at.value });
  };
  return group(
    "time",
    "Time",
    {},
    h("p", { id: "studio-time" }),
    h("p", { class: "hint" }, "The studio's time moves forward for the bot, Discord and the image APIs. A restart of the sandbox ends it."),
    h("div", { class: "buttons" }, STEPS.map(([label, length]) => h("button", { type: "button", class: "button secondary", on: { click: () => move({ seconds: length }) } }, `+ ${label}`))),
    h("label", { for: "time-zone" }, "Time zone", zone),
    h("div", { class: "buttons" }, EVENTS.map(([label, to]) => h("button", { type: "button", id: `time-${to}`, class: "button secondary", on: { click: () => move({ zone: zone.value, to }) } }, label))),
    h("form", { class: "name-form", on: { submit } }, h("label", { for: "time-at" }, "To a date and time in this zone"), h("div", { class: "name-line" }, at, h("button", { type: "submit", id: "time-go", class: "button secondary" }, "Go"))),
  );
}

// Show the time in the chosen zone. In the header, only a time that was moved.
export function showTime() {
  const moved = (store.panel?.offset ?? 0) > 0;
  const top = byId("moved-time");
  top.hidden = !moved;
  const now = new Date(seconds() * 1000);
  if (moved) top.textContent = write(now, { dateStyle: "medium", timeStyle: "short" }, zoneOf());
  if (byId("studio-time")) byId("studio-time").textContent = `${write(now, { dateStyle: "full", timeStyle: "medium" }, zoneOf())}${moved ? "" : ", the machine's time"}`;
}

const zoneOf = () => byId("time-zone")?.value ?? "UTC";

const write = (date, style, timeZone) => new Intl.DateTimeFormat("en-GB", { ...style, timeZone }).format(date);

setInterval(() => store.panel && showTime(), 1000);
