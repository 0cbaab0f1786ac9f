// DOM nodes: creation and update in place. Text always becomes a text node.

const SVG = "http://www.w3.org/2000/svg";

// h("button", { class: "primary", "data-act": "press" }, "Go"). A false, null or undefined attribute is left out;
// `style` is an object of CSS properties, `on` an object of listeners, `value` and `checked` are set as properties.
export function h(tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === false || value === null || value === undefined) continue;
    if (name === "style") for (const [key, each] of Object.entries(value)) node.style.setProperty(key, each);
    else if (name === "on") for (const [key, each] of Object.entries(value)) node.addEventListener(key, each);
    else if (name === "value" || name === "checked") node[name] = value;
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  append(node, children);
  return node;
}

// A text node. A line breaks after a separating dot, never before it.
export const textNode = (text) => document.createTextNode(String(text).replaceAll(" ·", "\u00a0·"));

function append(node, children) {
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    node.append(child instanceof Node ? child : textNode(child));
  }
}

// An icon from the outlines in icons.js.
export function svg(outlines, size = 20) {
  const node = document.createElementNS(SVG, "svg");
  node.setAttribute("viewBox", "0 0 24 24");
  node.setAttribute("width", size);
  node.setAttribute("height", size);
  node.setAttribute("aria-hidden", "true");
  for (const outline of outlines) {
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("d", outline);
    node.append(path);
  }
  return node;
}

export const byId = (id) => document.getElementById(id);

export function fill(node, ...children) {
  node.replaceChildren();
  append(node, children);
}

// Make `old` look like `fresh` with as few changes as possible, and return the node now in its place.
// `data-key` keeps a node's identity among its siblings. Attributes starting with `data-live` hold the page's own
// state (a revealed spoiler, a pressed button) and stay.
export function morph(old, fresh) {
  if (old.nodeType !== fresh.nodeType || old.nodeName !== fresh.nodeName || keyOf(old) !== keyOf(fresh)) {
    old.replaceWith(fresh);
    return fresh;
  }
  if (old.nodeType === Node.TEXT_NODE) {
    if (old.data !== fresh.data) old.data = fresh.data;
    return old;
  }
  morphAttributes(old, fresh);
  morphChildren(old, fresh);
  return old;
}

// Make a node's content look like these children. Kept nodes keep their identity and the focus.
export function morphInto(node, ...children) {
  const fresh = node.cloneNode(false);
  append(fresh, children);
  morphChildren(node, fresh);
}

function morphAttributes(old, fresh) {
  for (const { name } of [...old.attributes]) {
    if (!fresh.hasAttribute(name) && !name.startsWith("data-live")) old.removeAttribute(name);
  }
  for (const { name, value } of fresh.attributes) {
    // The page's policy refuses style attributes, but allows the object model.
    if (name === "style") {
      if (old.style.cssText !== fresh.style.cssText) old.style.cssText = fresh.style.cssText;
    } else if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
}

function morphChildren(old, fresh) {
  const keyed = new Map();
  for (const child of old.childNodes) if (keyOf(child)) keyed.set(keyOf(child), child);
  let at = old.firstChild;
  for (const wanted of [...fresh.childNodes]) {
    const key = keyOf(wanted);
    const same = key ? keyed.get(key) : at && !keyOf(at) ? at : null;
    if (!same) {
      old.insertBefore(wanted, at);
      continue;
    }
    if (same !== at) old.insertBefore(same, at);
    const now = morph(same, wanted);
    at = now.nextSibling;
  }
  while (at) {
    const next = at.nextSibling;
    at.remove();
    at = next;
  }
}

const keyOf = (node) => (node.nodeType === Node.ELEMENT_NODE ? node.getAttribute("data-key") : null);

// Acts: `act("press", fn)` runs `fn(element, event)` for a click on anything with data-act="press".
const acts = new Map();

export function act(name, run) {
  acts.set(name, run);
}

document.addEventListener("click", (event) => {
  const node = event.target instanceof Element ? event.target.closest("[data-act]") : null;
  if (!node || node.disabled || node.getAttribute("aria-disabled") === "true") return;
  acts.get(node.dataset.act)?.(node, event);
});
