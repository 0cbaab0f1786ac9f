// The input of a slash command: a chip per option, a hint for the focused one, errors beside each.
import { fill, h } from "./dom.js";
import { use } from "./actions.js";
import { Listbox, fitting } from "./listbox.js";
import { Refusal } from "./socket.js";
import { makeOption, hint } from "./options.js";
import { store } from "./store.js";

export class CommandLine {
  constructor(definition, { leave, sent }) {
    this.definition = definition;
    this.leave = leave;
    this.sent = sent;
    this.tookFiles = false;
    this.shown = new Map(); // options on the line, by name
    this.line = h("div", { class: "options" });
    this.hint = h("p", { id: "option-hint", class: "option-hint", role: "status" });
    this.error = h("p", { class: "field-error", role: "alert", hidden: true });
    this.popup = h("div", { id: "option-popup", class: "popup", hidden: true });
    this.more = h("button", { type: "button", id: "add-option", class: "more-options", "aria-haspopup": "listbox" });
    this.more.addEventListener("click", () => this.offerMore());
    this.more.addEventListener("keydown", (event) => this.keyOnMore(event));
    this.more.addEventListener("blur", () => (this.popup.hidden = true));
    this.moreList = new Listbox({ label: "Optional options", input: this.more, onPick: (item) => this.add(item.option).focus() });
    this.name = h("button", { type: "button", class: "command-name", "aria-label": `/${definition.name}: Enter sends, Backspace leaves the command`, on: { click: leave } }, `/${definition.name}`);
    this.name.addEventListener("keydown", (event) => this.keyOnName(event));
    this.node = h(
      "div",
      { class: "command", role: "group", "aria-label": `Command ${definition.name}`, "data-command": definition.name },
      this.popup,
      this.hint,
      h("div", { class: "command-line" }, this.name, this.line, this.more),
      this.error,
    );
    for (const option of definition.options) if (option.required) this.add(option);
    this.refreshMore();
  }

  // Start with the text after the command's name, such as `prompt: a fox images: 2`, and the staged files.
  begin(rest, staged) {
    const names = this.definition.options.map((each) => each.name);
    const found = [...rest.matchAll(/(?:^|\s)([-_\w]+):/g)].filter((each) => names.includes(each[1]));
    found.forEach((each, index) => {
      const from = each.index + each[0].length;
      const value = rest.slice(from, found[index + 1]?.index ?? rest.length).trim();
      this.add(this.definition.options.find((option) => option.name === each[1])).type(value);
    });
    if (found.length === 0 && rest.trim()) {
      const first = this.definition.options.find((option) => option.type === 3);
      if (first) this.add(first).type(rest.trim());
    }
    if (staged.length > 0) this.error.textContent = "Commands take files in their own options. Choose the files again there.";
    this.focus();
    if (this.definition.options.length === 0) this.tell("Press Enter to send.");
  }

  // Focus the first empty option.
  focus() {
    const first = [...this.shown.values()].find((each) => each.isEmpty()) ?? [...this.shown.values()][0];
    if (first) first.focus();
    else (this.more.hidden ? this.name : this.more).focus();
  }

  add(option) {
    const known = this.shown.get(option.name);
    if (known) return known;
    const made = makeOption(option, this);
    this.shown.set(option.name, made);
    this.line.append(made.node);
    this.refreshMore();
    return made;
  }

  // Remove an optional option. Leaving the first empty option leaves the command.
  drop(made) {
    const all = [...this.shown.values()];
    const before = all[all.indexOf(made) - 1];
    if (!made.option.required) {
      this.shown.delete(made.option.name);
      made.node.remove();
      this.refreshMore();
      (before ?? all.find((each) => each !== made))?.focus();
      if (this.shown.size === 0) this.leave();
    } else if (before) before.focus();
    else this.leave();
  }

  refreshMore() {
    const rest = this.definition.options.filter((each) => !this.shown.has(each.name));
    this.more.hidden = rest.length === 0;
    this.more.textContent = `+${rest.length} optional`;
    this.rest = rest.map((option) => ({ value: option.name, name: option.name, description: option.description, option }));
    this.popup.hidden = true;
  }

  offerMore() {
    this.typed = "";
    this.moreList.show(this.rest);
    fill(this.popup, h("p", { class: "popup-title" }, "Options"), this.moreList.node);
    this.popup.hidden = false;
    this.more.focus();
  }

  keyOnName(event) {
    if (event.key === "Enter") this.send();
    else if (event.key === "Backspace" || event.key === "Escape") this.leave();
    else return;
    event.preventDefault();
  }

  keyOnMore(event) {
    if (this.popup.hidden && event.key === "Enter" && [...this.shown.values()].every((each) => !each.isEmpty())) {
      event.preventDefault();
      this.send();
      return;
    }
    if (event.key === "Escape") {
      event.preventDefault();
      if (this.popup.hidden) this.leave();
      else this.popup.hidden = true;
      return;
    }
    if (this.popup.hidden) {
      if (event.key === "ArrowDown" || event.key === "ArrowUp") {
        event.preventDefault();
        this.offerMore();
      } else if (event.key === "Backspace") {
        event.preventDefault();
        const last = [...this.shown.values()].at(-1);
        last ? last.focus() : this.leave();
      } else if (/^[a-z_]$/i.test(event.key) && !event.ctrlKey && !event.metaKey) {
        this.offerMore();
        this.filterMore(event);
      }
      return;
    }
    if (this.moreList.key(event)) return;
    if (event.key === "Enter" || event.key === "Tab") {
      event.preventDefault();
      this.moreList.pick(this.moreList.active);
    } else this.filterMore(event);
  }

  filterMore(event) {
    if (event.key === "Backspace") this.typed = this.typed.slice(0, -1);
    else if (event.key.length === 1 && !event.ctrlKey && !event.metaKey) this.typed += event.key;
    else return;
    event.preventDefault();
    this.moreList.show(fitting(this.rest, this.typed));
  }

  // Show the hint of the focused option.
  focused(option) {
    fill(this.hint, hint(option));
    this.popup.hidden = true;
  }

  tell(text) {
    fill(this.hint, text);
  }

  addFiles(files) {
    const free = this.definition.options.filter((each) => each.type === 11);
    let refused = files.length;
    for (const file of files) {
      const option = free.find((each) => !this.shown.get(each.name)?.has());
      if (!option) break;
      this.add(option).give(file);
      refused -= 1;
    }
    this.complain(refused > 0 ? "This command takes no more files." : null);
  }

  // Return the values so far, for autocompletion.
  values() {
    const values = {};
    for (const [name, made] of this.shown) {
      const { value } = made.read();
      if (value !== undefined) values[name] = value;
    }
    return values;
  }

  // Return the command as it could be typed, without files and mentions.
  text() {
    const typed = Object.entries(this.values()).filter(([, value]) => ["string", "number", "boolean"].includes(typeof value));
    return [`/${this.definition.name}`, ...typed.map(([name, value]) => `${name}:${value}`)].join(" ");
  }

  complain(text) {
    this.error.hidden = !text;
    this.error.textContent = text ?? "";
  }

  async send() {
    if (this.sending) return;
    this.complain(null);
    const options = {};
    let first = null;
    for (const [name, made] of this.shown) {
      const { value, error } = made.read();
      made.complain(error ?? null);
      if (error) first ??= made;
      else if (value !== undefined) options[name] = value;
    }
    if (first) {
      first.focus();
      return;
    }
    this.sending = true;
    try {
      await use("slash", { channel: store.channel, command: this.definition.name, options }, `/${this.definition.name}`);
      this.sent();
    } catch (refusal) {
      if (!(refusal instanceof Refusal)) throw refusal;
      const named = this.shown.get(refusal.field);
      if (named) {
        named.complain(refusal.message);
        named.focus();
      } else this.complain(refusal.message);
    } finally {
      this.sending = false;
    }
  }

  close() {
    for (const made of this.shown.values()) made.close();
  }
}
