// Plays a scenario in Node; prints what it returns, as JSON.
//   node play.mjs SCENARIO SETTINGS SIM_WASM KERNEL IMAGE
import { readFileSync } from "node:fs";
import { Simulator } from "../../sim/wasm/sim.mjs";
import { play } from "./scenarios.mjs";

const [name, settings, ...files] = process.argv.slice(2);
const [wasm, kernel, image] = files.map((file) => readFileSync(file));
const make = (settings) => Simulator.make(wasm, { kernel, image, ...settings });
console.log(JSON.stringify(await play(name, make, JSON.parse(settings))));
