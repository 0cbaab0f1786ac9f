// Servers, channels, direct messages, and the current person.
import { act, byId, fill, h, morphInto } from "./dom.js";
import { isForum } from "./forum.js";
import { icon } from "./icons.js";
import { avatar } from "./messages.js";
import { channelOf, channels, directs, hueOf, me, store } from "./store.js";

export function drawSidebar() {
  const here = channelOf(store.channel);
  const guild = store.world.guilds.find((each) => each.id === here?.guild);
  const direct = store.world.direct;
  morphInto(
    byId("rail"),
    server({ id: direct.id, name: "Direct messages", channel: direct.id, active: !guild, unread: directs().some((each) => store.unread.has(each.id)) }, icon("at", 24)),
    h("hr", {}),
    store.world.guilds.map((each) =>
      server(
        { id: each.id, name: each.name, channel: each.channels[0]?.id, active: each === guild, unread: each.channels.some((channel) => store.unread.has(channel.id)) },
        initials(each.name),
      ),
    ),
  );
  byId("place-name").textContent = guild ? guild.name : "Direct messages";
  byId("place-note").hidden = !guild || guild.has_app;
  byId("place-note").textContent = `${store.world.application.name} is not installed in this server.`;
  morphInto(byId("channel-list"), guild ? guild.channels.map((each) => [channel(each), threadsOf(guild, each)]) : directs().map(channel));
  morphInto(byId("account"), account());
  byId("who").value = me().account;
  drawTop(here);
}

const initials = (name) => name.split(/\s+/).map((word) => [...word][0]).join("").slice(0, 3);

function server({ id, name, channel: to, active, unread }, sign) {
  return h(
    "button",
    { type: "button", class: "server", "data-key": id, "data-act": "open-channel", "data-channel": to, "data-unread": unread, "aria-current": active ? "true" : null, "aria-label": unread ? `${name}, unread` : name, title: name, style: { "--hue": String(hueOf(id)) } },
    sign,
  );
}

// A forum's posts are in its own list: only the open one is shown here.
function threadsOf(guild, parent) {
  const listed = guild.threads.filter((each) => each.parent === parent.id && (each.id === store.channel || (!isForum(parent) && !each.archived)));
  return listed.map((each) =>
    h(
      "button",
      { type: "button", class: "channel in-channel", "data-key": each.id, "data-act": "open-channel", "data-channel": each.id, "data-unread": store.unread.has(each.id), "aria-current": each.id === store.channel ? "page" : null },
      icon("thread", 18),
      h("span", { class: "channel-title" }, each.name),
    ),
  );
}

const hasUnreadPost = (each) => isForum(each) && channels().some((post) => post.parent === each.id && store.unread.has(post.id));

function channel(each) {
  const open = each.id === store.channel;
  const unread = store.unread.has(each.id) || hasUnreadPost(each);
  const name = [each.name, each.nsfw && "age-restricted", unread && "unread"].filter(Boolean).join(", ");
  return h(
    "button",
    { type: "button", class: "channel", id: `channel-${each.name}`, "data-key": each.id, "data-act": "open-channel", "data-channel": each.id, "data-unread": unread, "aria-current": open ? "page" : null, "aria-label": name },
    signOf(each),
    h("span", { class: "channel-title" }, each.name),
    each.nsfw && h("span", { class: "adult", title: "Age-restricted" }, "18+"),
  );
}

const signOf = (each) => icon(!each.guild ? "at" : each.nsfw ? "adult" : isForum(each) ? "forum" : each.parent ? "thread" : "hash", 20);

function account() {
  const people = store.world.could_be;
  const choice = h(
    "select",
    { id: "who", "aria-label": "Who you are" },
    people.map((each) => h("option", { value: each.account }, each.name)),
  );
  return [avatar(me()), h("div", { class: "account-about" }, h("label", { for: "who" }, "You are"), choice)];
}

function drawTop(here) {
  const parent = here?.parent && channelOf(here.parent);
  const back = parent && h("button", { type: "button", id: "to-parent", class: "as-link", "data-act": "open-channel", "data-channel": parent.id, "aria-label": `Back to ${parent.name}` }, icon("left", 20), h("span", {}, parent.name));
  fill(byId("channel-name"), back, here && signOf(here), h("span", { class: "name" }, here?.name ?? ""));
  const facts = [here?.nsfw && "Age-restricted", here?.locked && "Locked", here?.archived && "Closed", here?.topic, parent && here.tags.join(", ")];
  byId("channel-topic").textContent = facts.filter(Boolean).join(" · ");
  document.title = here ? `${!here.guild ? "@" : "#"}${here.name} · Atelier sandbox` : "Atelier sandbox";
}

function showSidebar(open) {
  document.body.toggleAttribute("data-sidebar", open);
  byId("veil").hidden = !open;
  if (open) byId("channel-list").querySelector("button")?.focus();
}

export const closeSidebar = () => showSidebar(false);

export function buildSidebar({ become }) {
  fill(byId("open-sidebar"), icon("menu", 24));
  act("open-sidebar", () => showSidebar(true));
  act("close-sidebar", closeSidebar);
  byId("account").addEventListener("change", (event) => become(event.target.value));
  byId("sidebar").addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      closeSidebar();
      byId("open-sidebar").focus();
    }
    const all = [...byId("channel-list").querySelectorAll("button")];
    const at = all.indexOf(event.target);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1 }[event.key];
    if (at >= 0 && to !== undefined) {
      event.preventDefault();
      all.at(to % all.length).focus();
    }
  });
}
