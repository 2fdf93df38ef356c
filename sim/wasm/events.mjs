// What Simulator.run() tells about a machine: plain objects. Each has `kind`, `time`, `hart` (null:
// none did it), `pc`, and, for a
//
// - trap (an exception or an interrupt, but no page fault): `cause` and `value` as in scause and
//   stval, `isInterrupt`, `name`, `from` and `to` ("user", "supervisor", "machine");
// - fault (a page fault): `address`, `access` ("fetch", "read", "write"), `from`, `to`;
// - entry (an entry of a page table has changed): its `address` in physical memory; `before` and
//   `after`, see readEntry(); `level` (2, 1 or 0); the first virtual address `va` that it
//   translates; `root`, the physical address of the table where the walk to it begins; and `by`:
//   "store"; "hardware", which sets A and D; "device"; or "found": a walk can read the entry now,
//   and could not before, as in the tables of a process that a hart has just switched to;
// - fence: `of` ("translations", "instructions"), and, of translations, `va` and `space` (null:
//   all);
// - switch (to another page table): `before` and `after`, of satp, and the new `root`.
//
// Whoever begins with empty tables and applies all entry events, from the first on, knows all
// tables that can be reached from satp of some hart.

export const KINDS = { trap: 1, fault: 2, entry: 4, fence: 8, switch: 16 };
export const NONE = (1n << 64n) - 1n;
export const EVENT_WORDS = 18; // of struct event

const MODES = ["user", "supervisor", undefined, "machine"];
const ACCESSES = { 12: "fetch", 13: "read", 15: "write" };
const WRITERS = ["store", "hardware", "device", "found"];
const PAGE_NUMBER = (1n << 44n) - 1n;

/** What the bits of a page-table entry say. `software` are the two bits that kernels may use. */
export function readEntry(entry) {
  const [valid, read, write, execute, user, global, accessed, dirty] = Array.from(
    { length: 8 },
    (_, bit) => ((entry >> BigInt(bit)) & 1n) === 1n,
  );
  const isTable = valid && !read && !write && !execute;
  const software = Number((entry >> 8n) & 3n);
  const target = ((entry >> 10n) & PAGE_NUMBER) << 12n; // the physical address of page or table
  return { valid, isTable, read, write, execute, user, global, accessed, dirty, software, target };
}

/** Makes an object of a struct event; `nameOf` returns the name of a cause. */
export function makeEvent(words, nameOf) {
  const [bits, time, number, pc, cause, value, from, to, ...rest] = words;
  const [address, before, after, by, level, va, root, fenced, space, isCode] = rest;
  const kind = Object.keys(KINDS).find((name) => KINDS[name] === Number(bits));
  const event = { kind, time, hart: number === NONE ? null : Number(number), pc };
  const modes = { from: MODES[from], to: MODES[to] };
  const writer = { by: WRITERS[by], level: Number(level), va, root };
  switch (kind) {
    case "trap":
      return { ...event, cause, value, ...named(cause, nameOf), ...modes };
    case "fault":
      return { ...event, address: value, access: ACCESSES[cause], ...modes };
    case "entry":
      return { ...event, address, before, after, ...writer };
    case "fence":
      return isCode
        ? { ...event, of: "instructions" }
        : { ...event, of: "translations", va: orNull(fenced), space: orNull(space) };
    default:
      return { ...event, before, after, root: (after & PAGE_NUMBER) << 12n };
  }
}

function named(cause, nameOf) {
  return { isInterrupt: cause >> 63n === 1n, name: nameOf(cause) };
}

function orNull(value) {
  return value === NONE ? null : value;
}
