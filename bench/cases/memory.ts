import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

import type { BenchCase } from '../bench-case';

export function memoryCases(): BenchCase[] {
  return (['recursive', 'fft'] as const).flatMap((method) =>
    ([undefined, 'state'] as const).map((noise): BenchCase => ({
      group: 'memory beyond input and output, one thread',
      name: `'${method}'${noise === undefined ? '' : ", noise: 'state'"}, T = 1e6, N = 16, W = 2000`,
      figure: () => {
        const options = { method, noise, noiseStd: noise === undefined ? 0 : 1 };
        const child = spawnSync(
          process.execPath,
          ['--import', 'tsx', join(__dirname, '..', 'peak-memory.ts'), JSON.stringify(options)],
          { encoding: 'utf8' },
        );
        const mebibytes = Number(child.stdout) / 2 ** 20;
        return { text: `${mebibytes.toFixed(1)} MiB (goal: 8)`, isMet: mebibytes <= 8 };
      },
    })),
  );
}
