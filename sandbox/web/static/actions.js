// Actions with a response of the bot: pending states, and an error if no response comes.
import { act, byId, fill, h } from "./dom.js";
import { offer, walk, defaults } from "./components.js";
import { icon } from "./icons.js";
import { Refusal, ask, on } from "./socket.js";
import { avatar, author, follow, onlyYou, refresh } from "./messages.js";
import { openModal } from "./modal.js";
import { openSelect } from "./selects.js";
import { person, store } from "./store.js";

const waiting = new Map(); // interaction -> callback for its end
const early = new Map(); // interactions settled before the reply to their request

on("settled", (settled) => {
  const run = waiting.get(settled.interaction);
  waiting.delete(settled.interaction);
  if (run) run(settled);
  else early.set(settled.interaction, settled);
});

function whenSettled(interaction, run) {
  const known = early.get(interaction);
  early.delete(interaction);
  if (known) run(known);
  else waiting.set(interaction, run);
}

// Use a command or a menu. A pending row shows until the bot responds, or shows the failure.
export async function use(what, body, command) {
  const { interaction } = await ask(what, body);
  const row = pendingRow(command);
  if (what === "slash" || what === "menu") byId("pending").append(row);
  // A menu belongs to a message that stays in view.
  if (what === "slash") follow();
  whenSettled(interaction, (settled) => {
    if (settled.how === "none") failed(row);
    else row.remove();
    if (settled.modal) openForm(settled.modal, interaction);
  });
}

function pendingRow(command) {
  const bot = person(store.world.application.bot);
  return h(
    "li",
    { class: "message pending", role: "article", "data-ephemeral": true },
    h("p", { class: "origin" }, h("b", {}, store.world.me.name), " used ", h("span", { class: "mention" }, command)),
    h(
      "div",
      { class: "message-row" },
      avatar(bot),
      h("div", { class: "message-body" }, h("div", { class: "message-head" }, author(bot)), h("p", { class: "thinking", role: "status" }, h("span", { class: "dots", "aria-hidden": "true" }, h("i"), h("i"), h("i")), "Sending command…")),
    ),
  );
}

function failed(row) {
  row.classList.add("failed");
  fill(
    row.querySelector(".thinking"),
    h("span", { class: "failure", role: "alert" }, icon("warning", 16), "The application did not respond"),
  );
  row.querySelector(".message-body").append(onlyYou("", "dismiss-pending"));
}

act("dismiss-pending", (node) => node.closest(".message").remove());
act("dismiss", (node) => ask("dismiss", { message: node.dataset.message }).catch(say));

// Use a button or select of a message. The element is busy until the bot responds.
async function onMessage(node, what, body) {
  const { message } = body;
  const key = node.dataset.key;
  if (node.hasAttribute("data-live-busy")) return;
  node.setAttribute("data-live-busy", "");
  const quiet = () => byId(`message-${message}`)?.querySelector(`[data-key="${CSS.escape(key)}"]`)?.removeAttribute("data-live-busy");
  note(message, null);
  try {
    const { interaction } = await ask(what, body);
    whenSettled(interaction, (settled) => {
      quiet();
      if (settled.how === "none") note(message, "This interaction failed");
      if (settled.modal) openForm(settled.modal, interaction);
    });
  } catch (refusal) {
    quiet();
    if (!(refusal instanceof Refusal)) throw refusal;
    note(message, refusal.message);
  }
}

function note(message, text) {
  if (text) store.failures.set(message, text);
  else if (!store.failures.delete(message)) return;
  refresh(message);
}

act("press", (node) => onMessage(node, "press", { message: node.dataset.message, custom_id: node.dataset.customId }));

act("open-select", (node) => {
  const { message, customId } = node.dataset;
  const menu = [...walk(store.messages.get(message)?.components ?? [])].find((each) => each.custom_id === customId);
  if (!menu) return;
  const key = `${message} ${customId}`;
  openSelect(node, {
    ...offer(menu),
    chosen: store.chosen.get(key) ?? defaults(menu),
    done: (values) => {
      store.chosen.set(key, values);
      refresh(message);
      const now = byId(`message-${message}`)?.querySelector(`[data-key="${CSS.escape(node.dataset.key)}"]`) ?? node;
      onMessage(now, "choose", { message, custom_id: customId, values });
    },
  });
});

function openForm(modal, interaction) {
  openModal(modal, (values) => sendForm(interaction, values));
}

// Send a form. The form itself shows its errors.
async function sendForm(interaction, values) {
  const sent = await ask("fill", { interaction, values });
  return new Promise((resolve) => {
    whenSettled(sent.interaction, (settled) => {
      resolve(settled.how !== "none");
      // The response may be another form: open it once this one is closed.
      if (settled.modal) setTimeout(() => openForm(settled.modal, sent.interaction), 0);
    });
  });
}

// Show a short message at the bottom for five seconds.
export function say(error) {
  if (!(error instanceof Refusal)) console.error(error);
  const text = error instanceof Error ? error.message : String(error);
  const line = h("p", { class: "toast", role: "alert" }, text);
  document.body.append(line);
  setTimeout(() => line.remove(), 5000);
}
