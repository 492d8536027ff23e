/** Loads and starts the module. It is imported first, since all other files need it while they are loaded. */
import { setAddon } from './instance.js';
import { start } from './module.js';

/** The file is beside the bundle. Bundlers know this form of an address. */
const address = new URL('expsyn.wasm', import.meta.url);

async function compile(): Promise<WebAssembly.Module> {
  if (address.protocol === 'file:') {
    // In Node, which fetches no files. Without an import, which bundlers for browsers would refuse.
    const { readFileSync } = process.getBuiltinModule('node:fs');
    return new WebAssembly.Module(readFileSync(address));
  }
  const response = await fetch(address);
  if (!response.ok) throw new Error(`status ${response.status}`);
  // Not compileStreaming(), which refuses the file of a server that does not know its type.
  return WebAssembly.compile(await response.arrayBuffer());
}

try {
  setAddon(start(await compile()));
} catch (cause) {
  const reason = cause instanceof Error ? cause.message : 'unknown';
  const error = new Error(
    `Expected the WebAssembly module at ${address.href} but it could not be loaded (${reason}); ` +
      'serve expsyn.wasm beside the script that imports expsyn/wasm.',
    { cause },
  );
  throw Object.assign(error, { code: 'ERR_EXPSYN_ADDON' });
}
