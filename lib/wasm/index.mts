/**
 * The public names for browsers, computed by WebAssembly.
 *
 * @module expsyn/wasm
 */
import './start.mjs';

export * from '../index.js';
