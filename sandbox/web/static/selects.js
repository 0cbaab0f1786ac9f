// The list of a select menu, in messages and in forms.
import { h } from "./dom.js";
import { Listbox, fitting } from "./listbox.js";

let close = null;

export const closeSelect = () => close?.();

// Open the list of a select. `done(values)` gets the choice: at once for a single one, else at closing, and
// only after a change.
export function openSelect(anchor, { items, min, max, filter, chosen, done, container = document.body }) {
  close?.();
  const several = max > 1;
  const picked = new Set(chosen);
  const before = [...picked].join("\n");
  const search = filter ? h("input", { type: "text", class: "select-filter", placeholder: "Search", "aria-label": "Search", role: "combobox", "aria-expanded": "true" }) : null;
  const list = new Listbox({ label: anchor.getAttribute("aria-label") ?? "Options", input: search, multiple: several, onPick: pick });
  const note = h("p", { class: "select-note", role: "status" });
  const clear = min === 0 && h("button", { type: "button", class: "button secondary select-clear", on: { click: () => {
    picked.clear();
    end(true);
  } } }, "Clear");
  const popup = h("div", { class: "select-popup popup" }, search, list.node, several && note, h("div", { class: "select-end" }, clear, several && h("button", { type: "button", class: "button primary select-done", on: { click: () => end(true) } }, "Done")));

  function pick(item) {
    if (!several) {
      picked.clear();
      picked.add(item.value);
      end(true);
      return;
    }
    if (picked.has(item.value)) picked.delete(item.value);
    else if (picked.size < max) picked.add(item.value);
    show(list.active);
  }

  function show(active = 0) {
    list.chosen = picked;
    list.show(fitting(items, search?.value ?? ""), { active });
    if (clear) clear.hidden = picked.size === 0;
    note.textContent = `Choose ${min === max ? min : `${min} to ${max}`}; ${picked.size} chosen`;
  }

  function end(send) {
    if (close === null) return;
    close = null;
    document.removeEventListener("pointerdown", outside, true);
    window.removeEventListener("resize", place);
    popup.remove();
    anchor.setAttribute("aria-expanded", "false");
    const values = [...picked];
    // Like Discord's client: what is selected already is not sent again.
    const changed = values.join("\n") !== before;
    if (send && changed && values.length >= min) done(values);
    anchor.focus({ preventScroll: true });
  }

  // Move the focus to the buttons below the list, and return whether it stays in the popup.
  function tabs(event) {
    const stops = [search ?? list.node, ...popup.querySelectorAll(".select-end .button:not([hidden])")];
    const to = stops.indexOf(document.activeElement) + (event.shiftKey ? -1 : 1);
    if (!stops[to]) return false;
    event.preventDefault();
    stops[to].focus();
    return true;
  }

  const outside = (event) => popup.contains(event.target) || anchor.contains(event.target) || end(several);

  function place() {
    const box = anchor.getBoundingClientRect();
    const below = window.innerHeight - box.bottom;
    const up = below < 260 && box.top > below;
    popup.style.setProperty("--room", `${Math.max(140, (up ? box.top : below) - 16)}px`);
    popup.style.left = `${Math.max(8, Math.min(box.left, window.innerWidth - Math.max(box.width, 240) - 8))}px`;
    popup.style.width = `${Math.min(Math.max(box.width, 240), window.innerWidth - 16)}px`;
    popup.style.top = up ? "auto" : `${box.bottom + 4}px`;
    popup.style.bottom = up ? `${window.innerHeight - box.top + 4}px` : "auto";
  }

  popup.addEventListener("keydown", (event) => {
    if (event.key === "Tab" && tabs(event)) return;
    if (event.key === "Escape" || event.key === "Tab") {
      event.preventDefault();
      event.stopPropagation();
      end(several);
    } else if (list.key(event)) return;
    else if (event.key === "Enter" || (event.key === " " && !search)) {
      if (event.target.closest(".select-end")) return;
      event.preventDefault();
      list.pick(list.active);
    }
  });
  search?.addEventListener("input", () => show());
  close = () => end(several);
  anchor.setAttribute("aria-expanded", "true");
  show(Math.max(0, items.findIndex((item) => picked.has(item.value))));
  container.append(popup);
  place();
  window.addEventListener("resize", place);
  document.addEventListener("pointerdown", outside, true);
  (search ?? list.node).focus({ preventScroll: true });
}
