// The age gate of a restricted channel, shown once per server and person while the tab is open.
import { act, byId, fill, h } from "./dom.js";
import { icon } from "./icons.js";
import { me } from "./store.js";

const keyOf = (channel) => `adult ${me().account} ${channel.guild}`;

export const isGated = (channel) => Boolean(channel?.nsfw) && sessionStorage.getItem(keyOf(channel)) === null;

// Show the gate in place of the channel. `enter` and `back` are called by its two buttons.
export function showGate(channel, { enter, back }) {
  act("gate-enter", () => {
    sessionStorage.setItem(keyOf(channel), "yes");
    enter();
  });
  act("gate-back", back);
  document.body.setAttribute("data-gated", "");
  const gate = byId("gate");
  gate.hidden = false;
  fill(
    gate,
    h("span", { class: "gate-sign", "aria-hidden": "true" }, icon("adult", 56)),
    h("h3", { id: "gate-title" }, "This channel is age-restricted"),
    h("p", { id: "gate-text" }, `What is shown in #${channel.name} may not be for everybody. Continue only if you are 18 or older and want to see it.`),
    h(
      "div",
      { class: "gate-answers" },
      h("button", { type: "button", class: "button secondary", id: "gate-back", "data-act": "gate-back" }, "Go back"),
      h("button", { type: "button", class: "button danger", id: "gate-enter", "data-act": "gate-enter", "aria-describedby": "gate-text" }, "Continue"),
    ),
  );
  gate.onkeydown = (event) => {
    if (event.key === "Escape") back();
  };
  byId("gate-back").focus({ preventScroll: true });
}

export function hideGate() {
  document.body.removeAttribute("data-gated");
  byId("gate").hidden = true;
  fill(byId("gate"));
}
