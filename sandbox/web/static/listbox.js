// A list for keyboard and pointer. The focus stays in the input.
import { fill, h } from "./dom.js";
import { icon } from "./icons.js";
import { emoji } from "./components.js";

let made = 0;

export class Listbox {
  // `onPick(item)` is called for each pick. `input` gets the active item as `aria-activedescendant`.
  constructor({ label, onPick, input = null, multiple = false }) {
    made += 1;
    this.name = `list-${made}`;
    this.items = [];
    this.active = -1;
    this.chosen = new Set();
    this.onPick = onPick;
    this.input = input;
    this.node = h("ul", { class: "listbox", id: this.name, role: "listbox", "aria-label": label, "aria-multiselectable": multiple, tabindex: input ? null : "0" });
    // Pointer down, not click: a click comes after the input has lost the focus.
    this.node.addEventListener("pointerdown", (event) => event.preventDefault());
    this.node.addEventListener("click", (event) => {
      const option = event.target.closest('[role="option"]');
      if (option) this.pick(Number(option.dataset.index));
    });
    this.node.addEventListener("pointermove", (event) => {
      const option = event.target.closest('[role="option"]');
      if (option) this.activate(Number(option.dataset.index), { scroll: false });
    });
  }

  show(items, { active = 0, empty = "No matches." } = {}) {
    this.items = items;
    const option = (item, index) =>
      h(
        "li",
        {
          id: `${this.name}-${index}`,
          role: "option",
          "data-index": index,
          "data-value": item.value,
          "aria-selected": String(this.chosen.has(item.value)),
          "aria-disabled": item.disabled ? "true" : null,
        },
        item.group && h("span", { class: "option-group" }, item.group),
        emoji(item.emoji),
        h("span", { class: "option-words" }, h("span", { class: "option-name" }, item.name), item.description && h("span", { class: "option-note" }, item.description)),
        this.chosen.has(item.value) && icon("check", 18),
      );
    fill(this.node, items.length > 0 ? items.map(option) : h("li", { class: "nothing", role: "presentation" }, empty));
    this.activate(items.length > 0 ? Math.min(active, items.length - 1) : -1);
  }

  activate(index, { scroll = true } = {}) {
    this.node.querySelector('[data-active]')?.removeAttribute("data-active");
    this.active = index;
    const option = index < 0 ? null : this.node.children[index];
    option?.setAttribute("data-active", "");
    if (scroll) option?.scrollIntoView?.({ block: "nearest" });
    (this.input ?? this.node).setAttribute("aria-activedescendant", option ? option.id : "");
  }

  pick(index) {
    const item = this.items[index];
    if (item && !item.disabled) this.onPick(item);
  }

  // Handle a key, and return whether the list used it.
  key(event) {
    const last = this.items.length - 1;
    if (last < 0) return false;
    const to = { ArrowDown: this.active >= last ? 0 : this.active + 1, ArrowUp: this.active <= 0 ? last : this.active - 1, PageDown: Math.min(last, this.active + 8), PageUp: Math.max(0, this.active - 8) }[event.key];
    if (to !== undefined) {
      event.preventDefault();
      this.activate(to);
      return true;
    }
    return false;
  }
}

// Return the items with these words in name, value or description; matching name starts go first.
export function fitting(items, typed) {
  const words = typed.trim().toLowerCase();
  if (!words) return items;
  const rank = (item) => (item.name.toLowerCase().replace(/^[@#/]/, "").startsWith(words) ? 0 : 1);
  return items
    .filter((item) => [item.name, String(item.value), item.description ?? ""].some((each) => each.toLowerCase().includes(words)))
    .sort((a, b) => rank(a) - rank(b));
}
