// The page's state. Only main.js and the module of a field change it.

export const store = {
  world: null, // people, guilds, channels and roles visible to this person
  channel: null, // the id of the open channel
  messages: new Map(), // of the open channel, by id
  commands: [],
  menus: [],
  panel: null, // the bot's state and the active faults
  unread: new Set(), // ids of channels
  failures: new Map(), // errors of a message's components, by message id
  chosen: new Map(), // choices in a message's select, by `message custom_id`
};

export const me = () => store.world?.me;

export function channels() {
  return store.world ? [...store.world.guilds.flatMap((guild) => [...guild.channels, ...guild.threads]), ...directs()] : [];
}

// The direct message with the bot, then those between people.
export const directs = () => [store.world.direct, ...store.world.private];

export const channelOf = (id) => channels().find((each) => each.id === id);

export const guildHere = () => store.world?.guilds.find((each) => each.id === channelOf(store.channel)?.guild);

export const serviceName = (id) => store.world.services[id]?.name ?? id;

export const person = (id) => store.world?.people.find((each) => each.id === id);

// The people to pick here: the server's members, or both sides of a direct message.
export function people() {
  const guild = guildHere();
  if (guild) return store.world.people.filter((each) => guild.members.includes(each.id));
  const among = channelOf(store.channel)?.people ?? [];
  return store.world.people.filter((each) => (among.length > 0 ? among.includes(each.id) : each.id === store.world.application.bot || each.id === me().id));
}

export const roles = () => guildHere()?.roles ?? [];

// Ids are too large for JavaScript numbers: compare the lengths, then the texts.
export const isEarlier = (a, b) => a.length < b.length || (a.length === b.length && a < b);

const HUES = [235, 145, 25, 335, 195, 275];

export function hueOf(id) {
  let sum = 0;
  for (const digit of id) sum = (sum * 31 + digit.charCodeAt(0)) % 997;
  return HUES[sum % HUES.length];
}
