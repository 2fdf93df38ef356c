// The simulator in JavaScript: in Node, in a browser, in a Worker. There are no dependencies.
//
//   import { Simulator } from "./sim.mjs";
//   const simulator = await Simulator.make(wasmBytes, { kernel, image, harts: 2 });
//   const { stop, events } = simulator.run({ until: 1_000_000, events: ["fault", "entry"] });
//   console.log(simulator.takeOutput(), events);
//
// Times, addresses and contents of registers are BigInts; as arguments, numbers will do.

import { EVENT_WORDS, KINDS, makeEvent, NONE, readEntry } from "./events.mjs";

export { readEntry };

export const Stop = Object.freeze({
  TIME: 0, // as much as the caller wanted
  FINISHED: 1, // the guest has ended the machine; see exitStatus
  RESET: 2, // the guest wants to begin anew
  IDLE: 3, // all harts wait, and only input can wake them
  DEADLOCK: 4, // only while schedules are explored, which this module does not
  NO_MEMORY: 5, // the host has none left
  BREAKPOINT: 6, // a hart is about to execute an instruction of `at`
  EVENT: 7, // `stopOn` wanted to stop
});

export const FOREVER = 1n << 62n;

const PROFILES = { kind: 0, tlb: 1, svade: 2, icache: 4, stores: 8, timing: 16, all: 29 };

export class Simulator {
  #wasm;
  #console = new TextDecoder();
  #scratch; // a page, for what is copied
  #happened; // is given each event; returns whether the machine is to stop

  /**
   * Makes a machine. `wasm` is sim.wasm, as bytes or as a WebAssembly.Module; `kernel` and `image`
   * are Uint8Arrays (no image: no disk). `memory` is in MiB. `profile` is "kind", or others of
   * those of --profile, separated by commas. With `history`, seek() can go back; each million
   * instructions then cost a snapshot. Throws an Error that says what is wrong with them.
   */
  static async make(
    wasm,
    {
      kernel,
      image,
      harts = 1,
      memory = 128,
      seed = 1n,
      append = "",
      profile = "kind",
      legacyDisk = false,
      history = false,
    },
  ) {
    const simulator = new Simulator();
    const sim = { sim_event: (place) => simulator.#happened(simulator.#event(place)) };
    const made = await WebAssembly.instantiate(wasm, { sim });
    simulator.#wasm = (made.instance ?? made).exports;
    simulator.#setText(append);
    const profiles = profile.split(",").reduce((bits, name) => bits | PROFILES[name], 0);
    const settings = [harts, memory, BigInt(seed), profiles, legacyDisk];
    simulator.#check(simulator.#wasm.sim_create(...settings));
    simulator.#check(simulator.#wasm.sim_load(simulator.#copy(kernel), kernel.length));
    if (image) {
      const place = simulator.#copy(image);
      simulator.#check(simulator.#wasm.sim_set_disk(place, image.length));
      simulator.#wasm.sim_free(place);
    }
    if (history && !simulator.#wasm.sim_keep_history()) {
      throw new Error("there is not enough memory");
    }
    return simulator;
  }

  /**
   * Runs until that time, in instructions, or until something else happens.
   *
   * - `events` are the kinds that are wanted: "trap", "fault", "entry", "fence", "switch".
   * - `stopOn` are kinds at which to stop, or a function that is given each event and returns true
   *   to stop. The instruction of the event is executed then.
   * - `at` are instructions at which to stop before one of them is executed: addresses, or names of
   *   functions. The one at which the last run has stopped is passed.
   *
   * Returns { stop, events, stoppedBy, hart }: a Stop; what happened, in order; for Stop.EVENT,
   * the event; for Stop.BREAKPOINT, the hart that is there. The run is the same as without events.
   *
   * events.mjs says what an event is.
   */
  run({ until = FOREVER, events = [], stopOn = [], at = [] } = {}) {
    const happened = [];
    const stops = typeof stopOn === "function" ? stopOn : (event) => stopOn.includes(event.kind);
    const kinds = typeof stopOn === "function" ? events : [...events, ...stopOn];
    let stoppedBy;
    this.#happened = (event) => {
      happened.push(event);
      stoppedBy ??= stops(event) ? event : undefined;
      return stoppedBy !== undefined;
    };
    const bits = kinds.reduce((sum, kind) => sum | this.#known(KINDS, kind), 0);
    try {
      at.forEach((place) => this.#stopAt(place));
      const stop = this.#wasm.sim_run(BigInt(until), bits);
      const hart = stop === Stop.BREAKPOINT ? this.#wasm.sim_stopped_hart() : undefined;
      return { stop, events: happened, stoppedBy, hart };
    } finally {
      this.#wasm.sim_remove_breakpoints();
    }
  }

  /** The time in instructions, and how much of it all harts have waited. */
  get time() {
    return this.#wasm.sim_time();
  }

  get idleTime() {
    return this.#wasm.sim_idle_time();
  }

  get exitStatus() {
    return this.#wasm.sim_exit_status();
  }

  /** A hash of the whole state, as the command prints it. */
  get hash() {
    return BigInt.asUintN(64, this.#wasm.sim_hash()).toString(16).padStart(16, "0");
  }

  /** Returns what the guest has printed since the last call. */
  takeOutput() {
    const count = this.#wasm.sim_take_output();
    return this.#console.decode(this.#bytes(this.#wasm.sim_output(), count), { stream: true });
  }

  /** Types a byte. Returns false if the guest has not yet read the last one, or does not listen. */
  type(byte) {
    return this.#wasm.sim_type(byte) !== 0;
  }

  /**
   * Reads up to 4096 bytes of memory: a Uint8Array of those that there are, at a physical address,
   * or, of a hart, at a virtual one. Nothing in the machine changes.
   */
  read(address, count = 4096, hart = -1) {
    this.#scratch ??= this.#alloc(4096);
    const found = this.#wasm.sim_read(hart, BigInt(address), this.#scratch, Math.min(count, 4096));
    return this.#bytes(this.#scratch, found);
  }

  /** Reads the 8 bytes at a physical address, 0n where there is no memory. */
  memory(address) {
    const bytes = this.read(address, 8);
    return bytes.length === 8 ? new DataView(bytes.buffer).getBigUint64(0, true) : 0n;
  }

  /** Returns the physical address to which a hart's page table leads; null if there is none. */
  translate(hart, va) {
    return this.#orNull(this.#wasm.sim_translate(hart, BigInt(va)));
  }

  /** Reads a register by its name: "a0", "pc", "privilege", "satp", "scause" and so on. */
  register(hart, name) {
    this.#setText(name);
    const number = this.#wasm.sim_find_register();
    if (number < 0) {
      throw new Error(`there is no register ${name}`);
    }
    return BigInt.asUintN(64, this.#wasm.sim_register(hart, number));
  }

  /** Returns the address of a function, or of NAME+OFFSET; null if the kernel has none. */
  addressOf(name) {
    this.#setText(name);
    return this.#orNull(this.#wasm.sim_find_symbol());
  }

  /** Returns the name of an address in a function of the kernel, or NAME+0xOFFSET, or null. */
  nameOf(address) {
    return this.#wasm.sim_name(BigInt(address)) ? this.#text(this.#wasm.sim_text()) : null;
  }

  /**
   * Goes to a time that was reached before, exactly, if the machine keeps a history. From there it
   * does again what it did; who types something there begins another future.
   */
  seek(time) {
    if (!this.#wasm.sim_seek(BigInt(time))) {
      throw new Error(`time ${time} was not reached, or there is no history`);
    }
  }

  /** Keeps the machine's state; returns a number for restore() and forget(). */
  snapshot() {
    const number = this.#wasm.sim_snapshot();
    if (number < 0) {
      throw new Error("there is no room for another snapshot");
    }
    return number;
  }

  /** Brings a state back. A history begins anew there. */
  restore(number) {
    if (!this.#wasm.sim_restore(number)) {
      throw new Error(`there is no snapshot ${number}, or not enough memory`);
    }
  }

  forget(number) {
    this.#wasm.sim_forget(number);
  }

  #known(table, name) {
    if (!(name in table)) {
      throw new Error(`${name}: must be one of ${Object.keys(table).join(", ")}`);
    }
    return table[name];
  }

  #stopAt(place) {
    const address = typeof place === "string" ? this.addressOf(place) : BigInt(place);
    if (address === null || !this.#wasm.sim_add_breakpoint(address)) {
      throw new Error(`${place}: this is no instruction, or there are too many`);
    }
  }

  #event(place) {
    const words = new BigUint64Array(this.#wasm.memory.buffer, place, EVENT_WORDS);
    return makeEvent(words, (cause) => this.#text(this.#wasm.sim_trap_name(cause)));
  }

  #orNull(address) {
    const value = BigInt.asUintN(64, address);
    return value === NONE ? null : value;
  }

  #setText(text) {
    const bytes = new TextEncoder().encode(`${text}\0`);
    if (bytes.length > 4096) {
      throw new Error("the text is too long");
    }
    new Uint8Array(this.#wasm.memory.buffer).set(bytes, this.#wasm.sim_text());
  }

  #alloc(bytes) {
    const place = this.#wasm.sim_alloc(bytes);
    if (!place) {
      throw new Error("there is not enough memory");
    }
    return place;
  }

  /** Copies a file into the module's memory. */
  #copy(bytes) {
    const place = this.#alloc(bytes.length);
    new Uint8Array(this.#wasm.memory.buffer).set(bytes, place);
    return place;
  }

  #check(succeeded) {
    if (!succeeded) {
      throw new Error(this.#text(this.#wasm.sim_problem()));
    }
  }

  /** Copies bytes out of the module's memory. */
  #bytes(place, count) {
    return new Uint8Array(this.#wasm.memory.buffer, place, count).slice();
  }

  #text(place) {
    const bytes = new Uint8Array(this.#wasm.memory.buffer, place);
    return new TextDecoder().decode(bytes.subarray(0, bytes.indexOf(0)));
  }
}
