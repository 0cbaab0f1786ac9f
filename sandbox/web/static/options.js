// One option of a command: a chip with its name and a field of its kind.
import { fill, h } from "./dom.js";
import { entities } from "./components.js";
import { filePicker } from "./files.js";
import { ask } from "./socket.js";
import { Listbox, fitting } from "./listbox.js";
import { guildHere, people, roles, store } from "./store.js";

const STRING = 3, INTEGER = 4, BOOLEAN = 5, CHANNEL = 7, NUMBER = 10, FILE = 11;
const KINDS = { 3: "text", 4: "whole number", 5: "true or false", 6: "member", 7: "channel", 8: "role", 9: "member or role", 10: "number", 11: "file" };
const ENTITY = { 6: "user", 7: "channel", 8: "role", 9: "mentionable" };
const MISSING = "This option is required. Specify a value.";
const PAUSE = 250; // milliseconds without typing before autocompletion

// Return the hint for an option.
export function hint(option) {
  const between = (least, most, words) => {
    if (least !== undefined && most !== undefined) return `${least} to ${most}${words}`;
    return least !== undefined ? `at least ${least}${words}` : most !== undefined ? `at most ${most}${words}` : null;
  };
  const range = option.type === STRING ? between(option.min_length, option.max_length, " characters") : between(option.min_value, option.max_value, "");
  const facts = [KINDS[option.type], range, option.required ? "required" : "optional"].filter(Boolean).join(" · ");
  return [h("b", {}, option.name), ` ${option.description} `, h("span", { class: "option-facts" }, facts)];
}

export function makeOption(option, line) {
  return option.type === FILE ? fileOption(option, line) : typedOption(option, line);
}

function frame(option, control) {
  const id = `option-${option.name}`;
  const error = h("p", { class: "field-error", id: `${id}-error`, role: "alert", hidden: true });
  const node = h("div", { class: "option", "data-option": option.name, "data-required": Boolean(option.required), "data-type": option.type }, h("div", { class: "option-chip" }, h("label", { for: id }, option.name), control), error);
  const complain = (text) => {
    error.hidden = !text;
    error.textContent = text ?? "";
    node.toggleAttribute("data-wrong", Boolean(text));
  };
  return { node, complain, option };
}

function fileOption(option, line) {
  const picker = filePicker({ id: `option-${option.name}`, describedBy: `option-hint option-${option.name}-error`, most: 1 });
  const { node, complain } = frame(option, picker.node);
  node.addEventListener("focusin", () => line.focused(option));
  node.addEventListener("keydown", (event) => {
    if (event.target.type !== "file") return;
    if (event.key === "Escape") line.leave();
    else if (event.key === "Backspace") line.drop(made);
    else if (event.key === "Enter" && picker.count() > 0) {
      event.preventDefault();
      line.send();
    }
  });
  const made = {
    node, complain, option,
    focus: picker.focus,
    close() {},
    type() {},
    has: () => picker.count() > 0,
    isEmpty: () => picker.count() === 0,
    give: (file) => picker.add([file]),
    read() {
      if (picker.error()) return { error: picker.error() };
      if (picker.busy()) return { error: "The file is still being uploaded." };
      const [upload] = picker.uploads();
      if (!upload) return option.required ? { error: MISSING } : {};
      return { value: { upload } };
    },
  };
  return made;
}

function candidates(option) {
  if (option.choices?.length) return option.choices.map((each) => ({ value: each.value, name: each.name }));
  if (option.type === BOOLEAN) return [{ value: true, name: "True" }, { value: false, name: "False" }];
  if (option.type in ENTITY) {
    return entities(ENTITY[option.type], { guild: guildHere(), people: people(), roles: roles(), channelKinds: option.channel_types });
  }
  return null;
}

function typedOption(option, line) {
  const id = `option-${option.name}`;
  const long = option.type === STRING && !option.choices?.length;
  const listed = candidates(option) !== null || option.autocomplete;
  const input = h(long ? "textarea" : "input", {
    id, class: "option-input", rows: long ? "1" : null, type: long ? null : "text", autocomplete: "off", spellcheck: "false",
    inputmode: option.type === INTEGER ? "numeric" : option.type === NUMBER ? "decimal" : null,
    role: listed ? "combobox" : null, "aria-expanded": listed ? "false" : null, "aria-required": Boolean(option.required),
    "aria-describedby": `option-hint ${id}-error`,
  });
  const { node, complain } = frame(option, input);
  const list = listed ? new Listbox({ label: `Values of ${option.name}`, input, onPick: pick }) : null;
  let picked = null; // the picked item; null after typing
  let timer = 0;
  let asked = 0;

  function pick(item) {
    picked = item;
    input.value = item.name;
    hide();
    complain(null);
  }

  function hide() {
    clearTimeout(timer);
    if (!list) return;
    line.popup.hidden = true;
    input.setAttribute("aria-expanded", "false");
  }

  function show(items, empty) {
    // The chosen value stays in the field, and the whole list is shown.
    list.show(items, { active: 0, empty });
    fill(line.popup, h("p", { class: "popup-title" }, option.name), list.node);
    line.popup.hidden = false;
    input.setAttribute("aria-expanded", "true");
  }

  function suggest() {
    if (!list) return;
    if (!option.autocomplete) {
      show(fitting(candidates(option), picked ? "" : input.value));
      return;
    }
    clearTimeout(timer);
    timer = setTimeout(complete, PAUSE);
  }

  async function complete() {
    asked += 1;
    const turn = asked;
    try {
      const { choices } = await ask("complete", { channel: store.channel, command: line.definition.name, option: option.name, typed: input.value, options: line.values() });
      if (turn === asked && document.activeElement === input) show(choices.map((each) => ({ value: each.value, name: each.name })), "No options match your search.");
    } catch {
      if (turn === asked && document.activeElement === input) show([], "Loading options failed");
    }
  }

  input.addEventListener("focus", () => {
    line.focused(option);
    suggest();
  });
  input.addEventListener("blur", hide);
  input.addEventListener("input", () => {
    picked = null;
    complain(null);
    suggest();
  });
  input.addEventListener("keydown", (event) => {
    if (event.isComposing) return;
    const open = list && !line.popup.hidden;
    if (open && list.key(event)) return;
    if (event.key === "Escape") {
      event.preventDefault();
      open ? hide() : line.leave();
    } else if (event.key === "Backspace" && input.value === "") {
      event.preventDefault();
      line.drop(made);
    } else if ((event.key === "Enter" || event.key === "Tab") && !event.shiftKey) {
      // While the list is open the key picks its active item. The next key sends or moves on.
      const takes = open && list.active >= 0 && !picked;
      if (takes) {
        event.preventDefault();
        list.pick(list.active);
      } else if (event.key === "Enter") {
        event.preventDefault();
        hide();
        line.send();
      } else hide();
    }
  });

  const made = {
    node, complain, option,
    focus: () => input.focus(),
    close: () => clearTimeout(timer),
    has: () => input.value !== "",
    isEmpty: () => input.value === "",
    give() {},
    type(text) {
      input.value = text;
      picked = candidates(option)?.find((item) => item.name === text || String(item.value) === text) ?? null;
    },
    read: () => read(option, input.value, picked),
  };
  return made;
}

// Return the value of a field's text, or its error.
function read(option, text, picked) {
  if (text === "") return option.required ? { error: MISSING } : {};
  if (picked) return { value: picked.value };
  const items = candidates(option);
  if (items) {
    const plain = text.trim().toLowerCase().replace(/^[@#]/, "");
    const found = items.find((item) => item.name.toLowerCase().replace(/^[@#]/, "") === plain || String(item.value).toLowerCase() === plain);
    return found ? { value: found.value } : { error: option.type === CHANNEL ? "Choose a channel from the list." : "Choose one of the options from the list." };
  }
  if (option.type === INTEGER || option.type === NUMBER) return readNumber(option, text.trim());
  const least = option.min_length ?? 0;
  const most = option.max_length ?? 6000;
  if (text.length < least) return { error: `Must be at least ${least} characters.` };
  return text.length > most ? { error: `Must be at most ${most} characters; this has ${text.length}.` } : { value: text };
}

function readNumber(option, text) {
  const whole = option.type === INTEGER;
  const fits = whole ? /^[+-]?\d{1,16}$/ : /^[+-]?(\d{1,16}(\.\d*)?|\.\d+)(e[+-]?\d{1,3})?$/i;
  const value = fits.test(text) ? Number(text) : Number.NaN;
  if (!Number.isFinite(value)) return { error: whole ? "Enter a whole number." : "Enter a number." };
  const { min_value: least, max_value: most } = option;
  if (least !== undefined && value < least) return { error: most === undefined ? `Must be ${least} or more.` : `Must be between ${least} and ${most}.` };
  if (most !== undefined && value > most) return { error: least === undefined ? `Must be ${most} or less.` : `Must be between ${least} and ${most}.` };
  return { value };
}
