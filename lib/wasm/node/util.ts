/** What the package uses of node:util. */

/** What browsers do not have, or only some pages. */
const { process, SharedArrayBuffer } = globalThis as {
  process?: {
    getBuiltinModule?: (name: string) => { inspect: (value: unknown, options?: object) => string };
  };
  SharedArrayBuffer?: { prototype: object };
};

/** Shows a value in a message. Objects are only shown by Node, whose own function is used there. */
function inspectHere(value: unknown): string {
  if (typeof value === 'string') return quote(value);
  return Object.is(value, -0) ? '-0' : String(value);
}

function quote(text: string): string {
  const escaped = JSON.stringify(text).slice(1, -1).replaceAll('\\"', '"');
  const mark = ["'", '"', '`'].find((candidate) => !text.includes(candidate)) ?? "'";
  return `${mark}${escaped.replaceAll(mark, `\\${mark}`)}${mark}`;
}

const shown = process?.getBuiltinModule?.('node:util').inspect ?? inspectHere;

export const inspect = Object.assign(
  (value: unknown, options?: object): string => shown(value, options),
  { custom: Symbol.for('nodejs.util.inspect.custom') },
);

/** Whether a value has the internal fields that a getter of the platform asks for. */
function has(prototype: object | undefined, key: string): (value: unknown) => boolean {
  const property = prototype && Object.getOwnPropertyDescriptor(prototype, key);
  const { get } = (property ?? {}) as { get?: (this: unknown) => unknown };
  return (value) => {
    if (get === undefined) return false;
    try {
      Reflect.apply(get, value, []);
      return true;
    } catch {
      return false;
    }
  };
}

export const types = {
  isMap: has(Map.prototype, 'size'),
  isSet: has(Set.prototype, 'size'),
  isSharedArrayBuffer: has(SharedArrayBuffer?.prototype, 'byteLength'),
  /** No program can tell. Where internal fields of an object are read, its proxy fails. */
  isProxy: (): boolean => false,
};
