// The message list: grouped by author, ordered, edited in place, with stable scrolling.
import { act, byId, fill, h, morph } from "./dom.js";
import { components } from "./components.js";
import { embed } from "./embeds.js";
import { icon } from "./icons.js";
import { nodes } from "./markdown.js";
import { attachments } from "./media.js";
import { reactions } from "./reactions.js";
import { notice, startedThread } from "./threads.js";
import { hueOf, isEarlier, me, store } from "./store.js";
import { day, format, written } from "./time.js";

const GROUP_SECONDS = 7 * 60;
const NEAR = 80;
const READING = 1000; // milliseconds for which a scroll belongs to the reader's input
const SCROLLING = ["ArrowUp", "PageUp", "Home", "Tab"];

const list = () => byId("messages");
const scroller = () => byId("scroller");
let stuck = true; // whether the newest message is kept in view
let unseen = 0; // messages that arrived below the view

export function avatar(who) {
  const initial = [...who.name][0] ?? "?";
  return h("span", { class: "avatar", "aria-hidden": "true", "data-bot": who.bot, style: { "--hue": String(hueOf(who.account)) } }, who.bot ? icon("picture", 22) : initial.toUpperCase());
}

export function author(who) {
  return [
    h("button", { class: "author", type: "button", "data-act": "person-menu", "data-person": who.id, style: { "--hue": String(hueOf(who.account)) } }, who.name),
    who.bot && h("span", { class: "badge" }, "App"),
  ];
}

function render(message, previous) {
  const newDay = !previous || day(previous.at) !== day(message.at);
  const follows =
    previous && !newDay && !message.used && !message.reply && !message.only && !previous.only && !message.notice && !previous.notice &&
    previous.author.id === message.author.id && message.at - previous.at < GROUP_SECONDS;
  const own = message.only !== null;
  return h(
    "li",
    {
      id: `message-${message.id}`,
      "data-key": message.id,
      class: "message",
      role: "article",
      tabindex: "-1",
      "data-follows": Boolean(follows),
      "data-ephemeral": own,
      "data-author": message.author.account,
      "aria-label": `${message.author.name}, ${written(message.at)}`,
    },
    newDay && h("div", { class: "day", role: "separator", "data-key": "day" }, h("span", {}, day(message.at))),
    message.notice ? notice(message) : origin(message),
    !message.notice && h(
      "div",
      { class: "message-row", "data-key": "row" },
      follows
        ? h("time", { class: "gutter", "aria-hidden": "true" }, format(message.at, "t"))
        : avatar(message.author),
      h(
        "div",
        { class: "message-body" },
        !follows && h("div", { class: "message-head" }, author(message.author), h("time", { class: "written", title: format(message.at, "F") }, written(message.at))),
        message.pinned && h("p", { class: "pinned-mark", "data-key": "pinned" }, icon("pin", 14), "Pinned"),
        message.loading ? thinking(message) : body(message),
        startedThread(message),
        reactions(message),
        failure(message),
        own && onlyYou(message.id),
      ),
      h("button", { class: "message-more plain", type: "button", "data-act": "message-menu", "data-message": message.id, "aria-label": "More", "aria-haspopup": "menu" }, icon("more")),
    ),
  );
}

function body(message) {
  return [
    message.forwarded && h("blockquote", { class: "forwarded" }, h("p", { class: "forwarded-title" }, icon("forward", 14), "Forwarded · ", h("time", {}, written(message.forwarded.at))), body({ ...message.forwarded, id: message.id, edited: false })),
    message.text.length > 0 && h("div", { class: "text content" }, nodes(message.text), message.edited && h("span", { class: "edited" }, "(edited)")),
    message.embeds.map(embed),
    attachments(message.files),
    message.components.length > 0 && h("div", { class: "components" }, components(message.components, message)),
  ];
}

function thinking(message) {
  return h("p", { class: "thinking", role: "status" }, h("span", { class: "dots", "aria-hidden": "true" }, h("i"), h("i"), h("i")), `${message.author.name} is thinking…`);
}

function failure(message) {
  const text = store.failures.get(message.id);
  return text ? h("p", { class: "failure", role: "alert" }, icon("warning", 16), text) : null;
}

export function onlyYou(id, dismiss = "dismiss") {
  return h(
    "p",
    { class: "only-you" },
    icon("eye", 16),
    "Only you can see this · ",
    h("button", { type: "button", class: "as-link", "data-act": dismiss, "data-message": id }, "Dismiss message"),
  );
}

function origin(message) {
  if (message.used) {
    return h("p", { class: "origin", "data-key": "origin" }, h("b", {}, message.used.who.name), " used ", h("span", { class: "mention" }, message.used.command));
  }
  if (!message.reply) return null;
  return h(
    "p",
    { class: "origin", "data-key": "origin" },
    icon("reply", 14),
    message.reply.author && h("b", {}, message.reply.author.name),
    " ",
    h("button", { type: "button", class: "as-link", "data-act": "go-to", "data-message": message.reply.id }, message.reply.excerpt),
  );
}

function ordered() {
  return [...store.messages.values()];
}

// Show a whole channel.
export function showAll(messages, earlier) {
  store.messages = new Map(messages.map((each) => [each.id, each]));
  byId("earlier").hidden = !earlier;
  fill(list(), messages.map((each, index) => render(each, messages[index - 1])));
  fill(byId("pending"));
  follow();
  rove();
}

// Add earlier messages above without moving the visible ones.
export function showEarlier(messages, earlier) {
  const box = scroller();
  const fromEnd = box.scrollHeight - box.scrollTop;
  const first = ordered()[0];
  store.messages = new Map([...messages.map((each) => [each.id, each]), ...store.messages]);
  list().prepend(...messages.map((each, index) => render(each, messages[index - 1])));
  if (first) refresh(first.id, messages.at(-1));
  byId("earlier").hidden = !earlier;
  box.scrollTop = box.scrollHeight - fromEnd;
}

// Add or update a message. Like Discord's client, an edit forgets what was chosen in its menus.
export function upsert(message) {
  for (const key of [...store.chosen.keys()]) if (key.startsWith(`${message.id} `)) store.chosen.delete(key);
  const existing = byId(`message-${message.id}`);
  if (existing) {
    store.messages.set(message.id, message);
    redraw(existing, message, before(message.id));
    return;
  }
  const last = ordered().at(-1);
  if (last && isEarlier(message.id, last.id)) {
    store.messages.set(message.id, message);
    store.messages = new Map([...store.messages].sort(([a], [b]) => (isEarlier(a, b) ? -1 : 1)));
    const next = ordered().find((each) => isEarlier(message.id, each.id));
    byId(`message-${next.id}`).before(render(message, before(message.id)));
    refresh(next.id, message);
  } else {
    store.messages.set(message.id, message);
    list().append(render(message, last));
    if (!stuck) unseen += 1;
    drawJump();
  }
  rove();
}

export function remove(id) {
  if (!store.messages.has(id)) return;
  const all = ordered();
  const at = all.findIndex((each) => each.id === id);
  store.messages.delete(id);
  byId(`message-${id}`)?.remove();
  if (all[at + 1]) refresh(all[at + 1].id, all[at - 1]);
  rove();
}

// Redraw a message.
export function refresh(id, previous = before(id)) {
  const message = store.messages.get(id);
  const node = byId(`message-${id}`);
  if (message && node) redraw(node, message, previous);
}

// The tab index belongs to the list, not to the message: keep it.
function redraw(node, message, previous) {
  const fresh = render(message, previous);
  fresh.tabIndex = node.tabIndex;
  morph(node, fresh);
}

function before(id) {
  let previous = null;
  for (const each of store.messages.values()) {
    if (each.id === id) return previous;
    previous = each;
  }
  return previous;
}

// The tab key reaches one message, the arrow keys the others.
function rove(wanted = list().lastElementChild) {
  list().querySelector('[tabindex="0"]')?.setAttribute("tabindex", "-1");
  wanted?.setAttribute("tabindex", "0");
}

function toEnd() {
  scroller().scrollTop = scroller().scrollHeight;
}

// Show the newest message, and keep it in view.
export function follow() {
  stuck = true;
  drawJump();
  toEnd();
}

// The bar has its own row above the composer, so it covers no button of a card.
function drawJump() {
  if (stuck) unseen = 0;
  byId("jump-bar").hidden = stuck;
  byId("jump").textContent = unseen > 0 ? `${unseen} new: jump to the newest` : "Jump to the newest message";
}

export function watchScrolling() {
  const box = scroller();
  let [top, readUntil] = [0, 0];
  const read = (until) => (readUntil = until);
  for (const kind of ["wheel", "touchmove"]) box.addEventListener(kind, () => read(performance.now() + READING), { passive: true });
  box.addEventListener("keydown", (event) => SCROLLING.includes(event.key) && read(performance.now() + READING));
  // The scroll bar belongs to the box itself.
  box.addEventListener("pointerdown", (event) => event.target === box && read(Infinity));
  document.addEventListener("pointerup", () => readUntil === Infinity && read(performance.now() + READING));
  box.addEventListener("scroll", () => {
    // Content that shrinks and grows at once moves the view up too, so the reader's own input decides.
    if (box.scrollHeight - box.scrollTop - box.clientHeight < NEAR) stuck = true;
    else if (box.scrollTop < top && performance.now() < readUntil) stuck = false;
    top = box.scrollTop;
    drawJump();
  });
  const observer = new ResizeObserver(() => stuck && toEnd());
  observer.observe(list());
  observer.observe(byId("pending"));
  observer.observe(box);
  list().addEventListener("keydown", (event) => {
    const item = event.target.closest(".message");
    if (event.target !== item) return;
    const to = { ArrowUp: item.previousElementSibling, ArrowDown: item.nextElementSibling, Home: list().firstElementChild, End: list().lastElementChild }[event.key];
    if (to) {
      event.preventDefault();
      rove(to);
      to.focus();
    }
  });
}

act("jump", follow);
act("go-to", (node) => {
  const target = byId(`message-${node.dataset.message}`);
  if (!target) return;
  stuck = false;
  target.scrollIntoView({ block: "center" });
  rove(target);
  target.focus();
});
act("reveal-container", (node) => {
  node.parentElement.setAttribute("data-live-revealed", "");
});

export const isMine = (message) => message.author.id === me().id;
