// The parts of the side panel: groups that open and close, and buttons that stay pressed.
import { h } from "./dom.js";
import { icon } from "./icons.js";

const KEPT = "panel-groups"; // the groups that were opened or closed by hand

const kept = () => JSON.parse(localStorage.getItem(KEPT) ?? "{}");

// A group of controls. Once opened or closed by hand, it stays so in later visits.
export function group(name, title, { open = false } = {}, ...children) {
  const node = h(
    "details",
    { class: "panel-group", id: `group-${name}`, open: kept()[name] ?? open },
    h("summary", {}, h("h3", { id: `panel-${name}` }, title), icon("down", 18)),
    h("div", { class: "group-body", role: "group", "aria-labelledby": `panel-${name}` }, children),
  );
  node.addEventListener("toggle", () => localStorage.setItem(KEPT, JSON.stringify({ ...kept(), [name]: node.open })));
  return node;
}

// A button for something that is on or off. A click runs the act `act` with `data`.
export function toggle(label, on, act, data = {}, { disabled = false } = {}) {
  const values = Object.entries(data).map(([name, value]) => [`data-${name}`, value]);
  return h(
    "button",
    { type: "button", class: "toggle", "aria-pressed": String(on), "data-act": act, "data-key": Object.values(data).join(" "), disabled, ...Object.fromEntries(values) },
    on && icon("check", 16),
    label,
  );
}

// A text input with a button, for something with a name.
export function nameForm(id, label, action, run) {
  const input = h("input", { id, type: "text", class: "text-input", maxlength: "100", autocomplete: "off" });
  const submit = (event) => {
    event.preventDefault();
    if (!input.value.trim()) return input.focus();
    return run(input.value).then(() => (input.value = ""));
  };
  return h(
    "form",
    { class: "name-form", on: { submit } },
    h("label", { for: id }, label),
    h("div", { class: "name-line" }, input, h("button", { type: "submit", id: `${id}-add`, class: "button secondary" }, action)),
  );
}
