/** What the package uses of node:timers/promises. */

/** Resolves when the event loop has turned. Timers would wait for milliseconds. */
export function setImmediate(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(undefined);
  });
}
