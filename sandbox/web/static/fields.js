// The fields of a form: each has a node, a value and an error line.
import { h } from "./dom.js";
import { defaults, offer } from "./components.js";
import { filePicker } from "./files.js";
import { icon } from "./icons.js";
import { openSelect } from "./selects.js";

let made = 0;

// Build the field of a label. `read()` returns `{ value }` or `{ error }`.
export function field(label, dialog) {
  made += 1;
  const id = `field-${made}`;
  const each = label.component;
  const required = each.required !== false && each.type !== 23;
  const error = h("p", { class: "field-error", id: `${id}-error`, role: "alert", hidden: true });
  const about = { id, required, describedBy: `${id}-note ${id}-error`, label: label.label, dialog };
  const make = MAKERS[each.type] ?? unknown;
  const { control, read, focus, grouped } = make(each, about);
  const note = label.description ? h("p", { class: "field-note", id: `${id}-note` }, label.description) : null;
  const title = [label.label, required && h("span", { class: "required", "aria-label": "required" }, " *")];
  const node = h(
    "div",
    { class: "field", "data-field": each.custom_id, "data-type": each.type, role: grouped ? "group" : null, "aria-labelledby": grouped ? `${id}-label` : null },
    h(grouped ? "p" : "label", { class: "field-label", id: `${id}-label`, for: grouped ? null : id }, title),
    note,
    control,
    error,
  );
  const complain = (text) => {
    error.hidden = !text;
    error.textContent = text ?? "";
    node.toggleAttribute("data-wrong", Boolean(text));
  };
  for (const event of ["input", "change"]) node.addEventListener(event, () => complain(null));
  return { node, read, focus, complain };
}

export const valueOf = (made_) => made_.read();

const MISSING = "This field is required.";

function textInput(each, { id, required, describedBy }) {
  const min = each.min_length ?? 0;
  const max = each.max_length ?? 4000;
  const long = each.style === 2;
  const control = h(long ? "textarea" : "input", {
    id, class: "text-input", type: long ? null : "text", rows: long ? 5 : null, placeholder: each.placeholder, maxlength: max,
    "aria-describedby": describedBy, "aria-required": required, value: each.value ?? "", autocomplete: "off",
  });
  const count = h("span", { class: "count", "aria-hidden": "true" });
  const tell = () => (count.textContent = `${[...control.value].length} / ${max}`);
  control.addEventListener("input", tell);
  tell();
  return {
    control: h("div", { class: "text-field" }, control, long && count),
    focus: () => control.focus(),
    read() {
      const value = control.value;
      if (!value) return required ? { error: MISSING } : { value };
      return value.length < min ? { error: `Must be at least ${min} characters.` } : { value };
    },
  };
}

function select(each, { id, required, describedBy, label, dialog }) {
  const offered = offer(each);
  // A preselected channel, role or member that is gone is left out.
  let chosen = defaults(each).filter((value) => offered.items.some((item) => item.value === value));
  const shown = h("span", { class: "chosen" });
  const control = h("button", { id, type: "button", class: "select", role: "combobox", "aria-haspopup": "listbox", "aria-expanded": "false", "aria-describedby": describedBy }, shown, icon("down", 18));
  const show = () => {
    const names = chosen.map((value) => offered.items.find((item) => item.value === value)?.name ?? value);
    shown.replaceChildren(...(names.length > 0 ? names.map((name) => h("span", { class: "pick" }, name)) : [each.placeholder || "Make a selection"]));
    control.toggleAttribute("data-empty", names.length === 0);
    control.setAttribute("aria-label", `${label}: ${names.join(", ") || "nothing chosen"}`);
  };
  control.addEventListener("click", () =>
    openSelect(control, { ...offered, min: 0, chosen, container: dialog, done: (values) => {
      chosen = values;
      show();
    } }),
  );
  show();
  return { control, focus: () => control.focus(), read: () => counted(chosen, offered.min, offered.max, required) };
}

function counted(chosen, min, max, required) {
  if (chosen.length === 0) return required ? { error: MISSING } : { value: [] };
  if (chosen.length < min) return { error: `Choose at least ${min}.` };
  return chosen.length > max ? { error: `Choose at most ${max}.` } : { value: chosen };
}

function files(each, { id, required, describedBy }) {
  const max = each.max_values ?? 1;
  const picker = filePicker({ id, describedBy, most: max });
  return {
    control: picker.node,
    focus: picker.focus,
    read() {
      if (picker.busy()) return { error: "A file is still being uploaded." };
      const picked = picker.uploads();
      const { error } = counted(picked, each.min_values ?? 1, max, required);
      return error ? { error } : { value: { uploads: picked } };
    },
  };
}

function choices(kind, each, { id, required, describedBy }) {
  const inputs = each.options.map((option, index) =>
    h("input", { type: kind, name: id, id: index === 0 ? id : `${id}-${index}`, value: option.value, checked: Boolean(option.default), "aria-describedby": describedBy }),
  );
  const control = h(
    "div",
    { class: "choices" },
    each.options.map((option, index) =>
      h("label", { class: "choice" }, inputs[index], h("span", {}, h("span", { class: "option-name" }, option.label), option.description && h("span", { class: "option-note" }, option.description))),
    ),
  );
  const checked = () => inputs.filter((input) => input.checked).map((input) => input.value);
  return {
    control,
    grouped: true,
    focus: () => inputs[0].focus(),
    read() {
      if (kind === "radio") return checked().length === 0 && required ? { error: MISSING } : { value: checked()[0] };
      return counted(checked(), each.min_values ?? 1, each.max_values ?? each.options.length, required);
    },
  };
}

function checkbox(each, { id, describedBy, label }) {
  const input = h("input", { type: "checkbox", id, checked: Boolean(each.default), "aria-describedby": describedBy, "aria-label": label });
  return { control: h("div", { class: "choice" }, input), focus: () => input.focus(), read: () => ({ value: input.checked }) };
}

function unknown(each) {
  return { control: h("p", { class: "unknown" }, `Unknown field type ${each.type}.`), focus() {}, read: () => ({}) };
}

const MAKERS = {
  3: select, 4: textInput, 5: select, 6: select, 7: select, 8: select, 19: files,
  21: (each, about) => choices("radio", each, about),
  22: (each, about) => choices("checkbox", each, about),
  23: checkbox,
};
