// The current person's settings: the app on their account, language, and example posts of another app.
import { h } from "./dom.js";
import { group } from "./panel_group.js";
import { ask } from "./socket.js";
import { say } from "./actions.js";
import { store } from "./store.js";

const EXAMPLES = [["embed", "An embed with a picture"], ["gallery", "A gallery"]];

// The panel's group. `again` reloads the person and the commands offered to them.
export function userGroup(again) {
  const { me, languages } = store.world;
  const set = (what, body) => ask(what, body).then(again).catch(say);
  const language = h("select", { id: "person-language" }, Object.entries(languages).map(([value, name]) => h("option", { value }, name)));
  language.value = me.language;
  language.addEventListener("change", () => set("language", { language: language.value }));
  const app = h("input", { type: "checkbox", id: "person-app", checked: me.has_app });
  app.addEventListener("change", () => set("install", { on: app.checked }));
  const direct = h("input", { type: "checkbox", id: "person-direct", checked: me.direct_messages });
  direct.addEventListener("change", () => set("direct_messages", { on: direct.checked }));
  return group(
    "person",
    `You: ${me.name}`,
    {},
    h("label", { class: "choice", for: "person-app" }, app, h("span", {}, h("span", { class: "option-name" }, "Has the app on their own account"), h("span", { class: "option-note" }, "Makes it usable in servers without the app and in direct messages."))),
    h("label", { class: "choice", for: "person-direct" }, direct, h("span", {}, h("span", { class: "option-name" }, "Takes direct messages of the bot"))),
    h("label", { for: "person-language" }, "Language", language),
    h("p", { class: "hint" }, "Post as another app, to try the message menus:"),
    h("div", { class: "buttons" }, EXAMPLES.map(([way, label]) => h("button", { type: "button", id: `example-${way}`, class: "button secondary", on: { click: () => ask("example", { way, channel: store.channel }).catch(say) } }, label))),
  );
}
