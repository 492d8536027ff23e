/** What the compiler must not make of the sources. */

/**
 * A fused multiply-add rounds once where a product and a sum round twice. If one instruction set used it
 * and another did not, results would depend on the processor.
 */
const FUSED = /\t(?:vfn?m(?:add|sub)\w*|fn?m(?:add|sub)|fml[as])\b/;

/** A multiplication, which every binary has many of. */
const PRODUCT = /\t(?:v?mulpd|fmul)\b/;

/** The lines of a disassembly, by objdump or llvm-objdump, that are fused multiply-adds. */
export function fusedMultiplyAddsIn(lines) {
  return lines.filter((line) => FUSED.test(line));
}

/**
 * Loads and stores of vectors wider than 16 bytes that fault if the address is not a multiple of their
 * width, in AT&T's syntax.
 */
const ALIGNED = /\tvmov(?:ap[sd]|dqa(?:32|64)?)\b.*(?:\(.*%[yz]mm|%[yz]mm.*\()/;

export function alignedWideMovesIn(lines) {
  return lines.filter((line) => ALIGNED.test(line));
}

export function productsIn(lines) {
  return lines.filter((line) => PRODUCT.test(line));
}
