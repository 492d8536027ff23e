import { AlphaSyn, DoubleExpSyn, ExpSyn, type Synapses } from 'expsyn';
import { relativeError } from '../../test/support/oracle';
import type { BenchCase } from '../bench-case';
import { timeCalls, type Contender } from '../measure';
import { plainSecondOrderLoop } from '../peers/javascript';
import { makeRaster, type Dtype } from '../run';

const DT = 1e-3;
const TAU = 0.02;
const TAU_RISE = 0.004;

export function secondOrderCases(): BenchCase[] {
  return (['float64', 'float32'] as const).flatMap((dtype) =>
    [16, 64, 1000].flatMap((size): BenchCase[] => {
      const timesteps = 1e7 / size;
      const name = `${dtype}, T = ${timesteps}, N = ${size}`;
      const samples = timesteps * size;
      const shape = [1, timesteps, size];
      const Data = dtype === 'float32' ? Float32Array : Float64Array;
      const options = { dtype, dt: DT, method: 'recursive', threads: 1 } as const;
      const contender = (label: string, module: Synapses<Dtype>): Contender => {
        const input = { data: makeRaster(new Data(samples)), shape };
        const out = new Data(samples);
        return { name: label, time: timeCalls(() => void module.evolveSync(input, { out })) };
      };
      const alpha = () => new AlphaSyn<Dtype>(size, { ...options, tau: TAU });
      return [
        {
          group: "AlphaSyn and DoubleExpSyn, 'recursive', against ExpSyn",
          name,
          samples,
          goals: [{ against: 'ExpSyn', atMost: 1.6 }],
          contenders: () => [
            contender('AlphaSyn', alpha()),
            contender(
              'ExpSyn',
              new ExpSyn<Dtype>(size, { ...options, tau: TAU, windowTaus: Infinity }),
            ),
            contender(
              'DoubleExpSyn',
              new DoubleExpSyn<Dtype>(size, { ...options, tauRise: TAU_RISE, tauDecay: TAU }),
            ),
          ],
        },
        {
          group: "AlphaSyn, 'recursive', against what one would use instead",
          name,
          samples,
          goals: [
            { against: 'lfilter_second_order', timesFaster: 10 },
            { against: 'JavaScript loop', timesFaster: 4 },
          ],
          contenders: async (python) => {
            const input = makeRaster(new Data(samples));
            const output = new Data(samples);
            const decay = Math.exp(-DT / TAU);
            const first = ((Math.E * DT) / TAU) * decay;
            const loop = () => {
              plainSecondOrderLoop(input, output, [decay, decay, first], size);
            };
            loop();
            const expected = alpha().evolveSync({ data: input, shape }).output.data;
            const error = relativeError(output, expected);
            if (!(error <= 1e-5)) throw new Error(`Expected equal currents but got ${error}.`);
            const contenders = [
              contender('expsyn', alpha()),
              { name: 'JavaScript loop', time: timeCalls(loop) },
            ];
            if (python.versions === undefined) return contenders;
            await python.prepare({ input, shape, tau: TAU, dt: DT, windowLength: 1 });
            const peer = 'lfilter_second_order';
            return [...contenders, { name: peer, time: () => python.time(peer) }];
          },
        },
      ];
    }),
  );
}
