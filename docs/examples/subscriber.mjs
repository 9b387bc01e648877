// Follows rtvoiced and never misses an event: docs/ipc.md, "Never miss an event".
// npm install; node subscriber.mjs [EVENT…]    one line of JSON each; without names: state
import { randomUUID } from "node:crypto";
import { Request, Subscriber } from "zeromq";

const names = process.argv.length > 2 ? process.argv.slice(2) : ["state"];
const topics = [...names, "heartbeat", "bye"];
const user = process.env.XDG_RUNTIME_DIR || `/run/user/${process.getuid()}`;
const directory = process.env.RTVOICE_RUNTIME_DIR || `${user}/rtvoice`;
const PATIENCE_MS = 3000; // Three heartbeats.

let run = null; // The daemon that we have joined.
let seq = 0; // We know everything up to here.
let seen = {}; // The last n of each event.
let arriving = null; // The daemon that welcomes us, and to what it has.
let welcomed = new Set();

const tell = (message) => console.log(JSON.stringify(message));

async function command(name, args = {}) {
  // A new socket for each try: a REQ whose reply was lost is stuck.
  const request = new Request({ linger: 0, receiveTimeout: PATIENCE_MS });
  request.connect(`ipc://${directory}/control.sock`);
  try {
    await request.send(JSON.stringify({ v: 1, id: randomUUID(), command: name, args }));
    return JSON.parse((await request.receive())[0]);
  } catch {
    return { ok: false, error: { code: "timeout" } }; // Tried again at the next message.
  } finally {
    request.close();
  }
}

async function join() {
  const reply = await command("snapshot");
  if (!reply.ok || reply.run !== arriving) return;
  ({ run, seq } = reply);
  seen = {};
  tell({ snapshot: reply.data });
}

// Replay what is missing; tell whether nothing is, now.
async function repair() {
  for (;;) {
    const reply = await command("replay", { run, since: seq, events: names });
    if (reply.error?.code === "gap_too_old") {
      tell({ gap: { run, since: seq } });
      await join();
      return false;
    }
    if (!reply.ok) return false; // Noticed again at the next event or heartbeat.
    reply.data.events.forEach(apply);
    if (!reply.data.more) {
      seq = reply.seq;
      return true;
    }
  }
}

function apply(event) {
  seen[event.event] = event.n;
  seq = event.seq;
  tell(event);
}

async function take(topic, event) {
  if (event.run !== arriving) {
    arriving = event.run;
    welcomed = new Set();
  }
  if (topic.endsWith("+welcome")) welcomed.add(event.data.subscription);
  if (event.run !== run) {
    // After a restart libzmq subscribes again in an order of its own: wait for every welcome.
    if (topics.every((each) => welcomed.has(each))) await join();
  } else if (topic === "heartbeat") {
    const { last } = event.data;
    if (event.seq > seq && names.some((name) => last[name] !== seen[name])) {
      if (await repair()) for (const name of names) seen[name] ??= last[name];
    }
  } else if (topic === "bye") {
    tell({ gone: event.data.reason });
  } else if (names.includes(topic) && event.seq > seq) {
    if (event.n === seen[topic] + 1) apply(event);
    else await repair(); // The event itself is in what is replayed.
  }
}

const events = new Subscriber({ linger: 0, receiveTimeout: PATIENCE_MS });
events.connect(`ipc://${directory}/events.sock`);
events.subscribe(...topics);
for (;;) {
  let frames;
  try {
    frames = await events.receive();
  } catch (error) {
    if (error.code !== "EAGAIN") throw error;
    tell({ silent: true }); // No heartbeat: the daemon is gone, or stopped.
    continue;
  }
  await take(frames[0].toString(), JSON.parse(frames[1]));
}
