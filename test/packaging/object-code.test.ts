/** What the compiler made of the addon. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

import { ROOT, runProgram } from '../support/processes';

const ADDON = join(ROOT, 'build', 'Release', 'expsyn.node');

/** The checks that release binaries go through, too. */
async function loadChecks() {
  const path = join(ROOT, 'scripts', 'distribution', 'prebuilds', 'object-code.mjs');
  return (await import(pathToFileURL(path).href)) as {
    fusedMultiplyAddsIn: (lines: string[]) => string[];
    productsIn: (lines: string[]) => string[];
  };
}

describe('the object code', () => {
  it('recognises fused multiply-adds', async () => {
    const { fusedMultiplyAddsIn } = await loadChecks();
    const linesWith = (names: string[]) =>
      names.map((name) => `  401000:\t${name} %ymm0,%ymm1,%ymm2`);
    const fused = linesWith([
      ...['vfmadd213pd', 'vfnmadd231ss', 'vfmaddsub132ps'],
      ...['fmadd', 'fmla', 'fmla.2d', 'fmls', 'fnmsub'],
    ]);
    assert.deepEqual(fusedMultiplyAddsIn(fused), fused);
    const others = linesWith(['vmulpd', 'vaddsubpd', 'fmul', 'fmul.2d', 'fadd', 'pmaddwd']);
    assert.deepEqual(fusedMultiplyAddsIn(others), []);
  });

  it('has none of them', async function () {
    this.timeout(60_000);
    const { fusedMultiplyAddsIn, productsIn } = await loadChecks();
    const { code, output } = await runProgram('objdump', [
      '--disassemble',
      '--no-show-raw-insn',
      ADDON,
    ]).catch(() => {
      console.log('      objdump is not installed.');
      return this.skip();
    });
    assert.equal(code, 0);
    const lines = output.split('\n');
    assert.ok(productsIn(lines).length > 100);
    assert.deepEqual(fusedMultiplyAddsIn(lines), []);
  });
});
