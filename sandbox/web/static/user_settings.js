// Who sits here, beyond the name: the app on their account, their language, and posts of another app to try things on.
import { h } from "./dom.js";
import { ask } from "./socket.js";
import { say } from "./actions.js";
import { store } from "./store.js";

const EXAMPLES = [["embed", "An embed with a picture"], ["gallery", "A gallery"]];

// The panel's part. `again` shows the person anew, with what they are now offered.
export function personSection(again) {
  const { me, languages } = store.world;
  const set = (what, body) => ask(what, body).then(again).catch(say);
  const language = h("select", { id: "person-language" }, Object.entries(languages).map(([value, name]) => h("option", { value }, name)));
  language.value = me.language;
  language.addEventListener("change", () => set("language", { language: language.value }));
  const app = h("input", { type: "checkbox", id: "person-app", checked: me.has_app });
  app.addEventListener("change", () => set("install", { on: app.checked }));
  return h(
    "section",
    { "aria-labelledby": "panel-person" },
    h("h3", { id: "panel-person" }, me.name),
    h("label", { class: "choice", for: "person-app" }, app, h("span", {}, h("span", { class: "option-name" }, "Has the app on their own account"), h("span", { class: "option-note" }, "So it can be used where it is not installed, and in direct messages."))),
    h("label", { for: "person-language" }, "Language", language),
    h("p", { class: "hint" }, "Have another app post here, to try the menus of a message on:"),
    h("div", { class: "buttons" }, EXAMPLES.map(([way, label]) => h("button", { type: "button", id: `example-${way}`, class: "button secondary", on: { click: () => ask("example", { way, channel: store.channel }).catch(say) } }, label))),
  );
}
