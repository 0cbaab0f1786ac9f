// Reactions under a message: chips to press, and the choice of another emoji.
import { act, h } from "./dom.js";
import { icon } from "./icons.js";
import { ask } from "./socket.js";
import { me, person } from "./store.js";

export const QUICK = ["⭐", "❤️", "👍", "👎", "😂", "😮", "🎉", "🔥", "🎨", "👀", "✅", "❌"];

const NAMES = 10; // people named in a chip's title

export function reactions(message) {
  if (!message.reactions?.length) return null;
  return h(
    "div",
    { class: "reactions", role: "group", "aria-label": "Reactions", "data-key": "reactions" },
    message.reactions.map((each) => chip(each, message.id)),
    h("button", { type: "button", class: "reaction add", "data-key": "add-reaction", "data-act": "react-menu", "data-message": message.id, "aria-label": "Add a reaction", "aria-haspopup": "menu" }, icon("smile", 18)),
  );
}

function chip({ emoji, people }, message) {
  const mine = people.includes(me().id);
  const named = people.slice(0, NAMES).map((id) => person(id)?.name ?? "Somebody");
  const more = people.length > NAMES ? ` and ${people.length - NAMES} more` : "";
  return h(
    "button",
    {
      type: "button",
      class: "reaction",
      "data-key": `reaction-${emoji}`,
      "data-act": "react",
      "data-message": message,
      "data-emoji": emoji,
      "aria-pressed": String(mine),
      "aria-label": `${emoji}, ${people.length}`,
      title: `${named.join(", ")}${more}`,
    },
    h("span", { class: "emoji" }, emoji),
    h("span", { class: "count" }, String(people.length)),
  );
}

// The counts alone, for a list of posts.
export function reactionCounts(list) {
  return list.map(({ emoji, people }) => h("span", { class: "reaction-count" }, emoji, " ", String(people.length)));
}

export const react = (message, emoji, on) => ask("react", { message, emoji, on });

// `failed` shows a refusal.
export function watchReactions(failed) {
  act("react", (node) => react(node.dataset.message, node.dataset.emoji, node.getAttribute("aria-pressed") !== "true").catch(failed));
}
