/** The addon is what lib/native/native.ts declares. The compiler checks the lists against the types. */
import assert from 'node:assert/strict';

import {
  native,
  type FailedSession,
  type KernelDescription,
  type Load,
  type Native,
  type Synapses,
  type SynapsesSettings,
} from '../../lib/native/native';
import { newKernel, newSynapses, SETTINGS } from '../support/native-calls';

/** Own names of an object, in order. */
const namesOf = (object: object) => Object.getOwnPropertyNames(object).sort();

describe('the native surface', () => {
  it('has the names that are declared', () => {
    const functions: Record<keyof Native, true> = {
      EventClock: true,
      Kernel: true,
      SessionTable: true,
      Synapses: true,
      TimeSurvey: true,
      acquire: true,
      cancel: true,
      closeSession: true,
      commitSessions: true,
      countEvents: true,
      describeKernel: true,
      fftw: true,
      instructionSet: true,
      openSession: true,
      readLoad: true,
      readSession: true,
      release: true,
      releaseKernel: true,
      setLimits: true,
      takeFftwWarning: true,
      writeSession: true,
    };
    assert.deepEqual(namesOf(native), namesOf(functions));
    const methods: Record<keyof Synapses, true> = {
      evolve: true,
      evolveAsync: true,
      evolveSessions: true,
      evolveSessionsAsync: true,
      lacksFftw: true,
      methodFor: true,
    };
    const synapses = newSynapses(1);
    const prototype = Object.getPrototypeOf(synapses) as object;
    assert.deepEqual(
      [...namesOf(prototype), ...namesOf(synapses)].sort(),
      ['constructor', ...namesOf(methods)].sort(),
    );
  });

  it('returns the properties that are declared', () => {
    const load: Record<keyof Load, number> = {
      calls: 0,
      bytes: 0,
      running: 0,
      detached: 0,
      done: 0,
      failed: 0,
      aborted: 0,
      rejected: 0,
      pendingSeconds: 0,
      runningSeconds: 0,
      maxCalls: 0,
      maxBytes: 0,
      memory: 0,
    };
    assert.deepEqual(namesOf(native.readLoad()), namesOf(load));
    const description: KernelDescription = {
      windowLength: 200,
      stateSize: 2,
      methods: ['fft', 'recursive'],
      // dt / tau
      largestEventRate: 0.05,
    };
    assert.deepEqual(native.describeKernel(newKernel(3)), description);
    const table = new native.SessionTable(1, 2, undefined);
    const numbers = Int32Array.of(native.openSession(table, 0), native.openSession(table, 0));
    native.writeSession(table, 1, undefined, Number.MAX_SAFE_INTEGER, 0);
    const failed: FailedSession[] = [{ item: 0, index: 0 }, { item: 1 }];
    const input = Float64Array.of(NaN, 1);
    assert.deepEqual(
      newSynapses(1).evolveSessions(table, numbers, input, new Float64Array(2)),
      failed,
    );
  });

  it('knows the words that are declared', () => {
    const words: {
      [Key in keyof SynapsesSettings]: SynapsesSettings[Key] extends string
        ? Record<SynapsesSettings[Key], true>
        : undefined;
    } = {
      dtype: { float64: true, float32: true },
      method: { auto: true, fft: true, recursive: true, direct: true },
      noise: { output: true, state: true, input: true },
      noiseScale: undefined,
      nonFinite: { throw: true, propagate: true },
      isStateNoisy: undefined,
      threads: undefined,
    };
    const kernel = newKernel(1);
    const isRefusal = { name: 'TypeError', code: 'ERR_EXPSYN_INTERNAL' };
    for (const [name, known] of Object.entries(words)) {
      for (const word of Object.keys(known ?? {})) {
        const settings: SynapsesSettings = { ...SETTINGS, [name]: word };
        // For kernels without a recursion; test/addon/kernels.test.ts has one.
        if (word === 'direct') {
          assert.throws(() => new native.Synapses(kernel, settings), isRefusal);
          continue;
        }
        assert.ok(new native.Synapses(kernel, settings) instanceof native.Synapses);
      }
      for (const junk of [undefined, 'of any', 'x'.repeat(1000), NaN, -1, null, {}, Symbol('s')]) {
        const settings = { ...SETTINGS, [name]: junk };
        assert.throws(() => new native.Synapses(kernel, settings), isRefusal, name);
      }
    }
    for (const method of ['fft', 'recursive'] as const) {
      assert.equal(newSynapses(1, { method }).methodFor(10, false), method);
    }
    assert.equal(newSynapses(1, { method: 'auto' }).methodFor(1, false), 'recursive');
    for (const outcome of ['done', 'failed', 'aborted'] as const) {
      const before = native.readLoad();
      assert.ok(native.acquire(7));
      assert.equal(native.readLoad().bytes, before.bytes + 7);
      native.release(7, outcome, 0.5);
      const after = native.readLoad();
      assert.equal(after[outcome], before[outcome] + 1);
      assert.deepEqual([after.calls, after.bytes], [before.calls, before.bytes]);
    }
  });

  it('passes on what a getter of the settings throws', () => {
    const settings = {
      ...SETTINGS,
      get noise(): never {
        throw new RangeError('mine');
      },
    };
    assert.throws(() => new native.Synapses(newKernel(1), settings), { message: 'mine' });
  });
});
