// The simulator in JavaScript: in Node, in a browser, in a Worker. There are no dependencies.
//
//   import { Simulator } from "./sim.mjs";
//   const simulator = await Simulator.make(wasmBytes, { kernel, image, harts: 2 });
//   simulator.run(1_000_000n);
//   console.log(simulator.takeOutput());

export const Stop = Object.freeze({
  TIME: 0, // as much as the caller wanted
  FINISHED: 1, // the guest has ended the machine; see exitStatus
  RESET: 2, // the guest wants to begin anew
  IDLE: 3, // all harts wait, and only input can wake them
  DEADLOCK: 4, // only while schedules are explored, which this module does not
  NO_MEMORY: 5, // the host has none left
  BREAKPOINT: 6, // a hart is at a breakpoint, of which this module sets none
  EVENT: 7, // somebody wanted to stop at one, which this module does not
});

export const PC = 32; // for register()

export class Simulator {
  #wasm;
  #decoder = new TextDecoder();

  /**
   * Makes a machine. `wasm` is sim.wasm, as bytes or as a WebAssembly.Module; `kernel` and `image`
   * are Uint8Arrays (no image: no disk). `memory` is in MiB. Throws an Error that says what is
   * wrong with them.
   */
  static async make(
    wasm,
    { kernel, image, harts = 1, memory = 128, seed = 1n, append = "", legacyDisk = false },
  ) {
    const made = await WebAssembly.instantiate(wasm);
    const simulator = new Simulator((made.instance ?? made).exports);
    simulator.#setArguments(append);
    simulator.#check(simulator.#wasm.sim_create(harts, memory, BigInt(seed), legacyDisk));
    simulator.#give(kernel, simulator.#wasm.sim_load);
    if (image) {
      simulator.#give(image, simulator.#wasm.sim_set_disk);
    }
    return simulator;
  }

  constructor(wasm) {
    this.#wasm = wasm;
  }

  /** Runs until that time, in instructions, or until something else happens; returns a Stop. */
  run(until) {
    return this.#wasm.sim_run(BigInt(until));
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
    const bytes = new Uint8Array(this.#wasm.memory.buffer, this.#wasm.sim_output(), count);
    return this.#decoder.decode(bytes.slice(), { stream: true });
  }

  /** Types a byte. Returns false if the guest has not yet read the last one, or does not listen. */
  type(byte) {
    return this.#wasm.sim_type(byte) !== 0;
  }

  /** Reads the 8 bytes at a physical address, 0n where there is no memory. */
  memory(address) {
    return BigInt.asUintN(64, this.#wasm.sim_memory(BigInt(address)));
  }

  /** Reads x0 to x31, or PC. */
  register(hart, number) {
    return BigInt.asUintN(64, this.#wasm.sim_register(hart, number));
  }

  satp(hart) {
    return BigInt.asUintN(64, this.#wasm.sim_satp(hart));
  }

  /** Keeps the machine's state; returns a number for restore() and forget(). */
  snapshot() {
    const number = this.#wasm.sim_snapshot();
    if (number < 0) {
      throw new Error("there is no room for another snapshot");
    }
    return number;
  }

  restore(number) {
    if (!this.#wasm.sim_restore(number)) {
      throw new Error(`there is no snapshot ${number}, or not enough memory`);
    }
  }

  forget(number) {
    this.#wasm.sim_forget(number);
  }

  #setArguments(text) {
    const bytes = new TextEncoder().encode(`${text}\0`);
    if (bytes.length > 4096) {
      throw new Error("the command line is too long");
    }
    new Uint8Array(this.#wasm.memory.buffer).set(bytes, this.#wasm.sim_arguments());
  }

  /** Hands a file over to a function, which copies what it needs. */
  #give(bytes, take) {
    const place = this.#wasm.sim_alloc(bytes.length);
    if (!place) {
      throw new Error("there is not enough memory");
    }
    new Uint8Array(this.#wasm.memory.buffer).set(bytes, place);
    const succeeded = take(place, bytes.length);
    this.#wasm.sim_free(place);
    this.#check(succeeded);
  }

  #check(succeeded) {
    if (!succeeded) {
      throw new Error(this.#text(this.#wasm.sim_problem()));
    }
  }

  #text(place) {
    const bytes = new Uint8Array(this.#wasm.memory.buffer, place);
    return this.#decoder.decode(bytes.slice(0, bytes.indexOf(0)));
  }
}
