// What tests do with the simulator as a WebAssembly module, in Node and in a Worker of a browser.
// Each scenario is given `make`, which makes a machine with these settings, and returns what can be
// written as JSON.
import { readEntry, Stop } from "../../sim/wasm/sim.mjs";

const ALL = ["trap", "fault", "entry", "fence", "switch"];
const SLICE = 777_777n;
const PAGE = 4096;

function report(simulator, stop, output) {
  const { exitStatus, time, idleTime, hash } = simulator;
  return { stop, exitStatus, time: Number(time - idleTime), hash, output };
}

/** Runs to the end, in slices. */
function finish(simulator, { events = [], take = () => {}, type = () => false } = {}) {
  let stop = Stop.TIME;
  let output = "";
  while (stop === Stop.TIME) {
    const ran = simulator.run({ until: simulator.time + SLICE, events });
    output += simulator.takeOutput();
    take(ran.events);
    stop = type() && ran.stop === Stop.IDLE ? Stop.TIME : ran.stop;
  }
  return report(simulator, stop, output);
}

// ---- The state ----

/** Twice to the end, the second time from a snapshot. */
async function ends(make, settings) {
  const simulator = await make(settings);
  simulator.run({ until: 2_000_000 });
  const output = simulator.takeOutput();
  const number = simulator.snapshot();
  const first = finish(simulator);
  simulator.restore(number);
  const second = finish(simulator);
  simulator.forget(number);
  return { first: { ...first, output: output + first.output }, second };
}

/** Types these keys, one when there is room for it. */
async function types(make, { keys, ...settings }) {
  const simulator = await make(settings);
  let typed = 0;
  const type = () => typed < keys.length && simulator.type(keys.charCodeAt(typed)) && ++typed;
  return finish(simulator, { type });
}

// ---- Events ----

/** The page tables as someone knows them who is told of all changes. */
class Mirror {
  entries = new Map();
  mistakes = 0;

  take(events) {
    for (const { kind, address, before, after } of events) {
      if (kind === "entry") {
        this.mistakes += before !== this.#entry(address) || before === after;
        this.entries.set(address, after);
      }
    }
  }

  /** Compares it with all tables that harts can reach. Returns how many there are. */
  compare(simulator, harts) {
    const seen = new Set();
    const visit = (table, level) => {
      if (seen.has(table * 4n + BigInt(level))) {
        return;
      }
      seen.add(table * 4n + BigInt(level));
      const bytes = new DataView(simulator.read(table, PAGE).buffer);
      for (let i = 0; i < PAGE; i += 8) {
        const entry = bytes.getBigUint64(i, true);
        this.mistakes += entry !== this.#entry(table + BigInt(i));
        if (level > 0 && readEntry(entry).isTable) {
          visit(readEntry(entry).target, level - 1);
        }
      }
    };
    for (let hart = 0; hart < harts; hart++) {
      const satp = simulator.register(hart, "satp");
      if (satp !== 0n) {
        visit((satp & ((1n << 44n) - 1n)) << 12n, 2);
      }
    }
    return seen.size;
  }

  #entry(address) {
    return this.entries.get(address) ?? 0n;
  }
}

/** With all events and without: the same state; and they tell what the tables hold. */
async function watches(make, settings) {
  const plain = finish(await make(settings));
  const simulator = await make(settings);
  const mirror = new Mirror();
  const counts = {};
  let last = 0n;
  let tables = 0;
  const take = (events) => {
    for (const { kind, by, of, time } of events) {
      const name = [kind, by ?? of].filter(Boolean).join(" ");
      counts[name] = (counts[name] ?? 0) + 1;
      mirror.mistakes += time < last;
      last = time;
    }
    mirror.take(events);
    tables = Math.max(tables, mirror.compare(simulator, settings.harts ?? 1));
  };
  const watched = finish(simulator, { events: ALL, take });
  const stopped = await stopsAtEach(make, settings, ["trap", "switch"]);
  return { plain, watched, stopped, counts, tables, mistakes: mirror.mistakes };
}

/** Stops at each event of these kinds, after its instruction, or before the one of a handler. */
async function stopsAtEach(make, settings, stopOn) {
  const simulator = await make(settings);
  let ran;
  let stops = 0;
  let late = 0;
  do {
    ran = simulator.run({ stopOn });
    stops += ran.stop === Stop.EVENT;
    late += ran.stop === Stop.EVENT && simulator.time > ran.stoppedBy.time + 1n;
  } while (ran.stop === Stop.EVENT);
  return { ...report(simulator, ran.stop, simulator.takeOutput()), stops, late };
}

/** What fork and the first write after it do with a page. */
async function copies(make, settings) {
  const simulator = await make({ ...settings, history: true });
  const { events } = simulator.run({ events: ["fault", "entry"] });
  const isOfPage = (event, va) => event.kind === "entry" && event.level === 0 && event.va === va;
  const protects = ({ by, before, after }) =>
    by === "store" && readEntry(before).write && readEntry(after).valid && !readEntry(after).write;
  const protectedAt = events.findIndex((event) => event.kind === "entry" && protects(event));
  const { va } = events[protectedAt];
  const isWrite = ({ kind, access, address }) =>
    kind === "fault" && access === "write" && address - (address % 4096n) === va;
  const faultAt = events.findIndex((event, i) => i > protectedAt && isWrite(event));
  const copied = events.slice(faultAt).find((event) => isOfPage(event, va) && event.by === "store");
  const pages = [events[protectedAt].before, copied.after].map((entry) => readEntry(entry).target);

  // Back to just before, and once more.
  simulator.seek(events[faultAt].time);
  const mode = Number(simulator.register(0, "privilege"));
  const { stop, stoppedBy } = simulator.run({ stopOn: ["fault"] });
  const atHandler = simulator.register(0, "stval") === stoppedBy.address;
  simulator.seek(0);
  const atBreak = simulator.run({ at: ["cow_break"] });
  return {
    names: [events[protectedAt], copied].map((event) => simulator.nameOf(event.pc)),
    isCopy: pages[0] !== pages[1] && readEntry(copied.after).write,
    isSameFault: stop === Stop.EVENT && stoppedBy.time === events[faultAt].time,
    faultFrom: [mode, events[faultAt].from],
    atHandler,
    stopped: [atBreak.stop, simulator.nameOf(simulator.register(atBreak.hart, "pc"))],
    stopHash: simulator.hash,
  };
}

// ---- The past ----

/** Goes back to times in no order; to be compared with the first pass. */
async function seeks(make, { times, ...settings }) {
  const first = await make(settings);
  const hashes = times.map((until) => (first.run({ until }), first.hash));
  const simulator = await make({ ...settings, history: true });
  const end = finish(simulator);
  const seen = [...times.keys()].reverse().map((i) => {
    simulator.seek(times[i]);
    return [i, simulator.hash === hashes[i] && simulator.time === BigInt(times[i])];
  });
  return { end, again: finish(simulator), right: seen.every(([, isRight]) => isRight) };
}

// ---- Mistakes ----

/** Returns what it says about each of these. */
async function complains(make, settings) {
  const simulator = await make(settings);
  const mistakes = [
    () => simulator.seek(0),
    () => simulator.run({ events: ["faults"] }),
    () => simulator.run({ at: ["no_such_function"] }),
    () => simulator.register(0, "x99"),
    () => simulator.restore(5),
  ];
  return mistakes.map((mistake) => {
    try {
      return `${mistake()}`;
    } catch (error) {
      return error.message;
    }
  });
}

// ---- Speed ----

/** Runs to the end. */
async function runs(make, { events, ...settings }) {
  return finish(await make(settings), { events });
}

/** Makes a machine, and runs until the shell waits for a key; returns the milliseconds. */
async function boots(make) {
  const begin = performance.now();
  const simulator = await make({});
  let output = "";
  while (!output.endsWith("$ ")) {
    simulator.run({ until: simulator.time + 10_000n });
    output += simulator.takeOutput();
  }
  return performance.now() - begin;
}

const scenarios = { ends, types, watches, copies, seeks, complains, runs, boots };

/** Runs one of them; an Error becomes { error }. */
export async function play(name, make, settings) {
  try {
    return await scenarios[name](make, settings);
  } catch (error) {
    return { error: error.message };
  }
}
