// @ts-check
/**
 * The entry of the utility process. Everything is computed here: the main process only opens windows, and a
 * window only draws. The main process sends a port for each page that is loaded; everything else goes
 * through that port.
 */

import { createRequire } from 'node:module';

/** @type {import('./client.js').Client | undefined} */
let client;

/** The class Client; the error if the package cannot be loaded, as on a system without a binary. */
async function loadClient() {
  try {
    // In Node.js 20, an error of import() would end the process in spite of `catch`.
    createRequire(import.meta.url)('expsyn');
    return (await import('./client.js')).Client;
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

const loaded = await loadClient();

process.parentPort.on('message', ({ data, ports: [port] }) => {
  if (data.type === 'save') {
    void client?.save(data.path);
    return;
  }
  client?.close();
  client = undefined;
  if (loaded instanceof Error) {
    port.start();
    port.postMessage({ type: 'unavailable', message: loaded.message });
  } else {
    client = new loaded(port, data.folder);
  }
});
