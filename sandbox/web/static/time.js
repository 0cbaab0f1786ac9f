// Times in Discord's formats; relative times are refreshed.
import { h } from "./dom.js";
import { store } from "./store.js";

const LOCALE = "en-US";
const formats = {
  t: { timeStyle: "short" },
  T: { timeStyle: "medium" },
  d: { dateStyle: "short" },
  D: { dateStyle: "long" },
  f: { dateStyle: "long", timeStyle: "short" },
  F: { dateStyle: "full", timeStyle: "short" },
  s: { dateStyle: "short", timeStyle: "short" },
  S: { dateStyle: "short", timeStyle: "medium" },
};
const made = new Map();
const relative = new Intl.RelativeTimeFormat(LOCALE, { numeric: "auto" });
const STEPS = [
  ["year", 31_536_000],
  ["month", 2_592_000],
  ["day", 86_400],
  ["hour", 3600],
  ["minute", 60],
  ["second", 1],
];

export function format(at, style) {
  const date = new Date(at * 1000);
  if (Number.isNaN(date.getTime())) return "Invalid date";
  if (style === "R") return ago(at);
  if (!made.has(style)) made.set(style, new Intl.DateTimeFormat(LOCALE, formats[style] ?? formats.f));
  return made.get(style).format(date);
}

// The studio's time in Unix seconds.
export const seconds = () => Date.now() / 1000 + (store.panel?.offset ?? 0);

function ago(at) {
  const away = Math.round(at - seconds());
  const [unit, length] = STEPS.find((each) => Math.abs(away) >= each[1]) ?? STEPS.at(-1);
  return relative.format(Math.round(away / length), unit);
}

export function timestamp(at, style) {
  return h("time", { class: "stamp", "data-at": at, "data-style": style, title: format(at, "F") }, format(at, style));
}

// The time of a message, with the date if it is not from today.
export function written(at) {
  const day = new Date(at * 1000).toDateString();
  if (day === new Date(seconds() * 1000).toDateString()) return `Today at ${format(at, "t")}`;
  return format(at, "s");
}

export const day = (at) => format(at, "D");

setInterval(() => {
  for (const node of document.querySelectorAll('time[data-style="R"]')) {
    const text = format(Number(node.dataset.at), "R");
    if (node.textContent !== text) node.textContent = text;
  }
}, 1000);
