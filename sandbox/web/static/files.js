// File input by button, drop or paste. Files are uploaded at once and sent later by id.
import { fill, h } from "./dom.js";
import { icon } from "./icons.js";
import { upload } from "./socket.js";
import { sizeOf } from "./media.js";

// A field for up to `most` files. `changed` is called at each change.
export function filePicker({ id, describedBy, most, changed = () => {} }) {
  let picked = [];
  const input = h("input", { type: "file", id, class: "file-input", multiple: most > 1, "aria-describedby": describedBy });
  const list = h("div", { class: "picked" });
  const node = h("div", { class: "file-picker", "data-files": "" }, h("label", { class: "file-drop", for: id }, icon("plus", 18), h("span", {}, most > 1 ? "Choose files, drop or paste them" : "Choose a file, drop or paste it")), input, list);

  function show() {
    fill(list, picked.map((each) => chip(each, () => take(each))));
    node.toggleAttribute("data-full", picked.length >= most);
    changed();
  }

  function take(each) {
    picked = picked.filter((other) => other !== each);
    show();
  }

  function add(files) {
    for (const file of files) {
      if (picked.length >= most) picked = picked.slice(most > 1 ? picked.length : 1);
      if (picked.length < most) picked.push(staged(file, show));
    }
    show();
  }

  input.addEventListener("change", () => {
    add(input.files);
    input.value = "";
  });
  takeDrops(node, add);
  node.addEventListener("paste", (event) => pasted(event, add));
  return {
    node,
    add,
    focus: () => input.focus(),
    clear() {
      picked = [];
      show();
    },
    full: () => picked.length >= most,
    count: () => picked.length,
    busy: () => picked.some((each) => !each.upload && !each.error),
    error: () => picked.find((each) => each.error)?.error ?? null,
    uploads: () => picked.filter((each) => each.upload).map((each) => each.upload),
  };
}

// Start the upload of a file.
export function staged(file, changed) {
  const each = { name: file.name || "pasted.png", size: file.size, preview: file.type.startsWith("image/") ? URL.createObjectURL(file) : null, upload: null, error: null };
  upload(file.name ? file : new File([file], each.name, { type: file.type }))
    .then((kept) => (each.upload = kept.upload))
    .catch((error) => (each.error = error.message))
    .finally(changed);
  return each;
}

export function chip(each, take) {
  return h(
    "div",
    { class: "file-chip", "data-state": each.error ? "wrong" : each.upload ? "ready" : "busy" },
    each.preview ? h("img", { src: each.preview, alt: "" }) : icon("file", 24),
    h("span", { class: "file-about" }, h("span", { class: "file-name" }, each.name), h("span", { class: "file-size", role: each.error ? "alert" : null }, each.error ?? (each.upload ? sizeOf(each.size) : "Uploading…"))),
    h("button", { type: "button", class: "plain", "aria-label": `Remove ${each.name}`, on: { click: take } }, icon("close", 16)),
  );
}

export function takeDrops(node, add) {
  node.addEventListener("dragover", (event) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    event.stopPropagation();
    node.setAttribute("data-drop", "");
  });
  node.addEventListener("dragleave", () => node.removeAttribute("data-drop"));
  node.addEventListener("drop", (event) => {
    node.removeAttribute("data-drop");
    if (!event.dataTransfer?.files.length) return;
    event.preventDefault();
    event.stopPropagation();
    add(event.dataTransfer.files);
  });
}

export function pasted(event, add) {
  const files = [...(event.clipboardData?.files ?? [])];
  if (files.length === 0) return;
  event.preventDefault();
  event.stopPropagation();
  add(files);
}
