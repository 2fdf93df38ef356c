// Plays scenarios in a Worker, with files of the page's server.
import { Simulator } from "../../sim/wasm/sim.mjs";
import { play } from "./scenarios.mjs";

async function fetchBytes(name) {
  return new Uint8Array(await (await fetch(`/files/${name}`)).arrayBuffer());
}

self.onmessage = async ({ data: [name, settings] }) => {
  const [wasm, kernel, image] = await Promise.all(["wasm", "kernel", "image"].map(fetchBytes));
  const make = (settings) => Simulator.make(wasm, { kernel, image, ...settings });
  const result = await play(name, make, settings);
  const shares = self.crossOriginIsolated || typeof SharedArrayBuffer !== "undefined";
  self.postMessage({ result, shares, isWorker: typeof document === "undefined" });
};
