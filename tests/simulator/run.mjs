// Runs the simulator as a WebAssembly module; prints how the run ended, as JSON.
//   node run.mjs SIM_WASM KERNEL IMAGE SETTINGS   (as JSON: those of Simulator.make)
import { readFileSync } from "node:fs";
import { Simulator, Stop } from "../../sim/wasm/sim.mjs";

const [wasm, kernel, image] = process.argv.slice(2, 5).map((name) => readFileSync(name));
const settings = JSON.parse(process.argv[5]);
const SLICE = 1_000_000n;

function report(simulator, stop, output) {
  const { exitStatus, time, idleTime, hash } = simulator;
  return { stop, exitStatus, time: Number(time - idleTime), hash, output };
}

// Runs to the end, or until that time.
function run(simulator, end = 1n << 60n) {
  let stop = Stop.TIME;
  let output = "";
  while (stop === Stop.TIME && simulator.time < end) {
    const next = simulator.time + SLICE;
    stop = simulator.run(next < end ? next : end);
    output += simulator.takeOutput();
  }
  return report(simulator, stop, output);
}

try {
  const simulator = await Simulator.make(wasm, { kernel, image, ...settings });
  run(simulator, 2_000_000n);
  const number = simulator.snapshot();
  const first = run(simulator);
  simulator.restore(number);
  const second = run(simulator);
  simulator.forget(number);
  console.log(JSON.stringify({ first, second }));
} catch (error) {
  console.log(JSON.stringify({ error: error.message }));
}
