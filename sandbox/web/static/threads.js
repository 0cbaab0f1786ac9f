// Threads in the message list: notices of threads and pins, and the menu of an open thread.
import { h } from "./dom.js";
import { icon } from "./icons.js";
import { ask } from "./socket.js";
import { channelOf, store } from "./store.js";
import { written } from "./time.js";

// Return the content of a notice by Discord itself.
export function notice(message) {
  const pin = message.notice === "pin";
  return h(
    "p",
    { class: "notice" },
    icon(pin ? "pin" : "thread", 16),
    h("b", {}, message.author.name),
    pin ? " pinned " : " started a thread: ",
    pin
      ? h("button", { type: "button", class: "as-link", "data-act": "go-to", "data-message": message.reply?.id ?? "" }, "a message")
      : h("button", { type: "button", class: "as-link", "data-act": "open-channel", "data-channel": message.thread?.id ?? "" }, message.thread?.name ?? "deleted"),
    " ",
    h("time", { class: "written" }, written(message.at)),
  );
}

// The link to the thread started from a message.
export function startedThread(message) {
  if (!message.thread || message.notice) return null;
  return h("button", { type: "button", class: "thread-link", "data-act": "open-channel", "data-channel": message.thread.id }, icon("thread", 16), h("span", {}, message.thread.name), icon("right", 16));
}

// The menu items of the open thread; none in a channel.
export function threadItems(failed) {
  const thread = channelOf(store.channel);
  if (!thread?.parent) return [];
  const item = (name, action) => ({ name, run: () => ask("thread", { channel: thread.id, action }).catch(failed) });
  const post = channelOf(thread.parent)?.kind === 15;
  return [
    { title: post ? "Post" : "Thread" },
    thread.archived ? item("Reopen", "reopen") : item("Close", "archive"),
    thread.locked ? item("Unlock", "unlock") : item("Lock", "lock"),
    ...(post ? [thread.pinned ? item("Unpin from the forum", "unpin") : item("Pin to the forum", "pin")] : []),
    item("Delete with its messages", "delete"),
  ];
}
