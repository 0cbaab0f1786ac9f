// The composer: plain messages, replies, mentions, and the command list after a slash.
import { act, byId, fill, h } from "./dom.js";
import { CommandLine } from "./command.js";
import { say } from "./actions.js";
import { chip, pasted, staged, takeDrops } from "./files.js";
import { icon } from "./icons.js";
import { ask } from "./socket.js";
import { Listbox, fitting } from "./listbox.js";
import { follow } from "./messages.js";
import { channelOf, people, store } from "./store.js";

const MOST_FILES = 10;
const LONGEST = 2000;

let files = [];
let command = null; // the open command line, or null
let aside = null; // the command line that waits for the end of a reply, or null
let answered = null; // the message replied to, or null
let input, picker, popup, title, error, bar, tray, count, place;

export function buildComposer() {
  input = h("textarea", { id: "message-input", rows: "1", autocomplete: "off", spellcheck: "false", role: "combobox", "aria-expanded": "false", "aria-autocomplete": "list" });
  picker = new Listbox({ label: "Commands", input, onPick: (item) => (item.command ? choose(item.command, "") : mention(item.name)) });
  input.setAttribute("aria-controls", picker.name);
  title = h("p", { class: "popup-title" }, "Commands");
  popup = h("div", { id: "command-picker", class: "popup", hidden: true }, title, picker.node);
  bar = h("div", { id: "reply-bar", hidden: true });
  error = h("p", { id: "composer-error", class: "failure", role: "alert", hidden: true });
  tray = h("div", { id: "tray", hidden: true });
  count = h("span", { id: "left", "aria-hidden": "true", hidden: true });
  const pick = h("input", { type: "file", id: "attach-input", multiple: true, tabindex: "-1", "aria-label": "Attach files" });
  place = h("div", { id: "command-place", hidden: true });
  const write = h(
    "div",
    { id: "write" },
    h("button", { type: "button", id: "attach", class: "plain", "aria-label": "Attach files", on: { click: () => pick.click() } }, icon("plus", 22)),
    pick,
    input,
    count,
    h("button", { type: "button", id: "commands", class: "plain", "aria-label": "Commands", on: { click: () => open("/") } }, icon("slash", 22)),
    h("button", { type: "button", id: "send", class: "plain", "aria-label": "Send", on: { click: send } }, icon("send", 22)),
  );
  fill(byId("composer"), popup, error, bar, tray, h("div", { id: "composer-box" }, place, write));
  pick.addEventListener("change", () => {
    addFiles(pick.files);
    pick.value = "";
  });
  input.addEventListener("input", typed);
  input.addEventListener("keydown", keyed);
  input.addEventListener("blur", () => (popup.hidden = true));
  input.addEventListener("focus", typed);
  document.addEventListener("keydown", slashed);
  document.addEventListener("paste", (event) => pasted(event, addFiles));
  takeDrops(document.body, addFiles);
}

// Refresh after a change of the channel, the person or the commands.
export function refreshComposer({ keep = false } = {}) {
  const channel = channelOf(store.channel);
  const where = channel?.parent ? `“${channel.name}”` : `${channel && !channel.guild ? "@" : "#"}${channel?.name ?? ""}`;
  const label = `Message ${where}`;
  const refused = channel?.locked ? "Only moderators may write in this locked post." : "You do not have permission to send messages in this channel.";
  input.placeholder = channel?.writable ? label : refused;
  input.setAttribute("aria-label", label);
  input.readOnly = !channel?.writable;
  if (!keep) {
    aside?.close();
    aside = null;
    leave();
    files = [];
    showFiles();
    complain(null);
    answer(null);
  } else if (command && !store.commands.some((each) => each.name === command.definition.name)) {
    // The bot may be back in a moment: what was typed waits in the field.
    const text = command.text();
    leave();
    input.value = text;
  }
}

function open(text) {
  if (command) leave();
  input.value = text;
  input.focus();
  typed();
}

// A slash typed anywhere but in a field opens the commands. Nothing that was typed before is lost.
function slashed(event) {
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
  if (event.target.closest("input, textarea, select") || document.querySelector("dialog[open], .menu, .select-popup")) return;
  if (input.readOnly || !byId("gate").hidden || !byId("forum").hidden) return;
  event.preventDefault();
  if (command) command.focus();
  else if (input.value) input.focus();
  else open("/");
}

act("use-command", (node) => {
  const found = store.commands.find((each) => each.name === node.dataset.command);
  if (found) choose(found, "");
});

// The reply is written first: the command line comes back after it, with all that was typed and chosen.
function putAside() {
  aside = command;
  command = null;
  hideCommand();
}

function takeUp() {
  if (!aside || command || input.value || files.length > 0) return;
  command = aside;
  aside = null;
  showCommand();
  command.focus();
}

// Reply to a message with the next one, or to none.
export function answer(message) {
  answered = message;
  bar.hidden = !message;
  fill(
    bar,
    message && h("span", { class: "reply-to" }, "Replying to ", h("b", {}, message.author.name)),
    message && h("button", { type: "button", id: "cancel-reply", class: "plain", "aria-label": "Cancel the reply", on: { click: () => answer(null) } }, icon("close", 18)),
  );
  if (!message) return takeUp();
  if (command) putAside();
  input.focus();
}

// The unfinished mention before the caret, or null.
const unfinished = () => /(?:^|\s)@([^\s@]{0,32})$/.exec(input.value.slice(0, input.selectionStart))?.[1] ?? null;

function mention(name) {
  const start = input.selectionStart - unfinished().length;
  const rest = input.value.slice(input.selectionStart);
  input.setRangeText(`${name}${rest.startsWith(" ") ? "" : " "}`, start, input.selectionStart, "end");
  popup.hidden = true;
  input.setAttribute("aria-expanded", "false");
  typed();
}

// Discord's client sends a mention as the person's id.
function resolved(text) {
  const longest = [...people()].sort((a, b) => b.name.length - a.name.length);
  return longest.reduce((said, who) => said.replaceAll(new RegExp(`(^|\\s)@${escapeName(who.name)}(?![\\w-])`, "giu"), `$1<@${who.id}>`), text);
}

const escapeName = (name) => name.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");

function complain(text) {
  error.hidden = !text;
  fill(error, text && icon("warning", 16), text);
}

function typed() {
  const text = input.value;
  const left = LONGEST - text.length;
  count.hidden = left > 200;
  count.textContent = String(left);
  count.toggleAttribute("data-wrong", left < 0);
  const asks = /^\/[^\n]*$/.test(text) && document.activeElement === input;
  if (asks) {
    const words = text.slice(1);
    const exact = store.commands
      .filter((each) => words === `${each.name} ` || words.startsWith(`${each.name} `))
      .sort((a, b) => b.name.length - a.name.length)[0];
    if (exact) {
      choose(exact, words.slice(exact.name.length + 1));
      return;
    }
    const items = store.commands.map((each) => ({
      value: each.name,
      name: `/${each.name}`,
      description: each.description,
      command: each,
    }));
    title.textContent = "Commands";
    picker.show(fitting(items, words), { empty: store.panel?.bot === "on" ? "No command of this name is offered here." : "The bot has no commands while it is off." });
  }
  const named = asks || document.activeElement !== input ? null : unfinished();
  const found = named === null ? [] : fitting(people().map((who) => ({ value: who.id, name: who.name, description: who.bot ? "App" : "" })), named);
  if (found.length > 0) {
    title.textContent = "People";
    picker.show(found);
  }
  popup.hidden = !asks && found.length === 0;
  input.setAttribute("aria-expanded", String(!popup.hidden));
}

function keyed(event) {
  if (event.isComposing) return;
  if (!popup.hidden) {
    if (picker.key(event)) return;
    if (event.key === "Escape") {
      event.preventDefault();
      popup.hidden = true;
      return;
    }
    if ((event.key === "Enter" || event.key === "Tab") && picker.active >= 0) {
      event.preventDefault();
      picker.pick(picker.active);
      return;
    }
  }
  if (event.key === "Escape" && answered) {
    event.preventDefault();
    answer(null);
    return;
  }
  if (event.key === "Enter" && !event.shiftKey) {
    event.preventDefault();
    send();
  }
}

function choose(definition, rest) {
  input.value = "";
  popup.hidden = true;
  complain(null);
  command?.close();
  command = new CommandLine(definition, { leave: () => leave(true), sent: () => leave(true) });
  showCommand();
  command.begin(rest, files);
  if (files.length > 0 && command.tookFiles) {
    files = [];
    showFiles();
  }
}

function showCommand() {
  fill(place, command.node);
  place.hidden = false;
  byId("composer").toggleAttribute("data-command", true);
}

function hideCommand() {
  place.hidden = true;
  fill(place);
  byId("composer").toggleAttribute("data-command", false);
}

function leave(focus = false) {
  command?.close();
  command = null;
  hideCommand();
  input.value = "";
  typed();
  if (focus) input.focus();
}

function addFiles(list) {
  if (document.querySelector("dialog[open]") || !byId("gate").hidden || !byId("forum").hidden) return;
  if (command) {
    command.addFiles([...list]);
    return;
  }
  for (const file of list) {
    if (files.length < MOST_FILES) files.push(staged(file, showFiles));
    else complain(`A message takes at most ${MOST_FILES} files.`);
  }
  showFiles();
  input.focus();
}

function showFiles() {
  tray.hidden = files.length === 0;
  fill(tray, files.map((each) => chip(each, () => {
    files = files.filter((other) => other !== each);
    showFiles();
  })));
}

async function send() {
  if (command) {
    command.send();
    return;
  }
  const text = input.value.trim();
  const named = store.commands.find((each) => text === `/${each.name}`);
  if (named) {
    choose(named, "");
    command.send();
    return;
  }
  if (!text && files.length === 0) return;
  if (text.length > LONGEST) return complain(`A message takes at most ${LONGEST} characters; this one has ${text.length}.`);
  if (files.some((each) => !each.upload)) return complain(files.find((each) => each.error)?.error ?? "A file is still being uploaded.");
  complain(null);
  const uploads = files.map((each) => each.upload);
  const original = answered;
  const attached = files;
  input.value = "";
  files = [];
  showFiles();
  answer(null);
  typed();
  follow();
  try {
    await ask("say", { channel: store.channel, text: resolved(text), uploads, reply: original?.id ?? null });
  } catch (refusal) {
    input.value = text;
    files = attached;
    showFiles();
    if (original) answer(original);
    complain(refusal.message);
    say(refusal);
  }
}
