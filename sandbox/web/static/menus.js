// The menus of a message and of a person, with the bot's own commands under "Apps".
import { act, byId, h } from "./dom.js";
import { say, use } from "./actions.js";
import { Refusal, ask } from "./socket.js";
import { answer } from "./composer.js";
import { QUICK, react, watchReactions } from "./reactions.js";
import { channelOf, directs, store } from "./store.js";
import { threadItems } from "./threads.js";

let close = null;

function openMenu(label, at, items, back) {
  close?.();
  const menu = h("div", { class: "menu popup", role: "menu", "aria-label": label, tabindex: "-1" });
  for (const item of items) {
    menu.append(
      item.title
        ? h("p", { class: "popup-title", role: "presentation" }, item.title)
        : h("button", { type: "button", role: "menuitem", tabindex: "-1", class: "menu-item", disabled: Boolean(item.disabled), "data-menu": item.name, on: { click: () => run(item) } }, item.label ?? item.name),
    );
  }

  function run(item) {
    end();
    item.run();
  }

  function end() {
    close = null;
    document.removeEventListener("pointerdown", outside, true);
    menu.remove();
    back?.focus({ preventScroll: true });
  }

  const outside = (event) => menu.contains(event.target) || end();
  menu.addEventListener("keydown", (event) => {
    const all = [...menu.querySelectorAll('[role="menuitem"]:not(:disabled)')];
    const here = all.indexOf(document.activeElement);
    const to = { ArrowDown: here + 1, ArrowUp: here - 1 + (here < 0 ? 1 : 0), Home: 0, End: all.length - 1 }[event.key];
    if (to !== undefined) {
      event.preventDefault();
      all.at(to % all.length)?.focus();
    } else if (event.key === "Escape" || event.key === "Tab") {
      event.preventDefault();
      end();
    }
  });
  close = end;
  document.body.append(menu);
  const box = menu.getBoundingClientRect();
  menu.style.left = `${Math.max(8, Math.min(at.x, window.innerWidth - box.width - 8))}px`;
  menu.style.top = `${Math.max(8, Math.min(at.y, window.innerHeight - box.height - 8))}px`;
  document.addEventListener("pointerdown", outside, true);
  (menu.querySelector('[role="menuitem"]:not(:disabled)') ?? menu).focus();
}

function apps(kind, body) {
  const offered = store.menus.filter((each) => each.kind === kind);
  if (offered.length === 0) return [{ title: "Apps" }, { name: "No app commands here", disabled: true }];
  return [
    { title: "Apps" },
    ...offered.map((each) => ({
      name: each.name,
      label: each.label,
      run: () =>
        use("menu", { ...body, kind, name: each.name, channel: store.channel }, each.name).catch((error) => {
          if (!(error instanceof Refusal)) throw error;
          say(error);
        }),
    })),
  ];
}

const copy = (text) => navigator.clipboard?.writeText(text).catch(() => say("The browser did not allow copying."));

function messageMenu(id, at, back) {
  const message = store.messages.get(id);
  if (!message) return;
  openMenu(
    "Message",
    at,
    [
      ...apps("message", { target: id }),
      { title: "Message" },
      ...(message.only || message.loading ? [] : [{ name: "Add reaction", run: () => reactMenu(id, at, back) }]),
      ...(message.only || message.loading || message.notice ? [] : [{ name: message.pinned ? "Unpin message" : "Pin message", run: () => ask("pin", { message: id, on: !message.pinned }).catch(say) }]),
      ...(message.only || message.loading || !channelOf(store.channel)?.writable ? [] : [{ name: "Reply", run: () => answer(message) }]),
      ...(message.only || message.loading ? [] : [{ name: "Forward", run: () => forwardMenu(id, at, back) }]),
      ...(message.raw ? [{ name: "Copy text", run: () => copy(message.raw) }] : []),
      { name: "Copy message ID", run: () => copy(id) },
      ...threadItems(say),
    ],
    back,
  );
}

function reactMenu(id, at, back) {
  openMenu("Add a reaction", at, QUICK.map((emoji) => ({ name: emoji, run: () => react(id, emoji, true).catch(say) })), back);
  document.querySelector(".menu").classList.add("emoji-menu");
}

// The targets for forwarding: all channels this person may write in.
function forwardMenu(id, at, back) {
  const to = (sign) => (each) => ({ name: `${sign}${each.name}`, run: () => ask("forward", { message: id, channel: each.id }).catch(say) });
  const writable = (list) => list.filter((each) => each.writable);
  openMenu(
    "Forward to",
    at,
    [
      ...store.world.guilds.flatMap((guild) => [{ title: `Forward to ${guild.name}` }, ...writable(guild.channels).map(to("#"))]),
      { title: "Forward to a person" },
      ...writable(directs()).map(to("@")),
    ],
    back,
  );
}

const below = (node) => {
  const box = node.getBoundingClientRect();
  return { x: box.left, y: box.bottom + 4 };
};

act("react-menu", (node) => reactMenu(node.dataset.message, below(node), node));
act("message-menu", (node) => messageMenu(node.dataset.message, below(node), node));
act("person-menu", (node) => {
  const id = node.dataset.person;
  openMenu("Person", below(node), [...apps("user", { target: id }), { title: "Person" }, { name: "Copy user ID", run: () => copy(id) }], node);
});

export function watchMenus() {
  watchReactions(say);
  byId("messages").addEventListener("contextmenu", (event) => {
    const item = event.target.closest(".message");
    // Links and pictures keep the browser's own menu.
    if (!item || event.target.closest("a, img, input, textarea") || window.getSelection()?.toString()) return;
    event.preventDefault();
    const box = item.getBoundingClientRect();
    const keyed = event.clientX === 0 && event.clientY === 0;
    messageMenu(item.dataset.key, keyed ? { x: box.left + 60, y: box.top + 30 } : { x: event.clientX, y: event.clientY }, item);
  });
}
