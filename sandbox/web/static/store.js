// What the page knows: who sits here, where, and what is there. Changed only by main.js and the parts that own a field.

export const store = {
  world: null, // people, guilds, channels and roles as this person sees them
  channel: null, // the id of the open channel
  messages: new Map(), // the open channel's, by id
  commands: [],
  menus: [],
  panel: null, // how the bot is and what is broken
  unread: new Set(), // ids of channels
  failures: new Map(), // what went wrong with a message's components, by message id
  chosen: new Map(), // what was chosen in a message's select, by `message custom_id`
};

export const me = () => store.world?.me;

export function channels() {
  return store.world ? [...store.world.guilds.flatMap((guild) => guild.channels), ...directs()] : [];
}

// The direct message with the bot, then those among people.
export const directs = () => [store.world.direct, ...store.world.private];

export const channelOf = (id) => channels().find((each) => each.id === id);

export const guildHere = () => store.world?.guilds.find((each) => each.id === channelOf(store.channel)?.guild);

export const person = (id) => store.world?.people.find((each) => each.id === id);

// Who can be picked here: the server's members, or both sides of a direct message.
export function people() {
  const guild = guildHere();
  if (guild) return store.world.people.filter((each) => guild.members.includes(each.id));
  const among = channelOf(store.channel)?.people ?? [];
  return store.world.people.filter((each) => (among.length > 0 ? among.includes(each.id) : each.id === store.world.application.bot || each.id === me().id));
}

export const roles = () => guildHere()?.roles ?? [];

// Ids are numbers too large for JavaScript's; longer is later, and of the same length the order of texts is theirs.
export const isEarlier = (a, b) => a.length < b.length || (a.length === b.length && a < b);

const HUES = [235, 145, 25, 335, 195, 275];

export function hueOf(id) {
  let sum = 0;
  for (const digit of id) sum = (sum * 31 + digit.charCodeAt(0)) % 997;
  return HUES[sum % HUES.length];
}
