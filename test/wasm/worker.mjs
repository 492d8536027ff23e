/** Computes all cases in a Web Worker. */
import { computeAll } from '/cases.mjs';

const expsyn = await import('/wasm/index.mjs');
globalThis.postMessage(await computeAll(expsyn));
