// DOM nodes of a parsed text. Every text becomes a text node, every kind is listed here.
import { act, h, textNode } from "./dom.js";
import { channelOf } from "./store.js";
import { timestamp } from "./time.js";

const MESSAGE = /^https:\/\/discord\.com\/channels\/(?:\d+|@me)\/(\d+)\/(\d+)$/;
const PLAIN = { strong: "strong", em: "em", u: "u", s: "s", li: "li", h1: "h3", h2: "h4", h3: "h5" };

export function nodes(tree) {
  return tree.map(node);
}

function node(each) {
  if (typeof each === "string") return textNode(each);
  const children = each.c ? nodes(each.c) : [];
  if (each.t in PLAIN) return h(PLAIN[each.t], { class: `md-${each.t}` }, children);
  switch (each.t) {
    case "p":
      return h("p", { class: "md-p", "data-gap": each.gap ? Math.min(each.gap, 4) : null }, children);
    case "br":
      return h("br");
    case "small":
      return h("p", { class: "md-small" }, children);
    case "ul":
      return h("ul", { class: "md-list" }, children);
    case "ol":
      return h("ol", { class: "md-list", start: each.start }, children);
    case "quote":
      return h("blockquote", { class: "md-quote" }, children);
    case "code":
      return h("code", { class: "md-code" }, document.createTextNode(each.v));
    case "pre":
      return h("pre", { class: "md-pre", "data-lang": each.lang || null }, h("code", {}, document.createTextNode(each.v)));
    case "spoiler":
      return h("span", { class: "md-spoiler", role: "button", tabindex: "0", "data-act": "reveal", "aria-label": "Spoiler", "aria-expanded": "false" }, h("span", {}, children));
    case "link":
      if (MESSAGE.test(each.href) && each.c.join() === each.href) return messageLink(each.href);
      return /^https?:\/\//i.test(each.href)
        ? h("a", { class: "md-link", href: each.href, title: each.href, target: "_blank", rel: "noopener noreferrer nofollow" }, children)
        : h("span", {}, children);
    case "time":
      return timestamp(each.at, each.style);
    case "user":
      return h("span", { class: "mention" }, each.name === null ? `<@${each.id}>` : `@${each.name}`);
    case "role":
      return h("span", { class: "mention" }, each.name === null ? "@deleted-role" : `@${each.name}`);
    case "channel":
      return each.name === null
        ? h("span", { class: "mention" }, "#unknown")
        : h("button", { class: "mention", type: "button", "data-act": "open-channel", "data-channel": each.id }, `#${each.name}`);
    case "command":
      return h("button", { class: "mention", type: "button", "data-act": "use-command", "data-command": each.name }, `/${each.name}`);
    case "emoji":
      // A server's own emoji is an image elsewhere, and this page loads nothing from elsewhere.
      return h("span", { class: "emoji-name", title: `:${each.name}:` }, `:${each.name}:`);
    default:
      return document.createTextNode("");
  }
}

// Discord shows a message's address as its channel.
function messageLink(address) {
  const [, channel, message] = MESSAGE.exec(address);
  const name = channelOf(channel)?.name;
  return name
    ? h("button", { class: "mention", type: "button", "data-act": "go-to", "data-message": message, title: address }, `#${name} › message`)
    : h("span", { class: "mention", title: address }, "#unknown › message");
}

function reveal(element) {
  element.setAttribute("data-live-revealed", "");
  element.setAttribute("aria-expanded", "true");
  element.removeAttribute("role");
}

act("reveal", reveal);

document.addEventListener("keydown", (event) => {
  const spoiler = event.target instanceof Element && event.target.matches('[data-act="reveal"]');
  if (spoiler && (event.key === "Enter" || event.key === " ")) {
    event.preventDefault();
    reveal(event.target);
  }
});
