/** The panel with the kernels: the response to one spike over time. */
import type { KernelCurves } from '../runs/kernel-curves';
import {
  BLUE,
  BROKEN_LINE,
  emptyPanel,
  KERNEL_HEIGHT,
  panel,
  SIDE_WIDTH,
  type Spec,
} from './layout';
import { traceOf } from './reduction';
import { chooseTimeUnit } from './scene';

/** Up to so many samples, each one is marked with a dot. */
const FEW_SAMPLES = 40;

/** The kernels of the channels whose currents are traced, or the one of all channels. */
export function kernelPanel(curves: KernelCurves | undefined, height: number): Spec {
  if (curves === undefined) return emptyPanel(height);
  const { dt, timesteps, columns, isArea } = curves;
  const duration = timesteps * dt;
  const unit = chooseTimeUnit(duration);
  const values = Array.from({ length: columns }, (_, kernel) =>
    traceOf(curves, kernel, { begin: 0, end: timesteps }, SIDE_WIDTH * 2).map(
      ({ step, value }) => ({
        t: (step + 1) * dt * unit.perSecond,
        w: Number.isNaN(value) ? null : value,
        kernel,
      }),
    ),
  ).flat();
  const layer = {
    data: { values },
    mark: {
      ...BROKEN_LINE,
      color: BLUE,
      strokeWidth: 1.2,
      point: timesteps <= FEW_SAMPLES && { size: 10 },
    },
    encoding: {
      x: {
        field: 't',
        type: 'quantitative',
        scale: { domain: [0, duration * unit.perSecond], nice: false, zero: false },
        axis: { title: `time after a spike (${unit.name})`, tickCount: 4 },
      },
      y: {
        field: 'w',
        type: 'quantitative',
        scale: { nice: 2 },
        axis: { title: isArea ? 'w (1/s)' : 'w', tickCount: 2 },
      },
      detail: { field: 'kernel' },
      order: { value: null },
    },
  };
  const title = columns === 1 ? 'Kernel' : 'Kernels of the traced channels';
  return panel(title, SIDE_WIDTH, KERNEL_HEIGHT, [layer]);
}
