/** Runs that take their settings from a run with another kernel than the first. */
import assert from 'node:assert/strict';

import { completeSettings } from '../../lib/cli/options/synapse-options';
import * as library from '../../lib/index';
import type { KernelDefinition } from '../../lib/modules/kernel-definition';
import { KERNELS } from '../../lib/modules/kernels';
import { defaultSettings } from '../../lib/runs/settings';
import { testSynapses } from '../support/kernels/registry';

describe('the settings of an earlier run', () => {
  const kernels = KERNELS as unknown as KernelDefinition[];
  const others = testSynapses(library).map(({ definition }) => definition);

  before(() => kernels.push(...others));
  after(() => kernels.splice(-others.length));

  it('are those of its kernel, and of no other', () => {
    for (const { name, parameters, windowTaus } of others) {
      const earlier = { ...defaultSettings(name), seed: 1 };
      assert.equal(earlier.windowTaus, windowTaus === Infinity ? 'Infinity' : windowTaus);
      const settings = completeSettings({ parameters: {}, dt: 0.5 }, earlier);
      assert.deepEqual(settings, { ...earlier, dt: 0.5, seed: undefined });
      const names = parameters.map((parameter) => parameter.name);
      assert.deepEqual(Object.keys(settings.parameters), names);
    }
  });
});
