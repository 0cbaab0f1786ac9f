// The page's entry point: the current person, the open channel, and the handlers of events.
import { act, byId, fill } from "./dom.js";
import { buildComposer, refreshComposer } from "./composer.js";
import { say } from "./actions.js";
import { hideGate, isGated, showGate } from "./age_gate.js";
import { hideForum, isForum, showForum } from "./forum.js";
import { icon } from "./icons.js";
import { ask, connect, on } from "./socket.js";
import { watchMenus } from "./menus.js";
import { isMine, remove, showAll, showEarlier, upsert, watchScrolling } from "./messages.js";
import { buildPanel, showPanel, watchLedger } from "./panel.js";
import { showAutomod } from "./automod.js";
import { showServers } from "./server_admin.js";
import { buildSidebar, closeSidebar, drawSidebar } from "./sidebar.js";
import { channelOf, channels, me, store } from "./store.js";

// The token is only for the first visit: remove it from the address and the history.
if (location.search) history.replaceState(null, "", location.pathname + location.hash);

async function become(who) {
  const same = me()?.account === who; // after a lost connection
  store.world = await ask("be", { who });
  store.failures.clear();
  store.chosen.clear();
  store.unread.clear();
  sessionStorage.setItem("who", store.world.me.account);
  store.panel = store.world.panel;
  buildPanel(() => become(who).catch(say));
  const kept = sessionStorage.getItem("channel");
  const open = [store.channel, kept].find((id) => channelOf(id)) ?? channels()[0].id;
  await openChannel(open, { keep: same, moves: same });
  watchLedger();
}

let opening = 0; // counts openings: only the latest one may be shown when its reply comes

// `keep` keeps what was typed; `moves` does so in another channel too, as ids are new after a restart of the sandbox.
async function openChannel(id, { keep = false, moves = false } = {}) {
  const channel = channelOf(id);
  if (!channel) return;
  opening += 1;
  if (isGated(channel)) {
    holdBack(channel);
    return;
  }
  const mine = opening;
  const answer = await ask("open", { channel: id });
  if (mine !== opening) return;
  const moved = store.channel !== id;
  store.channel = id;
  sessionStorage.setItem("channel", id);
  store.unread.delete(id);
  store.commands = answer.commands;
  store.menus = answer.menus;
  hideGate();
  drawSidebar();
  showServers();
  showAutomod();
  showAll(answer.messages, answer.earlier);
  if (answer.posts) showForum(channel, answer.posts);
  else hideForum();
  refreshComposer({ keep: keep && (moves || !moved) });
}

// An age-restricted channel shows nothing before the person agrees.
function holdBack(channel) {
  const kept = channelOf(sessionStorage.getItem("channel"));
  store.channel = channel.id;
  store.commands = [];
  store.menus = [];
  hideForum();
  drawSidebar();
  showAll([], false);
  refreshComposer();
  showGate(channel, {
    enter: () => visit(channel.id),
    back: () => visit((kept && !isGated(kept) ? kept : channels().find((each) => !isGated(each))).id),
  });
}

// Open a channel and set the focus. On a phone the focus must not open the keyboard.
async function visit(id) {
  try {
    await openChannel(id);
  } catch (error) {
    say(error);
    return;
  }
  if (isGated(channelOf(store.channel))) return;
  if (isForum(channelOf(store.channel))) byId("forum").focus();
  else byId(matchMedia("(hover: hover)").matches ? "message-input" : "scroller").focus();
}

async function refreshCommands() {
  const here = channelOf(store.channel);
  if (!here || isGated(here)) return;
  if (isForum(here)) {
    await refreshPosts();
    return;
  }
  const answer = await ask("open", { channel: store.channel });
  store.commands = answer.commands;
  store.menus = answer.menus;
  refreshComposer({ keep: true });
}

// Draw the open forum again. Changes that come together are drawn once.
let drawing = 0;

function refreshPostsSoon() {
  clearTimeout(drawing);
  drawing = setTimeout(() => refreshPosts().catch(say), 100);
}

async function refreshPosts() {
  const here = channelOf(store.channel);
  if (!isForum(here) || isGated(here)) return;
  const answer = await ask("open", { channel: here.id });
  if (store.channel === here.id) showForum(channelOf(here.id), answer.posts);
}

act("open-channel", (node) => {
  closeSidebar();
  visit(node.dataset.channel);
});
act("earlier", async () => {
  const first = store.messages.keys().next().value;
  const answer = await ask("earlier", { channel: store.channel, before: first }).catch(say);
  if (answer) showEarlier(answer.messages, answer.earlier);
});

// The place to go to from a deleted thread.
const parentOf = (channel) => channelOf(channel?.parent)?.id;

on("message", ({ message }) => {
  const here = channelOf(store.channel);
  if (message.channel === store.channel && !isGated(here)) {
    store.failures.delete(message.id);
    upsert(message);
    return;
  }
  // A new thread's first message comes before the world with the thread.
  const unread = message.channel !== store.channel && !isMine(message);
  if (unread && !store.unread.has(message.channel)) {
    store.unread.add(message.channel);
    drawSidebar();
  }
  if (isForum(here) && channelOf(message.channel)?.parent === here.id) refreshPostsSoon();
});
on("gone", ({ message, channel }) => {
  if (channel === store.channel) remove(message);
  else if (isForum(channelOf(store.channel))) refreshPostsSoon();
});
on("panel", ({ panel }) => showPanel(panel));
on("world", ({ world }) => {
  if (!store.world) return;
  const before = channelOf(store.channel);
  Object.assign(store.world, world);
  if (channelOf(store.channel)) {
    drawSidebar();
    showServers();
    refreshCommands().catch(say);
  } else visit(parentOf(before) ?? channels()[0].id);
});
on("commands", () => refreshCommands().catch(say));
on("open", async () => {
  byId("link-state").hidden = true;
  try {
    await become(sessionStorage.getItem("who") ?? "member");
    document.body.setAttribute("data-ready", "");
  } catch (error) {
    say(error);
  }
});
on("lost", ({ refused }) => {
  byId("link-state").textContent = refused
    ? "The sandbox was restarted: open the new address. Its terminal shows it."
    : "The connection to the sandbox is lost. The page reconnects when the sandbox is back.";
  byId("link-state").hidden = false;
});

function drawTheme() {
  const dark = document.documentElement.dataset.theme ? document.documentElement.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  const button = byId("toggle-theme");
  fill(button, icon(dark ? "sun" : "moon", 22));
  button.setAttribute("aria-label", dark ? "Light theme" : "Dark theme");
  return dark;
}

act("toggle-theme", () => {
  document.documentElement.dataset.theme = drawTheme() ? "light" : "dark";
  localStorage.setItem("theme", document.documentElement.dataset.theme);
  drawTheme();
});

act("close-welcome", () => {
  localStorage.setItem("welcomed", "yes");
  byId("welcome").hidden = true;
});

fill(byId("close-welcome"), icon("close", 18));
byId("welcome").hidden = localStorage.getItem("welcomed") !== null;
fill(byId("toggle-panel"), icon("tools", 22));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawTheme);
drawTheme();
buildSidebar({ become: (who) => become(who).catch(say) });
buildComposer();
watchScrolling();
watchMenus();
connect();
