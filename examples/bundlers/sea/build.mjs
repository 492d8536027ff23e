import { execFileSync } from 'node:child_process';
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';

import { build } from 'esbuild';
import { inject } from 'postject';

import { nativeAddons } from './native-addons.mjs';

/** The folder of the binary for this system. */
const target = `${process.platform}-${process.arch}`;
const output = 'output/sea';
const program = `${output}/program${process.platform === 'win32' ? '.exe' : ''}`;

await build({
  entryPoints: ['sea/main.mjs', 'sea/worker.mjs'],
  bundle: true,
  platform: 'node',
  format: 'cjs',
  outdir: output,
  plugins: [nativeAddons],
});

writeFileSync(
  `${output}/sea-config.json`,
  JSON.stringify({
    main: `${output}/main.js`,
    output: `${output}/program.blob`,
    disableExperimentalSEAWarning: true,
    assets: {
      'expsyn.node': `node_modules/expsyn/prebuilds/${target}/expsyn.node`,
      'worker.js': `${output}/worker.js`,
    },
  }),
);
execFileSync(process.execPath, ['--experimental-sea-config', `${output}/sea-config.json`]);

copyFileSync(process.execPath, program);
await inject(program, 'NODE_SEA_BLOB', readFileSync(`${output}/program.blob`), {
  sentinelFuse: 'NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2',
  machoSegmentName: 'NODE_SEA',
});
