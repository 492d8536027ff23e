/**
 * Checks the ad-hoc signature of a Mach-O file of 64 bits. macOS on Apple silicon ends a process that touches a
 * page of a library whose hash is not the one in the signature.
 */
import { createHash } from 'node:crypto';

const HEADER_BYTES = 32;
/** The load command that says where the signature is. */
const CODE_SIGNATURE = 0x1d;
/** The magic number of the part of a signature that holds the hashes of the pages. */
const CODE_DIRECTORY = 0xfade0c02;
const SHA256 = 2;

/** What is wrong with the signature of a file, in words; undefined if nothing is. */
export function faultOfSignature(bytes) {
  const at = signatureIn(bytes);
  if (at === undefined) return 'it is not signed';
  const directory = directoryIn(bytes, at);
  if (directory === undefined) return 'its signature has no hashes';
  const field = (offset) => bytes.readUInt32BE(directory + offset);
  const [hashes, pages, end] = [field(16), field(28), field(32)];
  const [hashBytes, hashType, , pageShift] = bytes.subarray(directory + 36, directory + 40);
  if (hashType !== SHA256) return 'its signature has hashes of another kind than SHA-256';
  if (end !== at) return 'its signature does not cover the whole file';
  const pageBytes = 2 ** pageShift;
  if (pages !== Math.ceil(end / pageBytes)) return 'its signature lacks hashes of some pages';
  for (let page = 0; page < pages; page++) {
    const content = bytes.subarray(page * pageBytes, Math.min((page + 1) * pageBytes, end));
    const from = directory + hashes + page * hashBytes;
    const hash = createHash('sha256').update(content).digest();
    if (!hash.equals(bytes.subarray(from, from + hashBytes))) {
      return `its signature does not match its page ${page}`;
    }
  }
  return undefined;
}

/** The offset of the signature. */
function signatureIn(bytes) {
  const commands = bytes.readUInt32LE(16);
  for (let i = 0, at = HEADER_BYTES; i < commands; i++, at += bytes.readUInt32LE(at + 4)) {
    if (bytes.readUInt32LE(at) === CODE_SIGNATURE) return bytes.readUInt32LE(at + 8);
  }
  return undefined;
}

/** The offset of the hashes in a signature, which is a list of parts. */
function directoryIn(bytes, signature) {
  const parts = bytes.readUInt32BE(signature + 8);
  for (let i = 0; i < parts; i++) {
    const at = signature + bytes.readUInt32BE(signature + 16 + 8 * i);
    if (bytes.readUInt32BE(at) === CODE_DIRECTORY) return at;
  }
  return undefined;
}
