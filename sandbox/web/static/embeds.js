// Embeds of older kinds of messages.
import { h } from "./dom.js";
import { nodes } from "./markdown.js";
import { gallery, thumbnail } from "./media.js";
import { format } from "./time.js";

export function embed(each) {
  const colour = each.color === undefined ? {} : { "--accent": `#${each.color.toString(16).padStart(6, "0")}` };
  const title = each.title && nodes(each.title);
  const stamp = each.timestamp ? Date.parse(each.timestamp) / 1000 : null;
  const footer = [each.footer, stamp ? format(stamp, "s") : null].filter(Boolean).join(" · ");
  return h(
    "div",
    { class: "embed container", "data-accent": true, style: colour },
    h(
      "div",
      { class: "section" },
      h(
        "div",
        { class: "section-text" },
        each.author && h("p", { class: "embed-author" }, each.author),
        title && h("div", { class: "embed-title" }, safe(each.url) ? h("a", { class: "md-link", href: each.url, target: "_blank", rel: "noopener noreferrer nofollow" }, title) : title),
        each.description && h("div", { class: "text" }, nodes(each.description)),
        each.fields.length > 0 &&
          h("div", { class: "embed-fields" }, each.fields.map((field) =>
            h("div", { class: "embed-field", "data-inline": Boolean(field.inline) }, h("div", { class: "embed-name" }, nodes(field.name)), h("div", { class: "text" }, nodes(field.value))),
          )),
      ),
      each.thumbnail && thumbnail(each.thumbnail, false),
    ),
    each.image && gallery([{ media: each.image, spoiler: false }]),
    footer && h("p", { class: "md-small" }, footer),
  );
}

const safe = (url) => /^https?:\/\//i.test(url ?? "");
