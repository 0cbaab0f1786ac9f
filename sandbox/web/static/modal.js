// Modals of the bot.
import { byId, fill, h } from "./dom.js";
import { field, valueOf } from "./fields.js";
import { icon } from "./icons.js";
import { Refusal } from "./socket.js";
import { nodes } from "./markdown.js";
import { closeSelect } from "./selects.js";
import { store } from "./store.js";

// `send` sends the values and returns whether the bot accepted them.
export function openModal(modal, send) {
  byId("modal")?.close();
  const fields = new Map();
  const dialog = h("dialog", { id: "modal", "aria-labelledby": "modal-title" });
  const alert = h("p", { id: "modal-error", class: "failure", role: "alert", hidden: true });
  const submit = h("button", { type: "submit", id: "modal-submit", class: "button primary" }, h("span", { class: "label" }, "Submit"), h("span", { class: "dots", "aria-hidden": "true" }, h("i"), h("i"), h("i")));
  const form = h(
    "form",
    { method: "dialog", novalidate: true },
    h(
      "header",
      {},
      h("h2", { id: "modal-title" }, modal.title),
      h("button", { type: "button", class: "plain", id: "modal-close", "aria-label": "Close", on: { click: () => dialog.close() } }, icon("close", 24)),
    ),
    h("div", { class: "modal-fields" }, h("p", { class: "modal-warning" }, icon("warning", 18), `This form will be submitted to ${store.world.application.name}. Do not share passwords or other sensitive information.`), modal.components.map((each) => item(each, fields, dialog))),
    alert,
    h("footer", {}, h("button", { type: "button", class: "button secondary", on: { click: () => dialog.close() } }, "Cancel"), submit),
  );
  fill(dialog, form);

  function complain(text) {
    alert.hidden = !text;
    fill(alert, text && icon("warning", 16), text);
  }

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    complain(null);
    closeSelect();
    const values = {};
    let first = null;
    for (const [id, each] of fields) {
      const { value, error } = valueOf(each);
      each.complain(error ?? null);
      if (error) first ??= each;
      else if (value !== undefined) values[id] = value;
    }
    if (first) {
      first.focus();
      return;
    }
    submit.setAttribute("data-live-busy", "");
    submit.disabled = true;
    try {
      if (await send(values)) dialog.close();
      else complain("Something went wrong. Try again.");
    } catch (refusal) {
      if (!(refusal instanceof Refusal)) throw refusal;
      const named = fields.get(refusal.field);
      if (named) {
        named.complain(refusal.message);
        named.focus();
      } else complain(refusal.message);
    } finally {
      submit.removeAttribute("data-live-busy");
      submit.disabled = false;
    }
  });
  dialog.addEventListener("close", () => {
    closeSelect();
    dialog.remove();
  });
  document.body.append(dialog);
  dialog.showModal();
  [...fields.values()][0]?.focus();
}

function item(each, fields, dialog) {
  switch (each.type) {
    case 1:
      return each.components.map((child) => item({ type: 18, label: child.label ?? "", component: child }, fields, dialog));
    case 10:
      return h("div", { class: "text" }, nodes(each.tree));
    case 18: {
      const made = field(each, dialog);
      fields.set(each.component.custom_id, made);
      return made.node;
    }
    default:
      return h("p", { class: "unknown" }, `A field of type ${each.type}, which this page does not know.`);
  }
}
