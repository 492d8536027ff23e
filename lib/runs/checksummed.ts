/** JSON with a checksum, so that corruption and changes by other programs are noticed. */
import { createHash } from 'node:crypto';

interface Checksummed {
  sha256: string;
  content: unknown;
}

/** The bytes of a file with such JSON. */
export function addChecksum(content: object): Buffer {
  const file: Checksummed = { sha256: hashOf(content), content };
  return Buffer.from(`${JSON.stringify(file)}\n`);
}

/** @throws Error when the text is not as addChecksum() has made it. */
export function verifyChecksum(text: string): unknown {
  const { sha256, content } = JSON.parse(text) as Checksummed;
  if (sha256 !== hashOf(content)) throw new Error('Expected the hash of the content.');
  return content;
}

function hashOf(content: unknown): string {
  const text = JSON.stringify(content);
  return createHash('sha256').update(text).digest('hex');
}
