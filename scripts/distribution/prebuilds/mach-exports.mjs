/**
 * Leaves only some symbols visible in a Mach-O library of 64 bits. The linker has made all of them visible: their
 * names would take a fifth of the file, and those of the C++ library could be taken for those of the program.
 */

const HEADER_BYTES = 32;
/** Load commands: the table of symbols, and what the loader reads (in either form). */
const SYMBOL_TABLE = 0x2;
const LOADER_INFO = [0x22, 0x80000022];

const ENTRY_BYTES = 16;
/** Bits of a symbol's type: visible to other files; what says where it is; nowhere in this file. */
const EXTERNAL = 0x01;
const PRIVATE_EXTERNAL = 0x10;
const PLACE = 0x0e;
const UNDEFINED = 0x00;

/** Changes the bytes. What is not visible any more is a local symbol, which `strip` can remove. */
export function keepVisible(bytes, names) {
  const table = commandOf(bytes, [SYMBOL_TABLE]);
  const [symbols, count, strings] = [8, 12, 16].map((offset) => bytes.readUInt32LE(table + offset));
  const kept = [];
  for (let i = 0; i < count; i++) {
    const at = symbols + i * ENTRY_BYTES;
    const type = bytes[at + 4];
    if ((type & EXTERNAL) === 0 || (type & PLACE) === UNDEFINED) continue;
    const start = strings + bytes.readUInt32LE(at);
    const name = bytes.toString('latin1', start, bytes.indexOf(0, start));
    if (names.includes(name)) kept.push({ name, address: Number(bytes.readBigUInt64LE(at + 8)) });
    else bytes[at + 4] = type & ~(EXTERNAL | PRIVATE_EXTERNAL);
  }
  if (kept.length < names.length) {
    const found = kept.map(({ name }) => name).join(', ');
    throw new Error(`Expected the symbols ${names.join(', ')} but found ${found || 'none'}.`);
  }
  const info = commandOf(bytes, LOADER_INFO);
  const [exports, length] = [40, 44].map((offset) => bytes.readUInt32LE(info + offset));
  const trie = trieOf(kept);
  bytes.fill(0, exports, exports + length);
  trie.copy(bytes, exports);
  bytes.writeUInt32LE(trie.length, info + 44);
}

function commandOf(bytes, kinds) {
  const commands = bytes.readUInt32LE(16);
  for (let i = 0, at = HEADER_BYTES; i < commands; i++, at += bytes.readUInt32LE(at + 4)) {
    if (kinds.includes(bytes.readUInt32LE(at))) return at;
  }
  throw new Error(`Expected a load command of kind ${kinds.join(' or ')} but found none.`);
}

/**
 * The tree in which the loader looks for symbols. A node has the length of what it knows of a symbol, which is
 * flags and an address, and the number of its children: the characters that lead to each one, and its offset.
 */
function trieOf(symbols) {
  const leaves = symbols.map(({ address }) => {
    const known = [0, ...numberOf(address)];
    return Buffer.from([known.length, ...known, 0]);
  });
  const edges = symbols.map(({ name }) => Buffer.from(`${name}\0`, 'latin1'));
  // The root must leave room for each offset, which takes at most two bytes here.
  const rootBytes = 2 + edges.reduce((sum, edge) => sum + edge.length + 2, 0);
  let offset = rootBytes;
  const root = [Buffer.from([0, symbols.length])];
  for (const [i, leaf] of leaves.entries()) {
    root.push(edges[i], Buffer.from([(offset & 0x7f) | 0x80, offset >> 7]));
    offset += leaf.length;
  }
  const trie = Buffer.concat([...root, ...leaves]);
  return Buffer.concat([trie, Buffer.alloc(-trie.length & 7)]);
}

/** A number as LEB128: seven bits in each byte, and a bit that says whether another one follows. */
function numberOf(value) {
  const bytes = [];
  for (; value > 0x7f; value = Math.floor(value / 128)) bytes.push((value % 128) | 0x80);
  return [...bytes, value];
}
