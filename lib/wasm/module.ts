/** Starts the WebAssembly module: the addon's binding and core, with Node-API from emnapi. */
import { instantiateNapiModuleSync } from '@emnapi/core';
import { createContext, type Context } from '@emnapi/runtime';

/** The same functions that the addon exports; lib/native/native.ts types them. */
export function start(module: WebAssembly.Module): unknown {
  const context = createContext();
  let memory = new WebAssembly.Memory({ initial: 0 });
  const { napiModule } = instantiateNapiModuleSync(module, {
    context,
    overwriteImports: ({ env, napi, emnapi }) => ({
      env: { ...env, ...napi, ...emnapi, emscripten_notify_memory_growth: ignore },
      expsyn: copies(context, () => memory),
      wasi_snapshot_preview1: system(() => memory),
    }),
    beforeInit({ instance }) {
      memory = instance.exports['memory'] as WebAssembly.Memory;
      (instance.exports['_initialize'] as () => void)();
    },
  });
  return napiModule.exports;
}

function ignore(): void {
  // Views of the memory are made anew for every use.
}

/** How the binding copies JavaScript's arrays: see native/binding/array_memory.h. */
function copies(context: Context, memory: () => WebAssembly.Memory) {
  const bytesOf = (handle: number): Uint8Array => {
    const array = context.handleStore.get(handle)?.value as Uint8Array;
    return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
  };
  return {
    read(handle: number, target: number): void {
      new Uint8Array(memory().buffer).set(bytesOf(handle), target >>> 0);
    },
    write(handle: number, offset: number, source: number, size: number): void {
      const bytes = new Uint8Array(memory().buffer, source >>> 0, size >>> 0);
      bytesOf(handle).set(bytes, offset >>> 0);
    },
  };
}

/** What the C++ library asks of the system: a clock, an empty environment, and an end. */
function system(memory: () => WebAssembly.Memory) {
  const numbers = () => new DataView(memory().buffer);
  return {
    clock_time_get(_clock: number, _precision: bigint, target: number): number {
      const nanoseconds = BigInt(Math.round(performance.now() * 1e6));
      numbers().setBigUint64(target >>> 0, nanoseconds, true);
      return 0;
    },
    environ_sizes_get(count: number, bytes: number): number {
      numbers().setUint32(count >>> 0, 0, true);
      numbers().setUint32(bytes >>> 0, 0, true);
      return 0;
    },
    environ_get(): number {
      return 0;
    },
    proc_exit(): never {
      throw new WebAssembly.RuntimeError('The WebAssembly module of expsyn has stopped.');
    },
  };
}
