/** What the checks of release binaries find. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

import { ROOT } from '../support/processes';

async function loadGates() {
  const path = join(ROOT, 'scripts', 'distribution', 'prebuilds', 'gates.mjs');
  return (await import(pathToFileURL(path).href)) as {
    faultsOfNames: (names: string[], nodeApi: Set<string>) => string[];
    compareVersions: (a: string, b: string) => number;
  };
}

describe('the names that a release binary asks for', () => {
  const NODE_API = new Set(['napi_create_object', 'napi_create_external_arraybuffer']);

  it('may be those of Node-API and the C library', async () => {
    const { faultsOfNames } = await loadGates();
    const names = ['napi_create_object', 'malloc', 'dlopen', '__cxa_atexit', '__cxa_finalize'];
    assert.deepEqual(faultsOfNames(names, NODE_API), []);
  });

  it('may be no others', async () => {
    const { faultsOfNames } = await loadGates();
    for (const [name, reason] of [
      ['node_api_create_buffer_from_arraybuffer', /newer than Node-API 8/],
      ['napi_create_external_arraybuffer', /external memory/],
      ['fftw_execute', /FFTW/],
      ['fftwf_plan_dft_r2c_1d', /FFTW/],
      ['_ZNSt6vectorIdSaIdEE3endEv', /C\+\+ library/],
      ['__cxa_throw', /C\+\+ library/],
    ] as const) {
      const faults = faultsOfNames(['napi_create_object', name], NODE_API);
      assert.equal(faults.length, 1, name);
      assert.match(faults[0] ?? '', reason);
      assert.ok(faults[0]?.includes(name));
    }
  });

  it('must have some of Node-API', async () => {
    const { faultsOfNames } = await loadGates();
    assert.deepEqual(faultsOfNames(['malloc'], NODE_API), ['it asks for no function of Node-API']);
  });

  it('have versions that are compared number by number', async () => {
    const { compareVersions } = await loadGates();
    assert.ok(compareVersions('2.9', '2.17') < 0);
    assert.ok(compareVersions('2.17', '2.2.5') > 0);
    assert.ok(compareVersions('2.17', '2.17.1') < 0);
    assert.equal(compareVersions('11.0', '11'), 0);
  });
});
