// The socket to the sandbox: requests with replies, events, and reconnection.

export class Refusal extends Error {
  constructor(refused) {
    super(refused.text);
    this.field = refused.field ?? null;
  }
}

const listeners = new Map();
const asked = new Map();
let socket = null;
let number = 0;
let pause = 250;

// Listen to "open", "lost", and the sandbox's events.
export function on(event, run) {
  listeners.set(event, [...(listeners.get(event) ?? []), run]);
}

function emit(event, value) {
  for (const run of listeners.get(event) ?? []) run(value);
}

// Send a request. Resolves to its result, or throws a `Refusal` with the reason.
export function ask(what, body = {}) {
  return new Promise((resolve, reject) => {
    if (socket?.readyState !== WebSocket.OPEN) {
      reject(new Refusal({ text: "The sandbox does not answer. Nothing was sent." }));
      return;
    }
    number += 1;
    asked.set(number, { resolve, reject });
    socket.send(JSON.stringify({ ...body, n: number, do: what }));
  });
}

export function connect() {
  socket = new WebSocket(`ws://${location.host}/sandbox/page/socket`);
  socket.addEventListener("open", () => {
    pause = 250;
    emit("open");
  });
  socket.addEventListener("message", (event) => received(JSON.parse(event.data)));
  socket.addEventListener("close", async () => {
    for (const { reject } of asked.values()) reject(new Refusal({ text: "The connection to the sandbox was lost." }));
    asked.clear();
    emit("lost", { refused: await isRefused() });
    setTimeout(connect, pause);
    pause = Math.min(pause * 2, 4000);
  });
}

// True if a sandbox answers that does not know this tab's token. A closed socket does not say why.
async function isRefused() {
  try {
    return (await fetch("/sandbox/page/static/icon.svg", { cache: "no-store" })).status === 403;
  } catch {
    return false;
  }
}

function received(message) {
  if (message.event) {
    emit(message.event, message);
    return;
  }
  const waiting = asked.get(message.n);
  if (!waiting) return;
  asked.delete(message.n);
  if (message.refused) waiting.reject(new Refusal(message.refused));
  else waiting.resolve(message.ok);
}

// Upload a file, and return its id.
export async function upload(file) {
  const type = file.type || "application/octet-stream";
  const answer = await fetch(`/sandbox/page/uploads?name=${encodeURIComponent(file.name)}`, {
    method: "POST",
    body: file,
    headers: { "Content-Type": type },
  });
  let body;
  try {
    body = await answer.json();
  } catch {
    throw new Refusal({ text: "The file could not be uploaded." });
  }
  if (body.refused) throw new Refusal(body.refused);
  return body.ok;
}
