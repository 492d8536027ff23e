/** What the package uses of node:perf_hooks. */
export const { performance } = globalThis;
