// Pictures and files: galleries, thumbnails, attachments, and the lightbox.
import { act, h, morphInto } from "./dom.js";
import { icon } from "./icons.js";

export function sizeOf(bytes) {
  if (bytes === null || bytes === undefined) return "";
  if (bytes < 1024) return `${bytes} bytes`;
  return bytes < 1_048_576 ? `${(bytes / 1024).toFixed(2)} KB` : `${(bytes / 1_048_576).toFixed(2)} MB`;
}

const isPicture = (media) => media.src && media.type.startsWith("image/") && media.width;
const isFilm = (media) => media.src && media.type.startsWith("video/");

// One to ten pictures in Discord's layout. The stylesheet has the layout for each count.
export function gallery(items) {
  return h(
    "div",
    { class: "gallery", "data-count": items.length, role: "group", "aria-label": items.length === 1 ? "Picture" : `${items.length} pictures` },
    items.map((item, position) => tile(item.media, { spoiler: item.spoiler, position, alone: items.length === 1 })),
  );
}

export function thumbnail(media, spoiler) {
  return h("div", { class: "thumbnail" }, tile(media, { spoiler, position: 0, alone: false }));
}

function tile(media, { spoiler, position, alone }) {
  if (!media.src) return missing(media);
  const shown = isFilm(media)
    ? h("video", { src: media.src, controls: true, preload: "metadata" })
    : h("img", {
        src: media.src,
        alt: media.alt,
        title: media.alt || null,
        width: media.width,
        height: media.height,
        loading: "lazy",
        decoding: "async",
      });
  const ratio = alone && media.width && media.height ? { "--ratio": `${media.width} / ${media.height}`, "--width": `${media.width}px`, "--portion": String(media.width / media.height) } : {};
  return h(
    "button",
    {
      class: "tile",
      type: "button",
      "data-key": `tile-${media.src}`,
      "data-act": spoiler ? "reveal-tile" : "enlarge",
      "data-spoiler": Boolean(spoiler),
      "data-position": position,
      "aria-label": spoiler ? "Spoiler: show the picture" : `Enlarge: ${media.alt || media.name}`,
      style: ratio,
    },
    shown,
    spoiler && h("span", { class: "spoiler-sign" }, "Spoiler"),
  );
}

function missing(media) {
  const address = media.remote ?? "";
  return h(
    "div",
    { class: "tile remote", title: address },
    icon("picture", 24),
    h("span", {}, "A picture on another site. The sandbox does not load it."),
    h("code", {}, address),
  );
}

// A file under a message or in a File component.
export function fileCard(media, spoiler = false) {
  return h(
    "div",
    { class: "file-card", "data-spoiler": Boolean(spoiler), "data-act": spoiler ? "reveal-file" : null },
    icon("file", 28),
    h(
      "div",
      { class: "file-about" },
      media.src
        ? h("a", { class: "file-name", href: media.src, download: media.name, target: "_blank", rel: "noopener" }, media.name)
        : h("span", { class: "file-name" }, media.name),
      h("span", { class: "file-size" }, sizeOf(media.size)),
    ),
    spoiler && h("span", { class: "spoiler-sign" }, "Spoiler"),
  );
}

export function attachments(files) {
  const pictures = files.filter((each) => isPicture(each) || isFilm(each));
  const others = files.filter((each) => !pictures.includes(each));
  const spoilers = (media) => media.spoiler || media.name.startsWith("SPOILER_");
  return [
    pictures.length > 0 && gallery(pictures.map((media) => ({ media, spoiler: spoilers(media) }))),
    others.map((media) => fileCard(media, spoilers(media))),
  ];
}

act("reveal-tile", (tileNode) => {
  if (tileNode.hasAttribute("data-live-revealed")) enlarge(tileNode);
  else tileNode.setAttribute("data-live-revealed", "");
});
act("reveal-file", (node) => node.setAttribute("data-live-revealed", ""));
act("enlarge", enlarge);

function enlarge(tileNode) {
  const tiles = [...tileNode.parentElement.querySelectorAll(".tile:has(img)")].filter(
    (each) => each.dataset.spoiler === undefined || each.hasAttribute("data-live-revealed"),
  );
  let at = tiles.indexOf(tileNode);
  if (at < 0) return;
  // The dialog itself takes the focus: a key still held down must not press anything in it.
  const dialog = h("dialog", { id: "lightbox", "aria-label": "Picture", tabindex: "-1", autofocus: true });

  function show() {
    const picture = tiles[at].querySelector("img");
    const several = tiles.length > 1;
    morphInto(
      dialog,
      h("img", { src: picture.getAttribute("src"), alt: picture.alt }),
      h(
        "div",
        { class: "lightbox-bar" },
        several && h("button", { type: "button", class: "plain", "aria-label": "Previous picture", on: { click: () => step(-1) } }, icon("left", 24)),
        h("p", {}, picture.alt || "No description", several && ` (${at + 1} of ${tiles.length})`),
        several && h("button", { type: "button", class: "plain", "aria-label": "Next picture", on: { click: () => step(1) } }, icon("right", 24)),
        h("a", { href: picture.getAttribute("src"), target: "_blank", rel: "noopener", class: "plain", "aria-label": "Open in a new tab" }, icon("link")),
        h("button", { type: "button", class: "plain", id: "lightbox-close", "aria-label": "Close", on: { click: () => dialog.close() } }, icon("close", 24)),
      ),
    );
  }

  function step(by) {
    at = (at + by + tiles.length) % tiles.length;
    show();
  }

  dialog.addEventListener("keydown", (event) => {
    if (event.key === "ArrowLeft") step(-1);
    if (event.key === "ArrowRight") step(1);
  });
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  dialog.addEventListener("close", () => {
    dialog.remove();
    // The browser has given the focus back before, and the person may have moved it since.
    if (document.activeElement === document.body) tileNode.focus();
  });
  show();
  document.body.append(dialog);
  dialog.showModal();
}
