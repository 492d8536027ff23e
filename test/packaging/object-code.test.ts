/** What the compiler made of the addon. */
import assert from 'node:assert/strict';
import { join } from 'node:path';

import { ROOT, runProgram } from '../support/processes';

const ADDON = join(ROOT, 'build', 'Release', 'expsyn.node');

/**
 * A fused multiply-add rounds once where a product and a sum round twice. If one instruction set used it
 * and another did not, results would depend on the processor.
 */
const FUSED = /\t(?:vfn?m(?:add|sub)\w*|fn?m(?:add|sub)|fml[as])\b/;

describe('the object code', () => {
  it('recognises fused multiply-adds', () => {
    for (const name of [
      'vfmadd213pd',
      'vfnmadd231ss',
      'vfmaddsub132ps',
      'fmadd',
      'fmla',
      'fnmsub',
    ]) {
      assert.match(`  401000:\t${name} %ymm0,%ymm1,%ymm2`, FUSED);
    }
    for (const name of ['vmulpd', 'vaddsubpd', 'fmul', 'fadd', 'pmaddwd']) {
      assert.doesNotMatch(`  401000:\t${name} %xmm0,%xmm1`, FUSED);
    }
  });

  it('has none of them', async function () {
    this.timeout(60_000);
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
    assert.ok(lines.filter((line) => /\tv?mulpd\b/.test(line)).length > 100);
    assert.deepEqual(
      lines.filter((line) => FUSED.test(line)),
      [],
    );
  });
});
