// A message's components, by the API's types.
import { h } from "./dom.js";
import { icon } from "./icons.js";
import { nodes } from "./markdown.js";
import { fileCard, gallery, thumbnail } from "./media.js";
import { guildHere, person, store } from "./store.js";

const STYLES = { 1: "primary", 2: "secondary", 3: "success", 4: "danger", 5: "link", 6: "premium" };
const ENTITY = { 5: "user", 6: "role", 7: "mentionable", 8: "channel" };
const CHOOSE = { 3: "Make a selection", 5: "Choose a member", 6: "Choose a role", 7: "Choose a member or role", 8: "Choose a channel" };

export function components(list, message) {
  return list.map((each) => component(each, message));
}

function component(each, message) {
  switch (each.type) {
    case 1:
      return h("div", { class: "row" }, components(each.components, message));
    case 2:
      return button(each, message);
    case 3:
    case 5:
    case 6:
    case 7:
    case 8:
      return select(each, message);
    case 9:
      return h(
        "div",
        { class: "section" },
        h("div", { class: "section-text" }, components(each.components, message)),
        component(each.accessory, message),
      );
    case 10:
      return h("div", { class: "text" }, nodes(each.tree));
    case 11:
      return thumbnail({ ...each.media, alt: each.description ?? "" }, each.spoiler);
    case 12:
      return gallery(each.items);
    case 13:
      return fileCard(each.file, each.spoiler);
    case 14:
      return h("hr", { class: "separator", "data-divider": each.divider !== false, "data-spacing": each.spacing ?? 1 });
    case 17:
      return container(each, message);
    default:
      return h("p", { class: "unknown" }, `Unknown component type ${each.type}.`);
  }
}

function container(each, message) {
  const accent = each.accent_color;
  const colour = accent === undefined || accent === null ? {} : { "--accent": `#${accent.toString(16).padStart(6, "0")}` };
  return h(
    "div",
    { class: "container", "data-accent": accent !== undefined && accent !== null, "data-spoiler": Boolean(each.spoiler), style: colour },
    components(each.components, message),
    each.spoiler && h("button", { class: "veil", type: "button", "data-act": "reveal-container", "aria-label": "Spoiler: show what is below" }, h("span", { class: "spoiler-sign" }, "Spoiler")),
  );
}

export function emoji(each) {
  if (!each) return null;
  return each.id ? h("span", { class: "emoji-name" }, `:${each.name}:`) : h("span", { class: "emoji", "aria-hidden": "true" }, each.name);
}

function button(each, message) {
  const style = STYLES[each.style] ?? "secondary";
  const sku = store.panel?.store.skus.find((one) => one.id === each.sku_id);
  const label = each.label ?? sku?.name ?? "";
  const name = label || (each.emoji ? each.emoji.name : style === "premium" ? "Premium" : "Button");
  if (style === "link" && /^(https?|discord):\/\//i.test(each.url ?? "") && !each.disabled) {
    return h("a", { class: "button link", href: each.url, target: "_blank", rel: "noopener noreferrer nofollow" }, emoji(each.emoji), label, icon("link", 16));
  }
  return h(
    "button",
    {
      class: `button ${style}`,
      type: "button",
      disabled: Boolean(each.disabled) || (style === "premium" && !sku) || style === "link",
      "aria-label": name,
      "data-key": each.custom_id ? `press-${each.custom_id}` : null,
      "data-act": each.custom_id ? "press" : sku ? "buy" : null,
      "data-sku": sku?.id,
      "data-message": message.id,
      "data-custom-id": each.custom_id,
    },
    emoji(each.emoji),
    style === "premium" && icon("cart", 16),
    h("span", { class: "label" }, label || (style === "premium" ? "Premium" : "")),
    h("span", { class: "dots", "aria-hidden": "true" }, h("i"), h("i"), h("i")),
  );
}

function select(each, message) {
  const chosen = store.chosen.get(`${message.id} ${each.custom_id}`) ?? defaults(each);
  const names = chosen.map((value) => nameOf(each, value));
  const label = each.placeholder || CHOOSE[each.type];
  return h(
    "button",
    {
      class: "select",
      type: "button",
      role: "combobox",
      "aria-haspopup": "listbox",
      "aria-expanded": "false",
      "aria-label": names.length > 0 ? `${label}: ${names.join(", ")}` : label,
      disabled: Boolean(each.disabled),
      "data-key": `select-${each.custom_id}`,
      "data-act": "open-select",
      "data-message": message.id,
      "data-custom-id": each.custom_id,
      "data-empty": names.length === 0,
    },
    h("span", { class: "chosen" }, names.length > 0 ? names.map((name) => h("span", { class: "pick" }, name)) : label),
    icon("down", 18),
  );
}

// Return a select's initial values.
export function defaults(each) {
  if (each.type === 3) return (each.options ?? []).filter((option) => option.default).map((option) => option.value);
  return (each.default_values ?? []).map((value) => value.id);
}

function nameOf(each, value) {
  if (each.type === 3) return each.options.find((option) => option.value === value)?.label ?? value;
  return entities(ENTITY[each.type]).find((item) => item.value === value)?.name ?? value;
}

// Return the choices of a select or an option of this kind.
export function entities(kind, { guild, people, roles, channelKinds } = current()) {
  const members = people.map((each) => ({ value: each.id, name: each.name, description: each.account }));
  const groups = roles.map((each) => ({ value: each.id, name: `@${each.name}`, description: "Role" }));
  if (kind === "user") return members;
  if (kind === "role") return groups;
  if (kind === "mentionable") return [...members, ...groups];
  const places = guild?.channels ?? [];
  return places
    .filter((each) => !channelKinds?.length || channelKinds.includes(each.kind))
    .map((each) => ({ value: each.id, name: `#${each.name}`, description: each.topic ?? "" }));
}

function current() {
  const guild = guildHere();
  const people = guild ? guild.members.map(person).filter(Boolean) : store.world.people;
  return { guild, people, roles: guild?.roles ?? [] };
}

// Return a select's items, and the least and most choices.
export function offer(each) {
  const items =
    each.type === 3
      ? each.options.map((option) => ({ value: option.value, name: option.label, description: option.description, emoji: option.emoji }))
      : entities(ENTITY[each.type], { ...current(), channelKinds: each.channel_types });
  return { items, min: each.min_values ?? 1, max: each.max_values ?? 1, filter: each.type !== 3 };
}

// Yield all components of a message or a form, at any depth.
export function* walk(list) {
  for (const each of list) {
    yield each;
    yield* walk([...(each.components ?? []), each.accessory, each.component].filter(Boolean));
  }
}
