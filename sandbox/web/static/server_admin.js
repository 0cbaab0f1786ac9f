// The panel's groups of a server: its roles, its channels with the rights there, its people and the bot.
import { act, byId, h, morphInto } from "./dom.js";
import { group, nameForm, toggle } from "./panel_group.js";
import { ask } from "./socket.js";
import { say } from "./actions.js";
import { guildHere, me, person, store } from "./store.js";

const RIGHTS = ["Administrator", "Manage Server", "Manage Messages", "Manage Threads", "Pin Messages", "Moderate Members"];
const BOT_RIGHTS = [
  "View Channel", "Send Messages", "Send Messages in Threads", "Create Public Threads", "Embed Links", "Attach Files",
  "Read Message History", "Use External Emojis", "Add Reactions", "Manage Messages", "Manage Threads", "Pin Messages",
];
const OUTSIDE = "Open a channel of a server to see this.";

let chosenPerson = null; // the person shown in the roles
let chosenBy = null; // the account of the page that chose them
let chosenRole = null; // the role shown with its rights
let chosenWhose = "bot"; // whose rights are shown: the bot's or everyone's
let chosenChannel = null; // the channel shown with the rights there

const here = () => store.panel?.servers.find((each) => each.id === guildHere()?.id);
const change = (what, body) => ask(what, { guild: here()?.id, ...body }).catch(say);

export function rolesGroup() {
  const select = h("select", { id: "roles-person", on: { change: () => {
    chosenPerson = select.value;
    showServers();
  } } });
  const role = h("select", { id: "roles-role", on: { change: () => {
    chosenRole = role.value;
    showServers();
  } } });
  return group(
    "roles",
    "Roles",
    {},
    h("p", { class: "hint", id: "roles-place" }),
    h("label", { for: "roles-person", id: "roles-person-label" }, "Person", select),
    h("div", { class: "toggles", id: "person-roles", role: "group", "aria-label": "Roles of this person" }),
    h("label", { for: "roles-role", id: "roles-role-label" }, "Rights of a role", role),
    h("div", { class: "toggles", id: "role-rights", role: "group", "aria-label": "Rights of this role" }),
    h("div", { class: "buttons", id: "role-delete" }),
    nameForm("new-role", "New role", "Create", createRole),
  );
}

// Create a channel and show it, as the bot's rights there come next.
async function createChannel(name) {
  const kind = byId("new-channel-kind").value;
  chosenChannel = (await change("channel", { action: "create", name, kind }))?.channel ?? chosenChannel;
  showServers();
}

// Create a role and show it, as its rights and members come next.
async function createRole(name) {
  chosenRole = (await change("role", { action: "create", name }))?.role ?? chosenRole;
  showServers();
}

export function channelsGroup() {
  const select = h("select", { id: "rights-channel", on: { change: () => {
    chosenChannel = select.value;
    showServers();
  } } });
  const whose = h("select", { id: "rights-whose", on: { change: () => {
    chosenWhose = whose.value;
    showServers();
  } } }, h("option", { value: "bot" }, "The bot"), h("option", { value: "everyone" }, "Members without roles"));
  whose.value = chosenWhose;
  return group(
    "channels",
    "Channels and rights in them",
    {},
    h("p", { class: "hint", id: "channels-place" }),
    h("label", { for: "rights-channel", id: "rights-channel-label" }, "Channel", select),
    h("label", { for: "rights-whose", id: "rights-whose-label" }, "Whose rights there", whose),
    h("div", { class: "toggles", id: "bot-rights", role: "group", "aria-label": "Rights in this channel" }),
    h("div", { class: "buttons", id: "channel-delete" }),
    nameForm("new-channel", "New channel", "Create", createChannel),
    h("label", { for: "new-channel-kind", id: "new-channel-kind-label" }, "Kind of the new channel", h("select", { id: "new-channel-kind" }, h("option", { value: "text" }, "Text"), h("option", { value: "forum" }, "Forum"))),
  );
}

export function serversGroup() {
  const language = h("select", { id: "server-language", on: { change: () => change("server", { action: "language", language: language.value }) } });
  const owner = h("select", { id: "app-owner", on: { change: () => ask("app_owner", { user: owner.value }).catch(say) } });
  return group(
    "servers",
    "Servers and people",
    {},
    h("p", { class: "hint", id: "server-place" }),
    h("div", { class: "buttons", id: "server-bot" }),
    h("h4", { id: "server-people-title" }, "People in this server"),
    h("div", { class: "toggles", id: "server-people", role: "group", "aria-labelledby": "server-people-title" }),
    h("label", { for: "server-language", id: "server-language-label" }, "Language of this server", language),
    nameForm("new-server", "New server of yours", "Create", (name) => ask("server", { action: "create", name }).catch(say)),
    h("label", { for: "app-owner" }, "Owner of the application", owner),
  );
}

// Draw the three groups again from the panel's state.
export function showServers() {
  if (!byId("roles-person")) return;
  const server = here();
  showRoles(server);
  showServer(server);
  showRights(server);
  options(byId("app-owner"), store.world.could_be.map((each) => [each.id, each.name]), store.panel.app_owner);
}

function showRoles(server) {
  const place = byId("roles-place");
  place.textContent = server ? `In ${server.name}. Press a role to give or take it.` : OUTSIDE;
  for (const id of ["roles-person-label", "person-roles", "roles-role-label", "role-rights", "role-delete"]) byId(id).hidden = !server;
  byId("new-role").closest("form").hidden = !server;
  if (!server) return;
  if (chosenBy !== me().account || !server.members.some((each) => each.id === chosenPerson)) chosenPerson = memberOf(server, me().id)?.id ?? server.members[0].id;
  chosenBy = me().account;
  options(byId("roles-person"), server.members.map((each) => [each.id, `${person(each.id)?.name ?? each.id}${each.owner ? " (owner)" : ""}`]), chosenPerson);
  const member = memberOf(server, chosenPerson);
  const roles = server.roles.filter((each) => !each.everyone);
  morphInto(byId("person-roles"), roles.map((each) => toggle(each.name, member.roles.includes(each.id), "switch-role", { role: each.id }, { disabled: each.fixed })));
  const role = server.roles.find((each) => each.id === chosenRole) ?? server.roles.find((each) => !each.fixed) ?? server.roles[0];
  chosenRole = role.id;
  options(byId("roles-role"), server.roles.map((each) => [each.id, `${each.name} · ${people(each)}`]), chosenRole);
  morphInto(byId("role-rights"), RIGHTS.map((right) => toggle(right, role.rights.includes(right), "switch-right", { right })));
  morphInto(byId("role-delete"), !role.fixed && h("button", { type: "button", id: "delete-role", "data-key": role.id, class: "button danger", "data-act": "delete-role" }, `Delete ${role.name}`));
}

const people = (role) => (role.everyone ? "all people" : role.count === 1 ? "1 person" : `${role.count} people`);

function showServer(server) {
  byId("server-place").textContent = server ? `${server.name}: the bot is ${server.has_app ? "in it" : "not in it"}.` : OUTSIDE;
  morphInto(byId("server-bot"), server && (server.has_app
    ? h("button", { type: "button", id: "remove-bot", "data-key": "remove", class: "button danger", "data-act": "server-bot", "data-action": "remove" }, "Remove the bot")
    : h("button", { type: "button", id: "invite-bot", "data-key": "invite", class: "button success", "data-act": "server-bot", "data-action": "invite" }, "Invite the bot")));
  for (const id of ["server-people-title", "server-people", "server-language-label"]) byId(id).hidden = !server;
  if (!server) return;
  morphInto(byId("server-people"), store.world.could_be.map((each) => {
    const member = memberOf(server, each.id);
    return toggle(each.name, Boolean(member), "switch-person", { user: each.id }, { disabled: Boolean(member?.owner) });
  }));
  options(byId("server-language"), Object.entries(store.world.languages), server.language);
}

function showRights(server) {
  const channels = server?.channels ?? [];
  byId("channels-place").textContent = !server ? OUTSIDE : channels.length > 0 ? `In ${server.name}.` : `The bot is not in ${server.name}.`;
  for (const id of ["rights-channel-label", "rights-whose-label", "bot-rights"]) byId(id).hidden = channels.length === 0;
  byId("new-channel").closest("form").hidden = !server;
  byId("new-channel-kind-label").hidden = !server;
  morphInto(byId("channel-delete"));
  if (channels.length === 0) return;
  if (!channels.some((each) => each.id === chosenChannel)) chosenChannel = channels[0].id;
  options(byId("rights-channel"), channels.map((each) => [each.id, `#${each.name}`]), chosenChannel);
  const { rights, everyone, name, nsfw } = channels.find((each) => each.id === chosenChannel);
  const held = chosenWhose === "everyone" ? everyone : rights;
  morphInto(byId("channel-delete"), toggle("Age-restricted", nsfw, "switch-nsfw", { channel: chosenChannel }), h("button", { type: "button", id: "delete-channel", "data-key": chosenChannel, class: "button danger", "data-act": "delete-channel" }, `Delete #${name}`));
  morphInto(byId("bot-rights"), BOT_RIGHTS.map((right) => toggle(right, held.includes(right), "switch-bot-right", { right })));
}

const memberOf = (server, id) => server.members.find((each) => each.id === id);

function options(select, items, chosen) {
  morphInto(select, items.map(([value, name]) => h("option", { value, "data-key": value }, name)));
  select.value = chosen;
}

const isOn = (node) => node.getAttribute("aria-pressed") === "true";

act("switch-role", (node) => change("role", { action: isOn(node) ? "take" : "give", role: node.dataset.role, user: chosenPerson }));
act("switch-right", (node) => change("role", { action: "right", role: chosenRole, right: node.dataset.right, on: !isOn(node) }));
act("delete-role", () => change("role", { action: "delete", role: chosenRole }));
act("switch-person", (node) => change("membership", { user: node.dataset.user, on: !isOn(node) }));
act("switch-bot-right", (node) => ask("bot_right", { channel: chosenChannel, whose: chosenWhose, right: node.dataset.right, on: !isOn(node) }).catch(say));
act("switch-nsfw", (node) => change("channel", { action: "nsfw", channel: node.dataset.channel, on: !isOn(node) }));
act("delete-channel", () => change("channel", { action: "delete", channel: chosenChannel }));
act("server-bot", (node) => change("server", { action: node.dataset.action }));
