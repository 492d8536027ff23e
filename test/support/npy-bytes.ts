/** .npy files byte by byte, right and wrong ones. */

/** A .npy file with any header, right or wrong; a short one is not padded to 64 bytes. */
export function npyOf(header: string, elements: Uint8Array, version = 1): Buffer {
  const text = Buffer.from(header, version === 3 ? 'utf-8' : 'latin1');
  const length = Buffer.alloc(version === 1 ? 2 : 4);
  if (version === 1) length.writeUInt16LE(text.length);
  else length.writeUInt32LE(text.length);
  const magic = Buffer.from([0x93, ...Buffer.from('NUMPY'), version, 0]);
  return Buffer.concat([magic, length, text, elements]);
}

export function headerOf(descr: string, shape: string, isFortranOrder = false): string {
  const order = isFortranOrder ? 'True' : 'False';
  return `{'descr': '${descr}', 'fortran_order': ${order}, 'shape': ${shape}, }\n`;
}

/** Writes each value with DataView's setter of that name. */
export function bytesOf(
  kind: 'Int16' | 'Uint16' | 'Int32' | 'Uint32' | 'Float32' | 'Float64' | 'BigInt64' | 'BigUint64',
  itemBytes: number,
  values: readonly (number | bigint)[],
  isLittleEndian: boolean,
): Uint8Array {
  const view = new DataView(new ArrayBuffer(values.length * itemBytes));
  values.forEach((value, index) => {
    const set: unknown = Reflect.get(DataView.prototype, `set${kind}`);
    Reflect.apply(set as () => void, view, [index * itemBytes, value, isLittleEndian]);
  });
  return new Uint8Array(view.buffer);
}
